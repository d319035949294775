"""Pages of other sites, which reach a service without keys by the browser of whoever runs it.

A service that lets everybody in listens on this machine only. But any page that somebody opens here may send requests
to it: blindly, to its address (cross-site request forgery); or as if they were its own, with a look at the answers,
under a name that leads here a moment after the page was loaded (DNS rebinding). Browsers tell by ``Origin`` and
``Host``.
"""

import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

from service.batch_settings import parts
from service.errors import ErrorCode, FaunalensError
from service.settings import Settings

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def check(scope: Scope, settings: Settings) -> None:
    """Raises ``forbidden`` for what another site's page sends to a service without keys on this machine.

    A name without a dot is nobody's to give away; a service that others may reach, or that names its proxies, has no
    such bounds.
    """
    if settings.auth != "off" or settings.trusted_proxies or not _is_here(scope):
        return
    headers = Headers(scope=scope)
    host = headers.get("host", "")
    if _may_be_anybodys(_name(host)):
        raise _refused("Host")
    origin = headers.get("origin")
    if origin is None or scope["method"] in _SAFE:
        return
    if origin.partition("://")[2] != host and not {origin, "*"} & set(parts(settings.cors_origins)):
        raise _refused("Origin")


def _is_here(scope: Scope) -> bool:
    """Whether the request came to an address that only this machine can reach."""
    address, _ = scope.get("server") or ("", None)
    return _is_address(address) and ipaddress.ip_address(address).is_loopback


def _may_be_anybodys(name: str) -> bool:
    return "." in name and not _is_address(name) and not name.endswith(".localhost")


def _name(host: str) -> str:
    """The name or address in a ``Host``, without its port."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return host


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _refused(header: str) -> FaunalensError:
    message = (
        f"The {header} of this request is not this machine's, and keys are off. Use keys, or say "
        "FAUNALENS_AUTH=off-and-exposed."
    )
    return FaunalensError(ErrorCode.FORBIDDEN, message, {"header": header})
