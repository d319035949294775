import asyncio
import dataclasses
from collections.abc import Awaitable

import pytest

from service.errors import ErrorCode, FaunalensError
from service.keys.key import Key, Scope, new_key
from service.keys.keyring import Keyring
from tests.service.keys.test_key import Timed

NOW = "2026-01-01T00:00:00+00:00"
TEXT, KEY = new_key("pipeline", frozenset({Scope.DETECT}), NOW)
WRONG = TEXT[:-1] + ("A" if TEXT[-1] != "A" else "B")


@pytest.fixture
def tries(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every secret that was hashed slowly."""
    seen: list[str] = []
    matches = Key.matches

    def counted(self: Key, secret: str) -> bool:
        seen.append(secret)
        return matches(self, secret)

    monkeypatch.setattr(Key, "matches", counted)
    return seen


async def code(work: Awaitable[Key]) -> ErrorCode | None:
    try:
        await work
    except FaunalensError as error:
        return error.code
    return None


def test_slow_once_then_known(tries: list[str]) -> None:
    async def scene() -> None:
        ring = Keyring([KEY])
        assert await asyncio.gather(*(ring.identify(TEXT) for _ in range(5))) == [KEY] * 5
        assert len(tries) == 1
        for wrong in (WRONG, "", "fl_x", TEXT.replace(KEY.id, "0" * 12)):
            assert await code(ring.identify(wrong)) is ErrorCode.UNAUTHENTICATED
        assert len(tries) == 1

    asyncio.run(scene())


def test_a_wrong_secret_first_does_not_spoil_the_right_one(tries: list[str]) -> None:
    async def scene() -> None:
        ring = Keyring([KEY])
        assert await code(ring.identify(WRONG)) is ErrorCode.UNAUTHENTICATED
        assert await ring.identify(TEXT) is KEY
        assert await code(ring.identify(WRONG)) is ErrorCode.UNAUTHENTICATED
        assert len(tries) == 2

    asyncio.run(scene())


def test_guesses_cannot_take_the_processor(tries: list[str]) -> None:
    async def scene() -> None:
        ring = Keyring([KEY])
        codes = await asyncio.gather(*(code(ring.identify(WRONG)) for _ in range(40)))
        assert codes.count(ErrorCode.UNAUTHENTICATED) == len(tries) == 17
        assert codes.count(ErrorCode.OVERLOADED) == 23
        assert await ring.identify(TEXT) is KEY

    asyncio.run(scene())


def test_guesses_at_one_key_do_not_keep_out_another() -> None:
    async def scene() -> None:
        text, other = new_key("other", frozenset({Scope.DETECT}), NOW)
        ring = Keyring([KEY, other])
        guesses = [asyncio.create_task(code(ring.identify(WRONG))) for _ in range(40)]
        await asyncio.sleep(0)
        assert await ring.identify(text) is other
        assert ErrorCode.OVERLOADED in await asyncio.gather(*guesses)

    asyncio.run(scene())


def test_revoked_and_replaced_keys_are_forgotten(tries: list[str]) -> None:
    async def scene() -> None:
        ring = Keyring([KEY])
        await ring.identify(TEXT)
        ring.replace([KEY, new_key("other", frozenset({Scope.ADMIN}), NOW)[1]])
        assert len(ring) == 2 and await ring.identify(TEXT) is KEY and len(tries) == 1
        ring.replace([Key(KEY.id, KEY.name, KEY.scopes, KEY.salt, KEY.hash, KEY.created, revoked=NOW)])
        assert len(ring) == 0 and await code(ring.identify(TEXT)) is ErrorCode.UNAUTHENTICATED

    asyncio.run(scene())


def test_a_key_revoked_while_it_is_tried_is_not_remembered() -> None:
    async def scene() -> None:
        ring = Keyring([KEY])
        trying = asyncio.create_task(code(ring.identify(TEXT)))
        await asyncio.sleep(0)
        ring.replace([])
        await trying
        assert await code(ring.identify(TEXT)) is ErrorCode.UNAUTHENTICATED

    asyncio.run(scene())


def test_a_file_read_again_meanwhile_forgets_nothing(tries: list[str]) -> None:
    async def scene() -> None:
        ring = Keyring([KEY])
        waiting = asyncio.create_task(ring.identify(TEXT))
        await asyncio.sleep(0)
        ring.replace([dataclasses.replace(KEY)])
        assert await waiting == KEY
        assert ring.known(TEXT) == KEY and await ring.identify(TEXT) == KEY
        assert len(tries) == 1

    asyncio.run(scene())


def test_wrong_secrets_are_logged_by_id_only(caplog: pytest.LogCaptureFixture) -> None:
    asyncio.run(code(Keyring([KEY]).identify(WRONG)))
    assert KEY.id in caplog.text and WRONG[-43:] not in caplog.text


def test_known_secrets_are_compared_in_constant_time() -> None:
    async def scene() -> None:
        ring = Keyring([KEY])
        await ring.identify(TEXT)
        ring._known[KEY.id] = Timed(ring._known[KEY.id])
        assert await ring.identify(TEXT) == KEY == ring.known(TEXT)
        assert await code(ring.identify(WRONG)) is ErrorCode.UNAUTHENTICATED and ring.known(WRONG) is None

    asyncio.run(scene())
