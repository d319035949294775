"""Which names mean one object, where some are known to belong together."""

from collections.abc import Iterable


def joined(names: Iterable[Iterable[str]]) -> dict[str, str]:
    """For every name the smallest of those it is joined with, directly or over others."""
    above: dict[str, str] = {}

    def of(name: str) -> str:
        while above.setdefault(name, name) != name:
            name = above[name]
        return name

    for some in names:
        first, *others = sorted({of(name) for name in some})
        above.update(dict.fromkeys(others, first))
    return {name: of(name) for name in list(above)}
