"""How commands open the store."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from service.commands.stopping import stopping, tidying
from service.errors import StartError
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
    """The store; what goes wrong with it is told and ends the command with 3. See :func:`.tidying` too."""
    with stopping(), tidying():
        from service.store.database import FILE, open_database
        from service.store.photos import open_photos

        settings = load_settings()
        # a folder alone may be a volume that is not mounted: a new database there would say that all is well
        if settings.database_url is None and not (settings.store / FILE).is_file():
            raise StartError(f"there is no store at {settings.store.absolute()}; FAUNALENS_STORE says where")
        database = open_database(settings.database_url, settings.store)
        try:
            yield Store(settings, database, open_photos(settings))
        finally:
            database.close()
