"""Text that somebody else chose, where programs take some texts for more than that, or for none."""

_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def harmless(text: str) -> str:
    """For a cell of CSV: no spreadsheet takes it for a formula."""
    return f"'{text}" if text.startswith(_FORMULAS) else text


def encodable(text: str) -> str:
    """For a record: bytes of a file's name that are no UTF-8 become escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def visible(text: str) -> str:
    """For a terminal: what it would act on, or not show, becomes U+FFFD."""
    return "".join(one if one.isprintable() else "\ufffd" for one in text)


def storable(text: str) -> str:
    """For a database: control characters and lone surrogates, which one or the other cannot keep, become U+FFFD."""
    return "".join("\ufffd" if ord(c) < 32 or ord(c) == 127 or 0xD800 <= ord(c) < 0xE000 else c for c in text)
