"""Photos seen before, on SQLite and PostgreSQL."""

import io

import pytest
from PIL import Image, ImageOps

from service.detector import Detector
from service.errors import ErrorCode, FaunalensError
from service.fingerprint import NEAR, fingerprints
from service.store.batches import Batches, Entry, NewBatch
from service.store.claims import Claims
from service.store.database import Database
from service.store.decisions import Decisions, Moderator
from service.store.kinds import Kind
from service.store.likenesses import likenesses
from service.store.outcomes import Outcome
from tests.conftest import SAMPLES


def test_copies_come_with_what_was_decided(database: Database, detector: Detector) -> None:
    tusk = (SAMPLES / "tusk-single.jpg").read_bytes()
    pictures = {"tusk.jpg": tusk, "again.jpg": tusk, "mirrored.jpg": _changed(tusk, mirror=True),
                "small.jpg": _changed(tusk), "tusks.jpg": (SAMPLES / "tusks.jpg").read_bytes()}  # fmt: skip
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
    assert likenesses(database, ids["tusks.jpg"], 10) == []
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


def test_an_old_decision_is_told_however_many_copies_came_since(
    database: Database, detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = detector.decode((SAMPLES / "tusk-single.jpg").read_bytes())
    answer, hashes = detector.answer(picture, "b", detector.policy("sensitive")), fingerprints(picture.pixels)
    Batches(database).add(NewBatch("", "sensitive", "uploads"), [Entry(f"{number}.jpg") for number in range(30)])
    claims, ids = Claims(database, 60), []
    while claimed := claims.take():
        # the whole of number 7 differs in three bits, and its parts are not known; number 8 is of one colour
        own = {7: (hashes[0] ^ 0b111,), 8: ()}.get(claimed.position, hashes)
        claims.finish(claimed, Outcome(answer, fingerprints=own))
        ids.append(claimed.id)
    Decisions(database).decide(ids[0], Moderator("a"), Kind.REJECT)
    assert [one.item for one in likenesses(database, ids[20], 4)] == [ids[0], *ids[:-4:-1]]
    everything, nearer = (
        likenesses(database, ids[20], 50),
        (item for item in ids[:0:-1] if item not in (ids[20], ids[7], ids[8])),
    )
    assert [one.item for one in everything] == [ids[0], *nearer, ids[7]]
    assert [one.distance for one in everything] == [0] * 27 + [3]
    assert likenesses(database, ids[8], 50) == []
    monkeypatch.setattr("service.store.likenesses._MOST_HASHES", len(hashes))
    assert ids[7] not in {one.item for one in likenesses(database, ids[20], 50)}, "the nearest hashes are looked at"


def _changed(data: bytes, mirror: bool = False) -> bytes:
    picture, buffer = Image.open(io.BytesIO(data)), io.BytesIO()
    (ImageOps.mirror(picture) if mirror else picture.resize((240, 180))).save(buffer, "JPEG", quality=60)
    return buffer.getvalue()
