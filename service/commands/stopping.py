"""How commands say that they cannot go on: a sentence, and exit code 3."""

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from typing import NoReturn

import click

from service.errors import FaunalensError, StartError, how_to_get, told


@contextlib.contextmanager
def stopping() -> Iterator[None]:
    """What keeps a command from its work, such as a missing extra ``review``, ends it as :func:`stop` does."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "service":
            raise
        stop(f"{error.name} is not installed: {how_to_get('review')}")
    except StartError as error:
        stop(str(error))
    except FaunalensError as error:
        stop(told(error))
    except OSError as error:
        stop(f"{error.filename or 'the store'} cannot be used: {error.strerror}")


@contextlib.contextmanager
def tidying() -> Iterator[None]:
    """SIGTERM and SIGHUP end a command with 128 and their number, and what it has begun is removed first, as after
    Ctrl-C: it may be photos. One that the caller has ignored, as ``nohup`` does, stays so."""

    def end(number: int, _: object) -> NoReturn:
        for one in taken:
            # a second one must not end the removal
            signal.signal(one, signal.SIG_IGN)
        sys.exit(128 + number)

    taken = list[signal.Signals]()
    if threading.current_thread() is threading.main_thread():
        taken = [one for one in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(one) is signal.SIG_DFL]
    for one in taken:
        signal.signal(one, end)
    try:
        yield
    finally:
        for one in taken:
            signal.signal(one, signal.SIG_DFL)


def stop(reason: str) -> NoReturn:
    """End the command with the reason and exit code 3."""
    click.echo(f"faunalens: {reason}", err=True)
    sys.exit(3)
