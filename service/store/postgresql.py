"""PostgreSQL by URL: what in a URL counts. No message has the password in it, nor a part of one."""

import ssl

from sqlalchemy import URL, Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError

from service.errors import StartError

_UNSAFE = ("allow", "prefer")
_MODES = ("disable", *_UNSAFE, "require", "verify-ca", "verify-full")
_OWN = ("sslmode", "sslrootcert")
_KNOWN = (*_OWN, "application_name", "unix_sock")


def connect(text: str) -> Engine:
    """An engine for the database at ``text``, not connected yet; raises :class:`StartError`."""
    url = _parsed(text)
    parameters = {name: values[-1] for name, values in url.normalized_query.items()}
    unknown = sorted(name for name in parameters if name not in _KNOWN)
    if unknown:
        known = ", ".join(_KNOWN)
        raise StartError(
            f"FAUNALENS_DATABASE has the parameters {', '.join(unknown)}; those that are known are {known}"
        )
    encryption = _encryption(parameters.get("sslmode", "prefer"), parameters.get("sslrootcert"))
    # hide_parameters: a file's name in an error would be in the log
    return create_engine(
        url.set(drivername="postgresql+pg8000").difference_update_query(_OWN), pool_pre_ping=True, pool_size=20,
        max_overflow=20, hide_parameters=True, connect_args={"ssl_context": encryption},
    )  # fmt: skip


def _parsed(text: str) -> URL:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:
        # their messages repeat the URL, or what stands where a port should
        raise StartError("FAUNALENS_DATABASE is not a database URL") from error
    if url.get_backend_name() != "postgresql":
        raise StartError("FAUNALENS_DATABASE must begin with postgresql://")
    if "@" in (url.host or ""):
        raise StartError("FAUNALENS_DATABASE has more than one @: write those in the password as %40")
    if not url.username:
        raise StartError("FAUNALENS_DATABASE names no user: postgresql://user:password@host/database")
    return url


def _encryption(mode: str, authorities: str | None) -> bool | ssl.SSLContext | None:
    """What pg8000 takes for a mode of libpq's: None asks for TLS and does without, True insists, neither looks at the
    certificate."""
    if mode not in _MODES:
        raise StartError(f"FAUNALENS_DATABASE: sslmode is one of {', '.join(_MODES)}")
    if mode == "disable":
        return False
    if mode in _UNSAFE:
        return None
    if mode == "require" and authorities is None:
        return True
    try:
        context = ssl.create_default_context(cafile=authorities)
    except OSError as error:
        raise StartError(f"FAUNALENS_DATABASE: sslrootcert cannot be used: {error.strerror}") from error
    context.check_hostname = mode == "verify-full"
    return context
