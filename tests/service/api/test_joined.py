import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from service.api.joined import Joined


class Wire(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.7", 5)})
        self.told: list[str] = []
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: Any) -> None:
        assert not self.closed
        self.writes.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.told.append("pause")

    def resume_reading(self) -> None:
        self.told.append("resume")

    def close(self) -> None:
        self.closed = True

    abort = close


def played(scene: Callable[[Joined, Wire], Awaitable[None]]) -> list[bytes]:
    wire = Wire()

    async def play() -> None:
        await scene(Joined(wire, asyncio.get_running_loop()), wire)
        await asyncio.sleep(0)

    asyncio.run(play())
    return wire.writes


def test_head_and_body_go_together() -> None:
    async def scene(joined: Joined, _: Wire) -> None:
        joined.write(b"head ")
        joined.write(b"body")

    assert played(scene) == [b"head body"]


def test_a_head_whose_body_comes_later_does_not_wait_for_it() -> None:
    async def scene(joined: Joined, wire: Wire) -> None:
        joined.write(b"head ")
        joined.write(b"")
        await asyncio.sleep(0)
        assert wire.writes == [b"head "]
        for part in (b"1", b"2", b"3"):
            joined.write(part)

    assert played(scene) == [b"head ", b"12", b"3"]


def test_nothing_is_lost_on_close_and_nothing_sent_after_an_abort() -> None:
    async def close(joined: Joined, _: Wire) -> None:
        joined.write(b"last words")
        joined.close()

    async def abort(joined: Joined, _: Wire) -> None:
        joined.write(b"unheard")
        joined.abort()

    async def lost(joined: Joined, wire: Wire) -> None:
        joined.write(b"unheard")
        wire.closed = True

    assert played(close) == [b"last words"]
    assert played(abort) == [] and played(lost) == []


def test_all_else_is_passed_on() -> None:
    async def scene(joined: Joined, wire: Wire) -> None:
        assert joined.get_extra_info("peername") == ("192.0.2.7", 5) and joined.get_extra_info("socket", 0) == 0
        joined.pause_reading()
        joined.resume_reading()
        assert wire.told == ["pause", "resume"] and not joined.is_closing()
        joined.close()
        assert wire.closed and joined.is_closing()

    async def aborted(joined: Joined, wire: Wire) -> None:
        joined.abort()
        assert wire.closed

    assert played(scene) == played(aborted) == []
