"""Text that somebody else chose, where programs take some texts for more than that, or for none."""

from typing import overload

# OWASP, CSV injection: full-width ones too, which some settings of spreadsheets take for the narrow ones
_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def harmless(text: str) -> str:
    """For a cell of CSV: no spreadsheet takes it for a formula."""
    return f"'{text}" if text.startswith(_FORMULAS) else text


def encodable(text: str) -> str:
    """For a record: bytes of a file's name that are no UTF-8 become escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def visible(text: str) -> str:
    """For a terminal: what it would act on, or not show, becomes U+FFFD."""
    return "".join(one if one.isprintable() else "\ufffd" for one in text)


@overload
def storable(text: str) -> str: ...
@overload
def storable(text: None) -> None: ...
def storable(text: str | None) -> str | None:
    """For a database: control characters and lone surrogates, which one or the other cannot keep, become U+FFFD."""
    if text is None:
        return None
    return "".join("\ufffd" if ord(c) < 32 or ord(c) == 127 or 0xD800 <= ord(c) < 0xE000 else c for c in text)
