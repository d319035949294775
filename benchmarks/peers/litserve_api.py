"""LitServe, by its image example: the photo as base64 in JSON; ``PEER_TUNED=1``: an upload, one worker a core."""

import base64
from typing import Any

import litserve
from fastapi import Request, UploadFile
from recipe import CORES, PORT, TUNED, Recipe


class Example(litserve.LitAPI):
    """One call of the network on all cores."""

    threads = 0

    def setup(self, device: str) -> None:
        """Called once in each worker."""
        self.recipe = Recipe(self.threads)

    def decode_request(self, request: Request) -> Any:
        """Base64 in JSON, parsed by LitServe, to pixels."""
        return self.recipe.pixels(base64.b64decode(request["image"]))

    def predict(self, pixels: Any) -> Any:
        """Pixels to scores."""
        return self.recipe.scores(pixels)

    def encode_response(self, scores: Any) -> Any:
        """As they are."""
        return scores


class Tuned(Example):
    """A worker a core, each on one core; the photo as an upload, which saves base64 and JSON."""

    threads = 1

    def decode_request(self, request: UploadFile) -> Any:
        """An upload to pixels."""
        return self.recipe.pixels(request.file.read())


if __name__ == "__main__":
    api = Tuned() if TUNED else Example()
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=CORES if TUNED else 1)
    server.run(port=PORT, generate_client_file=False, log_level="warning")
