import asyncio
import logging
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from service.errors import ErrorCode, FaunalensError, StartError
from service.keys import access as module
from service.keys.access import Access
from service.keys.allowance import Allowances
from service.keys.key import Key, Scope, new_key
from service.keys.keystore import KeyStore

NOW = "2026-01-01T00:00:00+00:00"
DETECT = frozenset({Scope.DETECT})


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    made = KeyStore(tmp_path / "keys.db")
    made.create_file()
    return made


def add(store: KeyStore, *scopes: Scope, **limits: int) -> tuple[str, str]:
    text, key = new_key("x", frozenset(scopes), NOW, **limits)  # type: ignore[arg-type]
    store.add(key)
    return text, key.id


async def until(condition: Callable[[], object]) -> None:
    for _ in range(3000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("waited in vain")


def test_no_key_in_force_stops_the_start(store: KeyStore) -> None:
    with pytest.raises(StartError, match=r"no key in .* is in force"):
        Access(store.path)
    _, key_id = add(store, Scope.DETECT)
    assert len(Access(store.path).ring) == 1
    store.revoke(key_id, NOW)
    with pytest.raises(StartError, match="keys create"):
        Access(store.path)


def test_a_store_that_others_may_read_stops_the_start(store: KeyStore) -> None:
    add(store, Scope.DETECT)
    store.path.chmod(0o644)
    with pytest.raises(StartError, match="chmod 600"):
        Access(store.path)


def test_scopes(store: KeyStore, caplog: pytest.LogCaptureFixture) -> None:
    texts = {scope: add(store, scope)[0] for scope in Scope}
    access = Access(store.path)

    async def may(scope: Scope, *needed: Scope) -> bool:
        try:
            await access.allow(texts[scope], frozenset(needed))
        except FaunalensError as error:
            assert error.code is ErrorCode.FORBIDDEN and error.details == {"scopes": sorted(needed)}
            return False
        return True

    async def scene() -> None:
        for one in Scope:
            for other in Scope:
                assert await may(one, other) is (one is other)
            assert await may(one)
            assert await may(one, Scope.DETECT, Scope.REVIEW) is (one is not Scope.ADMIN)

    asyncio.run(scene())
    key_id = texts[Scope.REVIEW].split("_")[1]
    assert f"key {key_id}: refused, it has not the scope admin" in caplog.messages


def test_changes_are_noticed_usage_survives_and_damage_is_told_once(
    store: KeyStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.02)
    text, key_id = add(store, Scope.DETECT, quota=9)
    access = Access(store.path)

    def out_of_threads(*_: object) -> None:
        raise RuntimeError("no thread")

    async def scene() -> None:
        keeping = asyncio.create_task(access.keep())
        key = await access.allow(text, DETECT)
        access.allowances.take(key)
        await until(lambda: store.usage(access.allowances.day) == {key_id: 1})
        store.add_usage(access.allowances.day, {key_id: 3})
        await until(lambda: access.allowances.used(key_id) == 4)
        other, other_id = add(store, Scope.DETECT)
        await until(lambda: len(access.ring) == 2)
        assert (await access.allow(other, DETECT)).id == other_id
        store.revoke(other_id, NOW)
        await until(lambda: len(access.ring) == 1)
        good = store.path.read_bytes()
        store.path.write_bytes(b"noise" * 1000)
        access.allowances.take(key)
        await until(lambda: "keys stay as they were" in caplog.text)
        since = access.stale_seconds
        await until(lambda: access.stale_seconds > since)
        await asyncio.sleep(0.3)
        assert caplog.text.count("keys stay as they were") == 1
        assert (await access.allow(text, DETECT)).id == key_id
        store.path.write_bytes(good)
        access.allowances.take(key)
        with monkeypatch.context() as broken:
            caplog.clear()
            await until(lambda: access.stale_seconds == 0)
            broken.setattr(KeyStore, "add_usage", out_of_threads)
            access.allowances.take(key)
            await until(lambda: "no thread" in caplog.text)
        await until(lambda: access.stale_seconds == 0)
        keeping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await keeping

    with caplog.at_level(logging.ERROR, "faunalens"):
        asyncio.run(scene())
    # three of another process, and four: written before, during and after the damage; the stop writes last
    assert Access(store.path).allowances.used(key_id) == 7


def test_a_key_that_is_revoked_while_the_service_starts_is_refused_in_the_end(
    store: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.02)
    add(store, Scope.DETECT)
    _, key_id = add(store, Scope.DETECT)
    all_keys = KeyStore.all_keys

    def read_and_revoke(self: KeyStore) -> list[Key]:
        found = all_keys(self)
        store.revoke(key_id, NOW)
        return found

    with monkeypatch.context() as starting:
        starting.setattr(KeyStore, "all_keys", read_and_revoke)
        access = Access(store.path)
    assert len(access.ring) == 2

    async def scene() -> None:
        keeping = asyncio.create_task(access.keep())
        await until(lambda: len(access.ring) == 1)
        keeping.cancel()
        await asyncio.wait([keeping])

    asyncio.run(scene())


def test_a_process_that_was_idle_over_midnight_learns_what_others_used(
    store: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.02)
    text, key_id = add(store, Scope.DETECT, quota=4)
    access, moment = Access(store.path), [1_767_268_800.0]  # 2026-01-01 12:00 UTC
    access.allowances = Allowances(wall=lambda: moment[0])

    async def scene() -> None:
        moment[0] += 43_200
        store.add_usage("2026-01-02", {key_id: 4})
        keeping = asyncio.create_task(access.keep())
        await until(lambda: access.allowances.used(key_id) == 4)
        with pytest.raises(FaunalensError) as caught:
            access.allowances.take(await access.allow(text, DETECT))
        assert caught.value.code is ErrorCode.QUOTA_EXCEEDED
        keeping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await keeping

    asyncio.run(scene())


@pytest.fixture
def midnight(store: KeyStore, monkeypatch: pytest.MonkeyPatch) -> tuple[Access, str]:
    """Keys of which one took two pictures before midnight and one after it, not written yet; and its id."""
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.02)
    _, key_id = add(store, Scope.DETECT)
    access, moment = Access(store.path), [1_767_311_999.0]  # 2026-01-01 23:59:59 UTC
    access.allowances = Allowances(wall=lambda: moment[0])
    (key,) = store.all_keys()
    access.allowances.take_pictures(key, 2)
    moment[0] += 2
    access.allowances.take(key)
    return access, key_id


def test_a_day_that_cannot_be_written_at_first_is_written_once(
    midnight: tuple[Access, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (access, key_id), write, refused = midnight, KeyStore.add_usage, set[str]()

    def refuse_first(store: KeyStore, day: str, pictures: dict[str, int]) -> None:
        if day not in refused:
            refused.add(day)
            raise StartError("not now")
        write(store, day, pictures)

    monkeypatch.setattr(KeyStore, "add_usage", refuse_first)

    async def scene() -> None:
        keeping = asyncio.create_task(access.keep())
        await until(lambda: len(refused) == 2 and not access.stale_seconds)
        assert access.allowances.used(key_id) == 1
        keeping.cancel()
        await asyncio.wait([keeping])

    asyncio.run(scene())
    assert [access.store.usage(day) for day in ("2026-01-01", "2026-01-02")] == [{key_id: 2}, {key_id: 1}]


def test_a_stop_while_a_day_is_written_loses_neither_day(
    midnight: tuple[Access, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (access, key_id), write = midnight, KeyStore.add_usage
    writing, go_on = threading.Event(), threading.Event()

    def slow(store: KeyStore, day: str, pictures: dict[str, int]) -> None:
        writing.set()
        assert go_on.wait(30)
        write(store, day, pictures)

    monkeypatch.setattr(KeyStore, "add_usage", slow)

    async def scene() -> None:
        keeping = asyncio.create_task(access.keep())
        assert await asyncio.to_thread(writing.wait, 30)
        keeping.cancel()
        await asyncio.sleep(0)
        go_on.set()
        await asyncio.wait([keeping])
        assert keeping.cancelled()

    asyncio.run(scene())
    assert [access.store.usage(day) for day in ("2026-01-01", "2026-01-02")] == [{key_id: 2}, {key_id: 1}]


def test_a_store_that_can_be_read_and_not_written_is_told_as_long_as_it_lasts(
    midnight: tuple[Access, str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (access, _), tries = midnight, list[str]()

    def refuse(_: KeyStore, day: str, __: dict[str, int]) -> None:
        tries.append(day)
        raise StartError("read-only")

    monkeypatch.setattr(KeyStore, "add_usage", refuse)

    async def scene() -> None:
        keeping = asyncio.create_task(access.keep())
        seen = [0.0]
        while len(tries) < 12:
            await asyncio.sleep(0.005)
            seen.append(access.stale_seconds)
        assert seen == sorted(seen) and seen[-1] > 0
        keeping.cancel()
        await asyncio.wait([keeping])

    asyncio.run(asyncio.wait_for(scene(), 30))
    assert caplog.text.count("keys stay as they were") == 1
