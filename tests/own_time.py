"""An event loop's own time: it passes at once, and only while the loop is idle, so that no stall ends a wait."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest


def own_time(monkeypatch: pytest.MonkeyPatch) -> Callable[[], float]:
    """Give the running loop such a time; returns its clock, in seconds. For what waits for timers alone."""
    loop: Any = asyncio.get_running_loop()
    moment, select = loop.time(), loop._selector.select

    def jump(seconds: float | None) -> list[Any]:
        nonlocal moment
        found: list[Any] = select(seconds and 0)
        if not found:
            moment += seconds or 0
        return found

    def clock() -> float:
        return float(moment)

    monkeypatch.setattr(loop._selector, "select", jump)
    monkeypatch.setattr(loop, "time", clock)
    return clock
