"""The batches of a running service: store, runner, housekeeping and webhooks together."""

import asyncio
import contextlib
import datetime
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from service.bulk.archives import Bounds
from service.bulk.decisions import open_decisions
from service.bulk.gathering import Gathering
from service.bulk.runner import Runner, Surroundings
from service.bulk.spool import Spool
from service.bulk.views import Views
from service.bulk.webhooks import Webhooks
from service.detector import Detector
from service.errors import ErrorCode, FaunalensError, StartError, told
from service.outbound.fetch import Fetcher
from service.outbound.requests import Outbound
from service.runtime.cores import available_cores
from service.scanning import objects
from service.settings import Settings
from service.statistics.report import drifted
from service.store import backlog, cancelled
from service.store.batches import Batches, NewBatch
from service.store.claims import Claims
from service.store.database import open_database
from service.store.decisions import Decisions
from service.store.outbox import Outbox
from service.store.photos import open_photos
from service.store.purge import AT_ONCE, Sweeper, purge
from service.store.summary import Summaries
from service.store.tallies import Days, Tallies, today
from service.telemetry.metrics import Metrics

log = logging.getLogger("faunalens.batches")
_HOUSE_SECONDS, _DRIFT_SECONDS, _PHOTOS_SECONDS = 3.0, 600.0, 15.0
_REPORTS = 2
# all batches together are one of those for whom pictures are fetched; no key's id, and no address
_FLOW = "batches"
# calls in a row while photos or webhooks wait to be removed, before other chores have their turn
_PURGES = 20
# seconds: SQLite lets who waits to write look every tenth of a second
_LETTING_IN = 0.15


class Bulk:
    """Opens the store and makes its folder; raises :class:`StartError`. Nothing runs before :meth:`start`."""

    def __init__(
        self,
        settings: Settings,
        metrics: Metrics,
        detector: Callable[[], Detector | None],
        busy: Callable[[], bool],
        fetcher: Callable[[], Fetcher | None],
    ) -> None:
        self.settings = settings
        try:
            settings.store.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.photos = open_photos(settings)
        except OSError as error:
            raise StartError(f"the store {settings.store.absolute()} cannot be made: {error.strerror}") from error
        self.database = open_database(settings.database_url, settings.store)
        self.batches = Batches(self.database)
        self._check_photos()
        self.bounds = Bounds(settings.batch_files, settings.max_bytes, settings.batch_bytes)
        self.claims = Claims(self.database, settings.batch_lease_seconds)
        self.outbound = Outbound()
        self._fetcher = fetcher
        self._detector = detector
        self._metrics = metrics
        self.tallies = Tallies()
        self.summaries = Summaries(self.database)
        self._outbox = Outbox(self.database)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._buckets = {name: objects.open_bucket(name) for name in settings.batch_buckets}
        fetch = self._fetch if fetcher() or settings.batch_buckets else None
        self._runner = Runner(
            self.claims, self.photos, Surroundings(
                detector, busy, fetch, metrics, self.tallies, settings.audit_rate
            ),
            settings.batch_threads or available_cores(), settings.retention_hours * 3600,
        )  # fmt: skip
        self.views = Views(self.photos, available_cores())
        # seconds each: they leave room for others, and each other's time
        self.reports = ThreadPoolExecutor(_REPORTS, thread_name_prefix="reports")
        # megabytes each, and processor time: on as many threads as may wait for the database it was half a gigabyte
        self.lookups = ThreadPoolExecutor(available_cores(), thread_name_prefix="lookups")
        self._stopping = threading.Event()
        self._drift_at = self._sweep_at = self._photos_at = 0.0
        self._sweeper = Sweeper(self.database, self.photos, settings.batch_upload_seconds + 60)
        self._keepers = [
            threading.Thread(target=self._keep_leases, name="batches-leases", daemon=True),
            threading.Thread(target=self._keep_house, name="batches-house", daemon=True),
        ]
        self._sending: asyncio.Task[None] | None = None

    def _check_photos(self) -> None:
        """Every picture that waits for its photo would fail where the volume is not mounted, or the address another."""
        try:
            lost = self.batches.await_photos() and self.photos.place.is_empty()
        except (FaunalensError, OSError) as error:
            raise StartError(f"the store cannot be used: {error}") from error
        if lost:
            self.database.close()
            where = self.settings.photos or self.settings.store / "photos"
            raise StartError(f"pictures wait for their photos, but there is none at {where}: is it the right place?")

    def gather(self, batch: NewBatch, folders: bool) -> Gathering:
        """A batch that comes in. ``folders``: a file's folder names its listing."""
        return Gathering(batch, self.photos, self.bounds, folders)

    @property
    def decisions(self) -> Decisions:
        """Decisions, as the settings have them."""
        detector = self._detector()
        return open_decisions(self.database, self.settings, detector.catalog if detector else None)

    @property
    def drift_days(self) -> tuple[Days, Days]:
        """The last days, today included, and those before, with which they are compared."""
        end = today() + datetime.timedelta(days=1)
        middle = end - datetime.timedelta(days=self.settings.drift_days)
        return Days(middle, end), Days(middle - datetime.timedelta(days=self.settings.drift_baseline_days), middle)

    def count(self) -> None:
        """Write what was counted of what was judged; raises ``store_unavailable``."""
        self.tallies.flush(self.database)

    def spool(self) -> Spool:
        """A temporary file for an archive."""
        return Spool(self.settings.store, self.bounds.table)

    def wake(self) -> None:
        """There is a new batch."""
        self._runner.wake()

    def start(self) -> None:
        """Begin to work; called on the event loop."""
        self._loop = asyncio.get_running_loop()
        for keeper in self._keepers:
            keeper.start()
        self._runner.start()
        if self.settings.webhook_hosts:
            sender = Webhooks(
                self._outbox, self.outbound, self.settings.webhook_hosts, self.settings.webhook_bytes,
                self._metrics.webhooks,
            )  # fmt: skip
            self._sending = asyncio.create_task(sender.run())

    async def close(self) -> None:
        """Finish what is at work and stop."""
        if self._sending:
            self._sending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sending
        self._stopping.set()
        await asyncio.to_thread(self._runner.close)
        for keeper in self._keepers:
            await asyncio.to_thread(keeper.join)
        await asyncio.to_thread(self.views.close)
        for pool in (self.reports, self.lookups):
            await asyncio.to_thread(pool.shutdown, cancel_futures=True)
        with contextlib.suppress(FaunalensError):
            await asyncio.to_thread(self.count)
        self.database.close()

    def _fetch(self, url: str) -> bytes:
        if objects.is_address(url):
            return objects.read(url, self._buckets, self.settings.max_bytes)
        fetcher, loop = self._fetcher(), self._loop
        if fetcher is None:
            raise FaunalensError(ErrorCode.URL_NOT_ALLOWED, "Pictures by URL are not taken here.", {"reason": "off"})
        assert loop is not None
        return asyncio.run_coroutine_threadsafe(fetcher.fetch(url, _FLOW), loop).result()

    def _look_for_drift(self) -> None:
        detector = self._detector()
        if detector is None:
            return
        self._drift_at = time.monotonic() + _DRIFT_SECONDS
        drift = drifted(self.database, detector.contract.ids, *self.drift_days, self.settings.drift_psi)
        self._metrics.drift.tell(drift.shifts)

    def _keep_leases(self) -> None:
        """Renew what this process holds, free what the dead held; on a thread that nothing else can hold up."""
        self._every(self.settings.batch_lease_seconds / 3, self._renew)

    def _keep_house(self) -> None:
        """Remove photos and webhooks past their time, write counts, look for drift."""
        self._every(
            _HOUSE_SECONDS, self._look, self._drop_cancelled, self._purge, self._forget, self.count, self._watch,
            self._sweep,
        )  # fmt: skip

    def _renew(self) -> None:
        self.claims.renew(self._runner.in_hand)
        self.claims.free()

    def _purge(self) -> None:
        self._in_bites(lambda: purge(self.database, self.photos) == AT_ONCE)

    def _forget(self) -> None:
        self._in_bites(self._outbox.forget)

    def _drop_cancelled(self) -> None:
        self._in_bites(lambda: cancelled.drop(self.database), _LETTING_IN)

    def _in_bites(self, bite: Callable[[], bool], pause: float = 0.0) -> None:
        for _ in range(_PURGES):
            if self._stopping.is_set() or not bite() or self._stopping.wait(pause):
                return

    def _look(self) -> None:
        """See what waits. Counting photos reads an entry of an index for each: it gets a hundredth of the time."""
        shown = self._metrics.backlog
        try:
            shown.tell_pictures(backlog.pictures(self.database))
            begun = time.monotonic()
            if begun >= self._photos_at:
                shown.tell_photos(backlog.photos(self.database))
                self._photos_at = begun + max(_PHOTOS_SECONDS, 100 * (time.monotonic() - begun))
        except FaunalensError:
            shown.tell_pictures(None)
            shown.tell_photos({})
            self._photos_at = 0.0
            raise

    def _watch(self) -> None:
        if time.monotonic() >= self._drift_at:
            self._look_for_drift()

    def _sweep(self) -> None:
        if time.monotonic() >= self._sweep_at:
            # asked about folder by folder, of which there may be a hundred thousand: it gets a hundredth of the time
            begun = time.monotonic()
            self._sweep_at = begun + self.photos.place.sweep_seconds
            self._sweeper.look()
            self._sweep_at = max(self._sweep_at, begun + 100 * (time.monotonic() - begun))

    def _failed(self, error: Exception) -> None:
        """Tell that a chore failed: mostly the database or the place of the photos is away."""
        store = isinstance(error, FaunalensError | OSError)
        code = ErrorCode.STORE_UNAVAILABLE if store else ErrorCode.INTERNAL_ERROR
        self._metrics.failures(code.code).inc()
        why = told(error) if isinstance(error, FaunalensError) else error
        log.error("batches: housekeeping failed: %s", why, exc_info=not store)

    def _every(self, seconds: float, *chores: Callable[[], None]) -> None:
        """One that fails keeps none of the others from their turn."""
        while True:
            for chore in chores:
                try:
                    chore()
                except Exception as error:
                    # what nobody thought of must not end it either: leases would not be renewed, nor photos removed
                    self._failed(error)
            if self._stopping.wait(seconds):
                return
