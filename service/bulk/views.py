"""Kept photos to look at: decoded here under the service's bounds, so that no browser opens what a seller sent."""

import asyncio
import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from service.detector import Detector
from service.store.photos import Photos

SIDES = {"small": 320, "large": 1280}
_QUALITY = 82


class Views:
    """Renders on ``threads`` threads, so that many requests for photos leave room for others."""

    def __init__(self, photos: Photos, threads: int) -> None:
        self._photos = photos
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="review-views")

    async def photo(self, detector: Detector, batch_id: str, position: int, side: int) -> bytes:
        """JPEG of a photo, upright, no side over ``side`` pixels; raises ``photo_unavailable``."""
        return await self._run(partial(self._rendered, detector, batch_id, position, side))

    async def heatmap(self, detector: Detector, batch_id: str, position: int, category: str | None) -> bytes:
        """PNG of a photo under the heat map of ``category``; raises ``photo_unavailable``, ``unknown_category``."""
        return await self._run(lambda: detector.heatmap(self._photos.read(batch_id, position), category))

    def close(self) -> None:
        """Drop what waits."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _rendered(self, detector: Detector, batch_id: str, position: int, side: int) -> bytes:
        picture = detector.decoders.view(self._photos.read(batch_id, position), side)
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=_QUALITY)
        return buffer.getvalue()

    async def _run(self, work: Callable[[], bytes]) -> bytes:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)
