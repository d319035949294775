"""How commands say that they cannot go on: a sentence, and exit code 3."""

import contextlib
import sys
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


def stop(reason: str) -> NoReturn:
    """End the command with the reason and exit code 3."""
    click.echo(f"faunalens: {reason}", err=True)
    sys.exit(3)
