"""Which listing a file of a batch belongs to."""

from pathlib import PurePosixPath

from service.sanitise import storable
from service.store.tables import LISTING_LENGTH


def folder_listing(name: str) -> str | None:
    """The name of the folder that a file called ``name`` is in; None when it is in none."""
    folder = storable(PurePosixPath(name.replace("\\", "/")).parent.name)
    return folder[:LISTING_LENGTH] if folder else None
