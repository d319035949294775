"""Where a picture may be fetched from: https, a host on the allow-list, port 443, nothing else in the URL."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import urljoin, urlsplit

from service.errors import ErrorCode, FaunalensError

PORT = 443
_MAX_LENGTH = 2048
_CHARACTERS = re.compile(r"[!#-;=?-\[\]_a-z~]+")  # printable ASCII without space " < > \ ^ ` { | }
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
# the last label begins with a letter, so that no number, short or octal IPv4 form passes for a name
_HOST = re.compile(rf"(?:{_LABEL}\.)+[a-z][a-z0-9-]{{0,62}}")


@dataclass(frozen=True, slots=True)
class Location:
    """A checked URL: ``host`` in lower case, ``target`` is path and query."""

    host: str
    target: str

    def follow(self, reference: str, allowed: Iterable[str]) -> "Location":
        """Where a redirect leads; raises ``url_not_allowed``."""
        try:
            url = urljoin(f"https://{self.host}{self.target}", reference)
        except ValueError:
            refuse("malformed")
        return parse(url, allowed)


def parse(url: str, allowed: Iterable[str]) -> Location:
    """Check ``url`` against the allow-list; raises ``url_not_allowed`` with ``details.reason``.

    Names must be ASCII (internationalised ones as ``xn--``) and everything else percent-encoded. The fragment is
    dropped.
    """
    if len(url) > _MAX_LENGTH or not _CHARACTERS.fullmatch(url):
        refuse("malformed")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        refuse("malformed")
    if parts.scheme != "https":
        refuse("scheme")
    if "@" in parts.netloc:
        refuse("credentials")
    if port not in (None, PORT):
        refuse("port")
    if len(host) > 253 or not _HOST.fullmatch(host) or not any(matches(host, pattern) for pattern in allowed):
        refuse("host")
    return Location(host, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))


def matches(host: str, pattern: str) -> bool:
    """Whether ``host`` is ``pattern``, or lies under it for a pattern ``*.suffix``."""
    return host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern


def is_pattern(text: str) -> bool:
    """Whether ``text`` can stand in the allow-list: a host name, or ``*.`` and one with at least two labels."""
    return _HOST.fullmatch(text.removeprefix("*.")) is not None


def refuse(reason: str) -> NoReturn:
    """Raise ``url_not_allowed``."""
    raise FaunalensError(
        ErrorCode.URL_NOT_ALLOWED, "A picture may not be fetched from this address.", {"reason": reason}
    )
