"""What a bulk run is given, as files and entries: archives and object stores are read as streams."""

from collections.abc import Callable, Iterable, Iterator

from service.scanning import objects
from service.scanning.archives import opener
from service.scanning.entries import Entry, LeftOut, unreadable


def expand(
    files: Iterable[str], wanted: Callable[[str], bool], max_bytes: int, left_out: LeftOut
) -> Iterator[str | Entry]:
    """``files`` with archives and addresses in object stores replaced by their entries, as far as ``wanted`` by name.

    What is no picture is counted in ``left_out``. What cannot be read becomes an entry with the reason. Raises what
    :func:`service.scanning.objects.entries` does.
    """
    for file in files:
        archive = opener(file, wanted, max_bytes, left_out)
        if objects.is_address(file):
            yield from objects.entries(file, wanted, max_bytes, archive, left_out)
        elif not wanted(file):
            continue
        elif reason := objects.unread_scheme(file):
            yield Entry(file, unreadable(ValueError(reason)))
        elif archive is None:
            yield file
        else:
            try:
                stream = open(file, "rb")  # noqa: SIM115
            except (OSError, ValueError) as error:
                yield Entry(file, unreadable(error))
            else:
                yield from archive(file, stream)
