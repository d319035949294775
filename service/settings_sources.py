"""Where settings are read from: the environment, and the TOML file that ``FAUNALENS_CONFIG`` names."""

import os
import re
from typing import Any

from pydantic_settings import EnvSettingsSource, TomlConfigSettingsSource

from service.errors import StartError

LIST = "docs/settings.md lists them all"
_QUOTED = re.compile(r"([\"']).*\1")


def named_file() -> str:
    """The file that ``FAUNALENS_CONFIG`` names; empty: none."""
    return os.environ.get("FAUNALENS_CONFIG", "").strip()


class Environment(EnvSettingsSource):
    """Variables, less what env files leave around their values."""

    def __call__(self) -> dict[str, Any]:
        return _clean(super().__call__())


class File(TomlConfigSettingsSource):
    """The TOML file. Raises :class:`StartError` for a key that is no setting, and for ``true`` and ``false``."""

    def __call__(self) -> dict[str, Any]:
        values = super().__call__()
        known = self.settings_cls.model_fields
        unknown = sorted(name for name in values if name.lower() not in known)
        if unknown:
            where = f"unknown settings in {named_file()}: {', '.join(unknown)}"
            raise StartError(f"{where} ({LIST}; here in lower case and without FAUNALENS_)")
        # for a number they would be 1 and 0: a cache of one picture, every photo in the random sample
        truths = sorted(name for name, value in values.items() if isinstance(value, bool))
        if truths:
            raise StartError(
                f'invalid settings: {", ".join(truths)} is true or false; a setting is a number or a text, as "on"'
            )
        return _clean(values)


def _clean(values: dict[str, Any]) -> dict[str, Any]:
    """What was written, less what env files leave around it, quotes and Windows' line ends, and less what is empty.

    An empty path would be the current folder, an empty host every address. Raises :class:`StartError` for quotes.
    """
    values = {name: value.strip() if isinstance(value, str) else value for name, value in values.items()}
    quoted = sorted(name for name, value in values.items() if isinstance(value, str) and _QUOTED.fullmatch(value))
    if quoted:
        raise StartError(
            f"invalid settings: the value of {', '.join(quoted)} is in quotes, which are part of it: remove them"
        )
    return {name: value for name, value in values.items() if value != ""}
