"""Photos seen before, on SQLite and PostgreSQL."""

import io

import pytest
from PIL import Image, ImageOps

from service.detector import Detector
from service.errors import ErrorCode, FaunalensError
from service.fingerprint import NEAR, fingerprints
from service.store.batches import Batches, Entry, NewBatch
from service.store.claims import Claims, Outcome
from service.store.database import Database
from service.store.decisions import Decisions, Kind, Moderator
from service.store.likenesses import likenesses
from tests.conftest import SAMPLES


def test_copies_come_with_what_was_decided(database: Database, detector: Detector) -> None:
    tusk = (SAMPLES / "tusk-single.jpg").read_bytes()
    pictures = {"tusk.jpg": tusk, "again.jpg": tusk, "mirrored.jpg": _changed(tusk, mirror=True),
                "small.jpg": _changed(tusk), "almonds.jpg": (SAMPLES / "almonds.jpg").read_bytes()}  # fmt: skip
    Batches(database).add(NewBatch("", "sensitive", "uploads"), [Entry(name, "L-1") for name in pictures])
    claims, ids = Claims(database, 60), {}
    while claimed := claims.take():
        picture = detector.decode(pictures[claimed.name])
        answer = detector.answer(picture, "b", detector.policy("sensitive"))
        claims.finish(claimed, Outcome(answer, fingerprints=fingerprints(picture.pixels)))
        ids[claimed.name] = claimed.id
    log = Decisions(database)
    log.decide(ids["small.jpg"], Moderator("a"), Kind.CONFIRM, "ivory")
    found = likenesses(database, ids["tusk.jpg"], 10)
    assert [one.name for one in found] == ["small.jpg", "again.jpg", "mirrored.jpg"]
    assert '"confirm"' in (found[0].entry or "") and found[1].entry is None and found[0].state == "decided"
    assert [(one.identical, one.mirrored) for one in found] == [(False, False), (True, False), (False, True)]
    assert likenesses(database, ids["tusk.jpg"], 1) == found[:1]
    assert likenesses(database, ids["almonds.jpg"], 10) == []
    with pytest.raises(FaunalensError) as caught:
        likenesses(database, 999_999, 10)
    assert caught.value.code is ErrorCode.UNKNOWN_ITEM


@pytest.mark.parametrize("border", [0, 12])
def test_cropped_and_framed_copies_are_found(database: Database, detector: Detector, border: int) -> None:
    data = (SAMPLES / "tusk-single.jpg").read_bytes()
    picture, buffer = Image.open(io.BytesIO(data)), io.BytesIO()
    wide, high = picture.width // 20, picture.height // 20
    copy = ImageOps.expand(picture, border, "white") if border else picture.crop(
        (wide, high, picture.width - wide, picture.height - high)
    )  # fmt: skip
    copy.save(buffer, "JPEG", quality=80)
    Batches(database).add(NewBatch("", "sensitive", "uploads"), [Entry("photo.jpg"), Entry("copy.jpg")])
    claims, ids = Claims(database, 60), {}
    while claimed := claims.take():
        seen = detector.decode(data if claimed.name == "photo.jpg" else buffer.getvalue())
        # the answer is that of the photo, so that both are in the queue
        answer = detector.answer(detector.decode(data), "b", detector.policy("sensitive"))
        claims.finish(claimed, Outcome(answer, fingerprints=fingerprints(seen.pixels)))
        ids[claimed.name] = claimed.id
    (found,) = likenesses(database, ids["photo.jpg"], 10)
    assert (found.item, found.mirrored) == (ids["copy.jpg"], False) and found.distance <= NEAR
    (back,) = likenesses(database, ids["copy.jpg"], 10)
    assert (back.item, back.distance) == (ids["photo.jpg"], found.distance)


def _changed(data: bytes, mirror: bool = False) -> bytes:
    picture, buffer = Image.open(io.BytesIO(data)), io.BytesIO()
    (ImageOps.mirror(picture) if mirror else picture.resize((240, 180))).save(buffer, "JPEG", quality=60)
    return buffer.getvalue()
