"""What one running application holds, and whether it is ready."""

import asyncio
import logging
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.requests import Request

from service.api.decoding import Decoding
from service.detector import Detector
from service.errors import ErrorCode, FaunalensError, StartError, how_to_get
from service.keys.access import Access
from service.outbound.fetch import Fetcher
from service.runtime.cores import available_cores
from service.runtime.providers import pictures_at_once
from service.runtime.slots import Slots
from service.runtime.workers import Workers
from service.settings import Settings
from service.shadow import Shadow
from service.telemetry.metrics import Metrics
from service.telemetry.tracing import Tracing

if TYPE_CHECKING:
    from service.bulk.bulk import Bulk

log = logging.getLogger("faunalens")
UPLOADS, WATCHERS = 4, 64


class State:
    """Settings, workers, decoding, keys, metrics and, once its self-test has passed, the detector.

    ``uploads``: batches that come in; ``watchers``: clients that watch one.

    Raises :class:`StartError` when keys are required and there are none.
    """

    def __init__(self, settings: Settings, on_failure: Callable[[str], None] | None = None) -> None:
        self.settings = settings
        threads = pictures_at_once(settings.providers, settings.threads)
        self.workers = Workers(threads, settings.queue, settings.max_wait_ms / 1e3, settings.max_wait_ratio)
        self.access = Access(settings.keys) if settings.auth == "on" else None
        self.decoding = Decoding(settings.decoders or available_cores(), settings.queue)
        self.metrics = Metrics(self.workers, lambda: self.access.stale_seconds if self.access else 0.0)
        self.fetcher = Fetcher(settings) if settings.url_input == "on" else None
        self.tracing = Tracing() if settings.tracing == "on" else None
        self.bulk = self._open_bulk() if settings.batches == "on" else None
        self.shadow: Shadow | None = None
        self.failure: str | None = None
        self.draining = False
        self.cut_off = 0
        self.last_refusal = -math.inf
        """When a request for a judgement was last refused at the door; seconds of ``time.monotonic``."""
        self.uploads, self.watchers = Slots(UPLOADS), Slots(WATCHERS)
        self._reloading = False
        self._detector: Detector | None = None
        self._on_failure = on_failure

    @property
    def ready(self) -> bool:
        """Whether the detector is loaded and has passed its self-test."""
        return self._detector is not None

    @property
    def detector(self) -> Detector:
        """The detector; raises ``not_ready`` before its self-test has passed."""
        if self._detector is None:
            # the reason names files of this machine, and everybody may ask /readyz
            message = "cannot be used; the log says why" if self.failure else "is still being loaded"
            raise FaunalensError(ErrorCode.NOT_READY, f"The model {message}.")
        return self._detector

    async def load(self) -> None:
        """Load the detector on a thread; a failure is logged, kept, and handed to ``on_failure``."""
        try:
            self._use(await asyncio.to_thread(Detector, self.settings))
        except StartError as error:
            self.failure = str(error)
            log.critical("not starting: %s", error)
            if self._on_failure:
                self._on_failure(str(error))
        else:
            model = self.detector.model_name
            log.info("ready: model %s (%s), %d threads", model.name, model.sha256[:12], self.workers.threads)
            if not self.detector.decoders.confined:
                log.info("this system has no Landlock: decoder processes are not kept from the memory of others")
            await self._load_shadow()

    async def reload(self) -> None:
        """Load the model and the policies again and use them from the next request on.

        Requests under way keep the model that they began with. Raises ``model_rejected`` and keeps the old model when
        the new one cannot be used; raises ``reload_running`` and ``not_ready``.
        """
        old = self.detector.model_name
        if self._reloading:
            raise FaunalensError(ErrorCode.RELOAD_RUNNING, "The model is being reloaded already.")
        self._reloading = True
        try:
            detector = await asyncio.to_thread(Detector, self.settings)
            self._use(detector)
            await self._load_shadow()
        except StartError as error:
            self.metrics.reloads.labels("rejected").inc()
            log.error("reload: the old model %s (%s) stays: %s", old.name, old.sha256[:12], error)
            message = "The new model cannot be used; the old one stays."
            raise FaunalensError(ErrorCode.MODEL_REJECTED, message, {"reason": str(error)}) from error
        finally:
            self._reloading = False
        self.metrics.reloads.labels("done").inc()
        new = detector.model_name
        log.info("reload: %s (%s) after %s (%s)", new.name, new.sha256[:12], old.name, old.sha256[:12])

    def close(self) -> None:
        """Let running work end; drop what waits."""
        self.decoding.close()
        self.workers.close()
        if self.shadow:
            self.shadow.close()
        if self.tracing:
            self.tracing.close()

    def _open_bulk(self) -> "Bulk":
        """The batches; raises :class:`StartError`, also when the extra is not installed."""
        try:
            from service.bulk.bulk import Bulk
        except ModuleNotFoundError as error:
            raise StartError(
                f"FAUNALENS_BATCHES is on, but {error.name} is not installed: {how_to_get('review')}"
            ) from error
        return Bulk(
            self.settings, self.metrics, lambda: self._detector, lambda: self.workers.pending > 0, lambda: self.fetcher
        )

    def _use(self, detector: Detector) -> None:
        self._detector = detector
        self.metrics.model(detector.model_name)

    async def _load_shadow(self) -> None:
        """Load the shadow model; without it the service goes on, because answers do not depend on it."""
        path, share = self.settings.shadow_model, self.settings.shadow_share
        if path is None:
            return
        try:
            detector = await asyncio.to_thread(
                Detector, self.settings.model_copy(update={"model": path, "decoders": 1})
            )
        except StartError as error:
            log.error("%s: %s", "the old shadow model stays" if self.shadow else "no shadow model", error)
            return
        if self.shadow:
            self.shadow.close()
        self.shadow = Shadow(detector, share, lambda: self.workers.waiting > 0, self.metrics.shadow)
        log.info("shadow model %s on %g of the pictures", detector.model_name.sha256[:12], share)


def state_of(request: Request) -> State:
    """The state of the application that a request came to."""
    state: State = request.app.state.faunalens
    return state


def bulk_of(request: Request) -> "Bulk":
    """The batches of that application, where they are on."""
    bulk = state_of(request).bulk
    assert bulk is not None
    return bulk
