import os
import threading
from collections.abc import Callable

import pytest

from service.runtime.own_core import OwnCore

CORES = os.sched_getaffinity(0)


def in_thread(work: Callable[[], None]) -> set[int]:
    """The cores that a new thread may use once it has done ``work``."""
    seen: list[set[int]] = []
    thread = threading.Thread(target=lambda: (work(), seen.append(os.sched_getaffinity(0))))
    thread.start()
    thread.join()
    return seen[0]


def test_each_thread_has_its_own_core() -> None:
    cores = [OwnCore(number, len(CORES)) for number in range(len(CORES))]
    bound = [in_thread(lambda core=core: core.bind(True)) for core in cores]  # type: ignore[misc]
    assert bound == [{core} for core in sorted(CORES)]
    assert os.sched_getaffinity(0) == CORES


def test_a_thread_is_let_go_again() -> None:
    core = OwnCore(0, len(CORES))
    assert in_thread(lambda: (core.bind(True), core.bind(True), core.bind(False))) == CORES  # type: ignore[func-returns-value]


def test_fewer_or_more_threads_than_cores_are_not_bound() -> None:
    for threads in (len(CORES) - 1, len(CORES) + 1):
        assert in_thread(lambda threads=threads: OwnCore(0, threads).bind(True)) == CORES  # type: ignore[misc]


def test_a_core_that_was_taken_away_binds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(os, "sched_getaffinity", lambda _: {100_000})
        core = OwnCore(0, 1)
    assert in_thread(lambda: core.bind(True)) == CORES
