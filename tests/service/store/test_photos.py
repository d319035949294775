import os
import shutil
import time
from pathlib import Path

import pytest

from service.answer import Answer
from service.errors import ErrorCode, FaunalensError
from service.store import cancelled
from service.store.batches import Batches, Entry, NewBatch
from service.store.claims import Claims
from service.store.database import Database
from service.store.outcomes import Outcome
from service.store.photos import Photos
from service.store.purge import Sweeper, purge
from tests.service.store.conftest import Clock

BATCH, KEY = "0" * 32, bytes(range(32))
DATA = b"\xff\xd8 a photo " * 50


@pytest.mark.parametrize("key", [None, KEY])
def test_what_was_written_is_read(tmp_path: Path, key: bytes | None) -> None:
    photos = Photos(tmp_path / "p", key)
    photos.write(BATCH, 3, DATA)
    assert photos.read(BATCH, 3) == DATA
    (file,) = (tmp_path / "p" / BATCH).iterdir()
    assert (DATA in file.read_bytes()) == (key is None)
    assert file.stat().st_mode & 0o777 == 0o600 and (tmp_path / "p").stat().st_mode & 0o777 == 0o700


def refusal(photos: Photos, position: int = 0) -> ErrorCode:
    with pytest.raises(FaunalensError) as caught:
        photos.read(BATCH, position)
    return caught.value.code


def test_a_folder_that_is_away_is_no_lost_photo(tmp_path: Path) -> None:
    photos = Photos(tmp_path / "p", None)
    assert photos.place.is_empty()
    photos.write(BATCH, 0, DATA)
    assert not photos.place.is_empty() and refusal(photos, 1) is ErrorCode.PHOTO_UNAVAILABLE
    (tmp_path / "p").rename(tmp_path / "elsewhere")
    assert refusal(photos) is ErrorCode.STORE_UNAVAILABLE
    (tmp_path / "elsewhere").rename(tmp_path / "p")
    assert photos.read(BATCH, 0) == DATA


@pytest.mark.parametrize("key", [None, bytes(32)])
def test_sealed_photos_wait_for_their_key(tmp_path: Path, key: bytes | None) -> None:
    Photos(tmp_path, KEY).write(BATCH, 0, DATA)
    assert refusal(Photos(tmp_path, key)) is ErrorCode.STORE_UNAVAILABLE
    assert Photos(tmp_path, KEY).read(BATCH, 0) == DATA


def test_what_was_changed_is_not_opened(tmp_path: Path) -> None:
    photos = Photos(tmp_path, KEY)
    photos.write(BATCH, 0, DATA)
    file = tmp_path / BATCH / "0000000"
    sealed = file.read_bytes()
    shutil.copy(file, tmp_path / BATCH / "0000001")
    assert refusal(photos, 1) is ErrorCode.PHOTO_UNAVAILABLE, "a file at another's place"
    for changed in (sealed[:-1] + b"x", sealed[:30], sealed[:20], b""):
        file.write_bytes(changed)
        assert refusal(photos) is ErrorCode.PHOTO_UNAVAILABLE


def test_a_key_that_comes_later_leaves_older_photos_readable(tmp_path: Path) -> None:
    Photos(tmp_path, None).write(BATCH, 0, DATA)
    assert Photos(tmp_path, KEY).read(BATCH, 0) == DATA


def test_purge_removes_what_had_its_time(database: Database, tmp_path: Path) -> None:
    photos, new = Photos(tmp_path / "p", None), NewBatch("", "default")
    for position in range(3):
        photos.write(new.id, position, DATA)
    batches = Batches(database)
    batches.add(new, [Entry(str(position), photo=True) for position in range(3)])
    assert purge(database, photos) == 0
    batches.cancel(new.id)
    photos.delete(new.id, 0)
    assert purge(database, photos) == 3 and purge(database, photos) == 0
    assert list((tmp_path / "p" / new.id).iterdir()) == []


def test_a_batch_whose_photos_cannot_be_removed_does_not_keep_those_of_others(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos, stuck, other = Photos(tmp_path / "p", None), NewBatch("", "default"), NewBatch("", "default")
    for new in (stuck, other):
        photos.write(new.id, 0, DATA)
        Batches(database).add(new, [Entry("a", photo=True)])
        Batches(database).cancel(new.id)
    delete = photos.delete

    def refuse(batch_id: str, *positions: int) -> None:
        if batch_id == stuck.id:
            raise PermissionError
        delete(batch_id, *positions)

    monkeypatch.setattr(photos, "delete", refuse)
    for _ in range(2):
        with pytest.raises(PermissionError):
            purge(database, photos)
    assert photos.read(stuck.id, 0) == DATA and list((tmp_path / "p" / other.id).iterdir()) == []
    monkeypatch.undo()
    assert purge(database, photos) == 1


def test_photos_of_a_folder_that_is_away_are_not_said_to_be_removed(database: Database, tmp_path: Path) -> None:
    photos, new, folder = Photos(tmp_path / "p", None), NewBatch("", "default"), tmp_path / "p"
    photos.write(new.id, 0, DATA)
    Batches(database).add(new, [Entry("a", photo=True)])
    Batches(database).cancel(new.id)
    folder.rename(tmp_path / "away")
    with pytest.raises(OSError, match="not there"):
        purge(database, photos)
    (tmp_path / "away").rename(folder)
    assert purge(database, photos) == 1 and not list((folder / new.id).iterdir())


def test_purge_waits_until_the_retention_has_passed(
    database: Database, answers: list[Answer], clock: Clock, tmp_path: Path
) -> None:
    photos, new, claims = Photos(tmp_path / "p", None), NewBatch("", "sensitive"), Claims(database, 60)
    photos.write(new.id, 0, DATA)
    Batches(database).add(new, [Entry("tusk.jpg", photo=True)])
    claimed = claims.take()
    assert claimed is not None
    claims.finish(claimed, Outcome(answers[1], keep=3600))
    clock.moment += 3599
    assert purge(database, photos) == 0 and photos.read(new.id, 0) == DATA
    clock.moment += 2
    assert purge(database, photos) == 1 and list((tmp_path / "p" / new.id).iterdir()) == []


def test_what_was_under_way_when_its_batch_was_cancelled_is_purged_once_it_is_given_back(
    database: Database, tmp_path: Path
) -> None:
    photos, new, claims = Photos(tmp_path / "p", None), NewBatch("", "default"), Claims(database, 60)
    photos.write(new.id, 0, DATA)
    Batches(database).add(new, [Entry("tusk.jpg", photo=True)])
    claimed = claims.take()
    assert claimed is not None
    Batches(database).cancel(new.id)
    assert purge(database, photos) == 0 and photos.read(new.id, 0) == DATA
    claims.put_back(claimed, 0)
    cancelled.drop(database)
    assert purge(database, photos) == 1 and list((tmp_path / "p" / new.id).iterdir()) == []


def test_sweep_removes_uploads_that_never_became_a_batch(database: Database, tmp_path: Path) -> None:
    photos, new = Photos(tmp_path / "p", None), NewBatch("", "default")
    for identity in (new.id, BATCH, "1" * 32):
        photos.write(identity, 0, DATA)
    Batches(database).add(new, [Entry("a", photo=True)])
    past = time.time() - 100
    for identity in (new.id, BATCH):
        os.utime(tmp_path / "p" / identity, (past, past))
    sweeper = Sweeper(database, photos, 50)
    sweeper.look()
    assert len(list((tmp_path / "p").iterdir())) == 3, "not at the first look"
    sweeper.look()
    assert sorted(path.name for path in (tmp_path / "p").iterdir()) == sorted((new.id, "1" * 32))
