"""Rendering many scenes at once: worker processes of their own, because Blender holds one scene a process."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from training.scenes.backgrounds import Background
from training.scenes.kinds import KINDS
from training.scenes.record import names
from training.scenes.render import Settings

PER_WORKER = 200
"""Pictures a worker makes, on average, before all are replaced, so that memory that Blender keeps stays small."""


@dataclass(frozen=True)
class Task:
    """One picture to be made: kind by name, seed, the photo behind it if any, and the variant if not by chance."""

    kind: str
    seed: int
    background: Background | None = None
    variant: str | None = None


Worker = Callable[[Task, Path, Settings], str]
"""Makes a task's picture and mask in a folder and returns the variant shown."""


def render(task: Task, out: Path, settings: Settings) -> str:
    """Make the picture and the mask of `task` in `out`; returns the variant shown."""
    from training.scenes.scene import make

    picture, mask = names(task.kind, task.seed)
    kind = KINDS[task.kind]
    return make(kind, task.seed, out / picture, settings, out / mask, task.variant, background=task.background)


def _quiet() -> None:
    """Blender reports every render on standard output, from C: send that away."""
    sys.stdout.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


def run(
    tasks: list[Task], out: Path, settings: Settings, jobs: int, worker: Worker = render
) -> Iterator[tuple[Task, str | Exception]]:
    """Make all `tasks` with `jobs` processes; gives each as it ends, with the variant shown or what went wrong.

    A worker that dies takes its pool with it. What it may have been at is made by a process of its own each, which
    gives BrokenProcessPool where that dies too; the others go on in a new pool.
    """
    while tasks:
        some, tasks = tasks[: PER_WORKER * jobs], tasks[PER_WORKER * jobs :]
        lost = set()
        for task, shown in _run_pool(some, out, settings, jobs, worker):
            if isinstance(shown, BrokenProcessPool):
                lost.add(task)
            else:
                yield task, shown
        again = [task for task in some if task in lost]
        for task in again[:jobs]:
            yield from _run_pool([task], out, settings, 1, worker)
        tasks = again[jobs:] + tasks


def _run_pool(
    tasks: list[Task], out: Path, settings: Settings, jobs: int, worker: Worker
) -> Iterator[tuple[Task, str | Exception]]:
    # not `max_tasks_per_child`: up to Python 3.14 it hangs (https://github.com/python/cpython/issues/115634)
    pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_quiet)
    try:
        waiting: dict[Future[str], Task] = {pool.submit(worker, task, out, settings): task for task in tasks}
        for done in as_completed(waiting):
            fault = done.exception()
            if fault is not None and not isinstance(fault, Exception):
                raise fault
            yield waiting[done], fault if fault is not None else done.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
