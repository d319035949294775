"""How commands read the store, and how they say that they cannot go on."""

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import click

from service.errors import FaunalensError, StartError, how_to_get
from service.settings import Settings, load_settings

if TYPE_CHECKING:
    from service.store.database import Database
    from service.store.photos import Photos


@dataclass(frozen=True, slots=True)
class Store:
    """The store that the settings name, open."""

    settings: Settings
    database: "Database"
    photos: "Photos"


@contextlib.contextmanager
def opened_store() -> Iterator[Store]:
    """The store; what goes wrong with it is told and ends the command with 3."""
    with stopping():
        from service.store.database import FILE, open_database
        from service.store.photos import open_photos

        settings = load_settings()
        url = settings.database.get_secret_value() if settings.database else None
        # a folder alone may be a volume that is not mounted: a new database there would say that all is well
        if url is None and not (settings.store / FILE).is_file():
            raise StartError(f"there is no store at {settings.store}")
        database = open_database(url, settings.store)
        try:
            yield Store(settings, database, open_photos(settings))
        finally:
            database.close()


@contextlib.contextmanager
def stopping() -> Iterator[None]:
    """What keeps a command from its work, such as a missing extra ``review``, ends it as :func:`stop` does."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "service":
            raise
        stop(f"{error.name} is not installed: {how_to_get('review')}")
    except (StartError, FaunalensError) as error:
        stop(str(error))
    except OSError as error:
        stop(f"{error.filename or 'the store'} cannot be used: {error.strerror}")


def stop(reason: str) -> NoReturn:
    """End the command with the reason and exit code 3."""
    click.echo(f"faunalens: {reason}", err=True)
    sys.exit(3)
