"""What one running application holds, and whether it is ready."""

import logging
from collections.abc import Callable

from starlette.requests import Request

from service.detector import Detector
from service.errors import ErrorCode, FaunalensError, StartError
from service.metrics import Metrics
from service.settings import Settings
from service.workers import Workers

log = logging.getLogger("faunalens")


class State:
    """Settings, workers, metrics and, once its self-test has passed, the detector."""

    def __init__(self, settings: Settings, on_failure: Callable[[str], None] | None = None) -> None:
        self.settings = settings
        self.workers = Workers(settings.threads, settings.queue)
        self.metrics = Metrics(lambda: self.workers.pending)
        self.failure: str | None = None
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
            raise FaunalensError(ErrorCode.NOT_READY, self.failure or "The model is still being loaded.")
        return self._detector

    async def load(self) -> None:
        """Load the detector on a worker thread; a failure is logged, kept, and handed to ``on_failure``."""
        try:
            self._detector = await self.workers.run(lambda: Detector(self.settings))
        except StartError as error:
            self.failure = str(error)
            log.critical("not starting: %s", error)
            if self._on_failure:
                self._on_failure(str(error))
        else:
            contract = self._detector.contract
            log.info("ready: model %s (%s), %d threads", contract.name, contract.sha256[:12], self.workers.threads)


def state_of(request: Request) -> State:
    """The state of the application that a request came to."""
    state: State = request.app.state.faunalens
    return state
