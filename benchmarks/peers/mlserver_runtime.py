"""MLServer: a custom runtime; the photo as base64 in the V2 inference protocol. ``PEER_TUNED=1``: one worker a core.

MLServer works in one extra process by default (``parallel_workers=1``).
"""

import asyncio
import json

from mlserver import MLModel, MLServer, ModelSettings, Settings
from mlserver.codecs import Base64Codec, StringCodec
from mlserver.settings import ModelParameters
from mlserver.types import InferenceRequest, InferenceResponse
from recipe import CORES, PORT, TUNED, Recipe


class Photos(MLModel):
    """The runtime."""

    async def load(self) -> bool:
        """Called once in each worker."""
        self.recipe = Recipe(threads=1 if TUNED else 0)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """One photo."""
        data = Base64Codec.decode_input(payload.inputs[0])[0]
        scores = self.recipe.scores(self.recipe.pixels(data))
        outputs = [StringCodec.encode_output("scores", [json.dumps(scores)])]
        return InferenceResponse(model_name=self.name, outputs=outputs)


async def main() -> None:
    """Serve."""
    settings = Settings(
        http_port=PORT, grpc_port=PORT + 1, metrics_endpoint=None, debug=False, parallel_workers=CORES if TUNED else 1
    )
    server = MLServer(settings)
    model = ModelSettings(name="photos", implementation="mlserver_runtime.Photos", parameters=ModelParameters())
    await server.start([model])


if __name__ == "__main__":
    asyncio.run(main())
