"""Removal of photos beside decisions that are made in the same instant."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from service.answer import Answer
from service.errors import ErrorCode, FaunalensError
from service.store.batches import Batches, Entry, NewBatch
from service.store.claims import Claims
from service.store.database import Database, _told
from service.store.decisions import Decisions, Moderator
from service.store.kinds import Kind
from service.store.outcomes import Outcome
from service.store.photos import Photos
from service.store.purge import Sweeper, purge
from service.store.reviews import ReviewItem, Reviews
from tests.service.store.conftest import Clock

DATA = b"\xff\xd8 a photo " * 50
RETENTION, EVIDENCE = 3600, 7200


def judged(database: Database, photos: Photos, answer: Answer, keep: float) -> ReviewItem:
    """A photo with a finding, kept for ``keep`` seconds."""
    new, claims = NewBatch("", "sensitive"), Claims(database, 60)
    photos.write(new.id, 0, DATA)
    Batches(database).add(new, [Entry("tusk.jpg", photo=True)])
    claimed = claims.take()
    assert claimed is not None
    claims.finish(claimed, Outcome(answer, keep=keep))
    return Reviews(database, 60).one(claimed.id)


def confirm(database: Database, item_id: int) -> None:
    Decisions(database, keep=EVIDENCE).decide(item_id, Moderator("a"), Kind.CONFIRM)


def test_what_is_confirmed_before_its_photo_is_removed_keeps_it(
    database: Database, answers: list[Answer], clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The decision falls between the look for photos to remove and the first step of removing them."""
    photos = Photos(tmp_path / "p", None)
    item = judged(database, photos, answers[0], RETENTION)
    clock.moment += RETENTION + 1
    writing = database.writing

    @contextmanager
    def late() -> Iterator[Session]:
        monkeypatch.setattr(database, "writing", writing)
        confirm(database, item.id)
        with writing() as session:
            yield session

    moment = clock.moment
    monkeypatch.setattr(database, "writing", late)
    assert purge(database, photos) == 0 and photos.read(item.result.batch_id, 0) == DATA
    kept = Reviews(database, 60).one(item.id)
    assert kept.photo and kept.purge_at == pytest.approx(moment + EVIDENCE, rel=0, abs=1)


def test_nobody_is_told_that_a_photo_is_kept_whose_removal_has_begun(
    database: Database, answers: list[Answer], clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = Photos(tmp_path / "p", None)
    item = judged(database, photos, answers[0], RETENTION)
    clock.moment += RETENTION + 1
    delete = photos.delete

    def slow(batch_id: str, *positions: int) -> None:
        confirm(database, item.id)
        delete(batch_id, *positions)

    monkeypatch.setattr(photos, "delete", slow)
    assert purge(database, photos) == 1
    gone = Reviews(database, 60).one(item.id)
    assert (gone.state, gone.photo) == ("decided", False) and gone.purge_at == pytest.approx(clock.moment, rel=0, abs=1)


def test_a_removal_that_was_killed_is_done_again_whatever_is_decided_meanwhile(
    database: Database, answers: list[Answer], clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = Photos(tmp_path / "p", None)
    item = judged(database, photos, answers[0], RETENTION)
    clock.moment += RETENTION + 1

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(photos, "delete", killed)
        with pytest.raises(KeyboardInterrupt):
            purge(database, photos)
    confirm(database, item.id)
    assert purge(database, photos) == 1 and purge(database, photos) == 0
    with pytest.raises(FaunalensError) as caught:
        photos.read(item.result.batch_id, 0)
    assert caught.value.code is ErrorCode.PHOTO_UNAVAILABLE


def test_without_retention_a_photo_is_not_said_to_be_kept_as_evidence(
    database: Database, answers: list[Answer], tmp_path: Path
) -> None:
    """It is removed as soon as it is judged; the rows are told within seconds."""
    photos = Photos(tmp_path / "p", None)
    item = judged(database, photos, answers[0], 0)
    confirm(database, item.id)
    assert purge(database, photos) == 1 and not Reviews(database, 60).one(item.id).photo


def test_a_photo_that_is_fetched_while_folders_are_swept_is_kept(
    database: Database, answers: list[Answer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch of addresses that works for longer than its first photos were kept has an old, empty folder."""
    photos, new, claims = Photos(tmp_path / "p", None), NewBatch("", "sensitive"), Claims(database, 60)
    Batches(database).add(new, [Entry("tusk.jpg", url="https://pictures.faunalens.test/tusk.jpg")])
    (tmp_path / "p" / new.id).mkdir()
    claimed, older = claims.take(), photos.older_than
    assert claimed is not None

    def beside_the_runner(seconds: float) -> list[str]:
        found = older(seconds)
        photos.write(new.id, 0, DATA)
        return found

    sweeper = Sweeper(database, photos, -1)
    sweeper.look()
    monkeypatch.setattr(photos, "older_than", beside_the_runner)
    sweeper.look()
    claims.finish(claimed, Outcome(answers[0], keep=RETENTION, stored=True))
    assert photos.read(new.id, 0) == DATA


def test_what_is_kept_longer_anyway_is_not_kept_shorter_for_being_confirmed(
    database: Database, answers: list[Answer], tmp_path: Path
) -> None:
    item = judged(database, Photos(tmp_path / "p", None), answers[0], EVIDENCE + RETENTION)
    confirm(database, item.id)
    assert Reviews(database, 60).one(item.id).purge_at == item.purge_at


def test_photos_that_are_kept_are_not_swept_and_what_is_left_of_others_is(
    database: Database, answers: list[Answer], tmp_path: Path
) -> None:
    photos = Photos(tmp_path / "p", None)
    kept, gone = (judged(database, photos, answers[0], keep).result.batch_id for keep in (RETENTION, 0))
    assert purge(database, photos) == 1
    (tmp_path / "p" / gone).mkdir(exist_ok=True)
    sweeper = Sweeper(database, photos, -1)
    for _ in range(3):
        sweeper.look()
    assert photos.read(kept, 0) == DATA and [path.name for path in (tmp_path / "p").iterdir()] == [kept]


def test_the_first_photos_of_an_upload_outlive_a_clock_that_is_put_forward(
    database: Database, clock: Clock, tmp_path: Path
) -> None:
    """Its client sends the next one after some minutes. Put back and right again, the clock is put forward as well."""
    photos, coming, stray = Photos(tmp_path / "p", None), "c" * 32, "5" * 32
    sweeper = Sweeper(database, photos, 3600)
    photos.write(stray, 0, DATA)
    clock.moment -= 7200
    sweeper.look()
    os.utime(tmp_path / "p" / stray, (clock.moment - 7200, clock.moment - 7200))
    photos.write(coming, 0, DATA)
    os.utime(tmp_path / "p" / coming, (clock.moment, clock.moment))
    for _ in range(4):
        clock.moment += 3700
        for _ in range(3):
            sweeper.look()
    assert photos.read(coming, 0) == DATA
    with pytest.raises(FaunalensError):
        photos.read(stray, 0)


@pytest.mark.parametrize("full", [True, False])
def test_a_full_disk_is_no_reason_to_keep_photos_but_a_database_that_is_away_is(
    full: bool, database: Database, answers: list[Answer], clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no room to mark them; what is removed makes it."""
    photos = Photos(tmp_path / "p", None)
    item = judged(database, photos, answers[0], RETENTION)
    clock.moment += RETENTION + 1
    writing, said = database.writing, sqlite3.OperationalError("database or disk is full" if full else "away")
    said.sqlite_errorcode = sqlite3.SQLITE_FULL if full else sqlite3.SQLITE_CANTOPEN

    @contextmanager
    def without_room() -> Iterator[Session]:
        with writing() as session:
            yield session
            monkeypatch.setattr(database, "writing", writing)
            with _told():
                raise OperationalError("UPDATE", None, said)

    monkeypatch.setattr(database, "writing", without_room)
    if full:
        assert purge(database, photos) == 1 and not Reviews(database, 60).one(item.id).photo
        return
    with pytest.raises(FaunalensError):
        purge(database, photos)
    assert photos.read(item.result.batch_id, 0) == DATA and Reviews(database, 60).one(item.id).photo
