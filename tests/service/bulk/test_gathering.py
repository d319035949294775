"""A batch whose upload is cut off, or whose commit goes wrong, in the instant in which it is made."""

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest

from service.api.app import create_app
from service.bulk.archives import Bounds, Member
from service.bulk.gathering import Gathering
from service.errors import ErrorCode, FaunalensError
from service.settings import Settings
from service.store.batches import Batches, Entry, NewBatch
from service.store.database import Database, open_database
from service.store.photos import Photos
from service.store.tables import Batch
from tests.live import until

DATA = b"bytes of a photo"


class Lost(Batches):
    """Batches over a connection that breaks: before or after the commit."""

    def __init__(self, database: Database, committed: bool, broken: bool = False) -> None:
        super().__init__(database)
        self.committed = committed
        self.broken = broken

    def add(self, new: NewBatch, entries: Sequence[Entry], fingerprint: str = "") -> Batch:
        if self.committed:
            super().add(new, entries, fingerprint)
        raise FaunalensError(ErrorCode.STORE_UNAVAILABLE, "not now")

    def find(self, batch_id: str) -> Batch | None:
        if self.broken:
            raise FaunalensError(ErrorCode.STORE_UNAVAILABLE, "not now")
        return super().find(batch_id)


def gathered(folder: Path) -> Gathering:
    made = Gathering(NewBatch("", "default"), Photos(folder / "photos", None), Bounds(10, 1000, 1000), False)
    made.add(Member("a.jpg", DATA))
    return made


def test_a_commit_whose_answer_was_lost_has_made_the_batch(tmp_path: Path) -> None:
    database, gathering = open_database(None, tmp_path), gathered(tmp_path)
    assert gathering.keep(Lost(database, committed=True)).id == gathering.batch.id
    assert Photos(tmp_path / "photos", None).read(gathering.batch.id, 0) == DATA
    database.close()


@pytest.mark.parametrize("broken", [False, True])
def test_nothing_is_left_of_a_batch_that_is_not_there_unless_nobody_can_tell(broken: bool, tmp_path: Path) -> None:
    database, gathering = open_database(None, tmp_path), gathered(tmp_path)
    with pytest.raises(FaunalensError, match="not now"):
        gathering.keep(Lost(database, committed=False, broken=broken))
    assert (tmp_path / "photos" / gathering.batch.id).exists() is broken, "it is swept later"
    database.close()


@pytest.mark.anyio
async def test_photos_stay_when_the_upload_is_cut_off_while_the_batch_is_made(
    tmp_path: Path, tusk: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As at a stop after FAUNALENS_SHUTDOWN_SECONDS: the commit is on a thread, and goes on."""
    app = create_app(Settings(auth="off", batches="on", store=tmp_path))
    state, making, go_on = app.state.faunalens, threading.Event(), threading.Event()
    await state.load()
    add = state.bulk.batches.add

    def slow(new: NewBatch, entries: Sequence[Entry], fingerprint: str = "") -> Batch:
        making.set()
        assert go_on.wait(60)
        return add(new, entries, fingerprint)

    monkeypatch.setattr(state.bulk.batches, "add", slow)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://faunalens.test") as client:
        upload = asyncio.create_task(client.post("/v1/batches", files=[("file", ("a.jpg", tusk))]))
        await asyncio.to_thread(making.wait, 60)
        upload.cancel()
        answer = await asyncio.wait_for(upload, 60)
        assert answer.json()["error"]["code"] == "not_ready"
        go_on.set()
    await asyncio.to_thread(until, lambda: state.bulk.batches.newest(None, 10, float("inf")))
    (batch,) = state.bulk.batches.newest(None, 10, float("inf"))
    assert state.bulk.photos.read(batch.id, 0) == tusk
    state.bulk.database.close()
    state.close()
