"""FastAPI, Pillow and onnxruntime as most people write it; ``PEER_TUNED=1``: as people write it who measured.

Untuned: an ``async`` handler that takes an upload and does the work on the event loop, the whole picture decoded, and
onnxruntime's own number of threads. Tuned: the raw body, a plain handler on as many threads as there are cores, scaled
decoding, one thread a call of the network. ``PEER_WORKERS``: processes.
"""

import io
import os
from typing import Annotated

import anyio.to_thread
import numpy as np
import uvicorn
from fastapi import Body, FastAPI, UploadFile
from PIL import Image
from recipe import CORES, PORT, TUNED, Recipe

WORKERS = int(os.environ.get("PEER_WORKERS", "1"))
app = FastAPI()
recipe = Recipe(threads=1 if TUNED else 0)

if TUNED:

    @app.post("/predict")
    def predict_raw(data: Annotated[bytes, Body(media_type="image/jpeg")]) -> dict[str, float]:
        """On a thread of Starlette's pool."""
        return recipe.scores(recipe.pixels(data))

    @app.on_event("startup")
    async def limit_threads() -> None:
        """No more pictures at once than cores."""
        anyio.to_thread.current_default_thread_limiter().total_tokens = max(1, CORES // WORKERS)

else:

    @app.post("/predict")
    async def predict(file: UploadFile) -> dict[str, float]:
        """On the event loop."""
        image = Image.open(io.BytesIO(await file.read())).convert("RGB")
        return recipe.scores(np.asarray(image.resize((recipe.size, recipe.size), Image.Resampling.BILINEAR)))


@app.get("/health")
async def health() -> dict[str, str]:
    """Ready."""
    return {"status": "ok"}


if __name__ == "__main__":
    uvicorn.run("textbook:app", port=PORT, workers=WORKERS, log_level="warning")
