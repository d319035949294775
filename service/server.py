"""Runs the application under uvicorn; stops with a clear message when it must not start."""

import contextlib
import errno
import gc
import ipaddress
import logging
import resource
import signal
import socket
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import uvicorn

from service.api.app import create_app
from service.api.protocol import GuardedProtocol, guarded
from service.api.shedding import shedding
from service.api.state import State
from service.api.turnstile import Turnstile
from service.errors import StartError
from service.settings import Settings
from service.telemetry import logs

log = logging.getLogger("faunalens")
START_FAILED = 3
CUT_OFF = 1
_NOT_HERE = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}


class Server(uvicorn.Server):
    """On SIGTERM it is first not ready, and closes to newcomers after ``drain_seconds``.

    In between every answer closes its connection, so that no client sends into a connection that is about to close.
    Then requests under way have ``shutdown_seconds``. SIGINT, or a second SIGTERM, skips the first part; a second
    SIGINT cuts off the rest.
    """

    def __init__(self, config: uvicorn.Config, state: State) -> None:
        super().__init__(config)
        self._state = state

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Called by uvicorn on SIGTERM and SIGINT."""
        if sig != signal.SIGTERM or self._state.draining or not self.started:
            super().handle_exit(sig, frame)
            return
        self._state.draining = True
        closing = threading.Timer(self._state.settings.drain_seconds, super().handle_exit, (sig, frame))
        closing.daemon = True
        closing.start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Called by uvicorn at the end; after a second SIGINT it would leave out what the application writes then."""
        await super().shutdown(sockets)
        if self.force_exit:
            for task in self.server_state.tasks:
                task.cancel()
            await self.lifespan.shutdown()


def run(settings: Settings) -> int:
    """Serve until stopped.

    Returns the exit code: 0, 1 when requests were cut off at the end, or 3 when the service could not start; a line
    of the log says why.
    """
    with logs.written(settings):
        try:
            check_address(settings.host, settings.port)
            check_exposure(settings)
            _raise_file_limit()
            return _serve(settings)
        except StartError as error:
            log.critical("not starting: %s", error)
            return START_FAILED


def _serve(settings: Settings) -> int:
    failures: list[str] = []

    def stop(reason: str) -> None:
        failures.append(reason)
        server.should_exit = True

    app = create_app(settings, stop)
    state: State = app.state.faunalens
    server = Server(configure(settings, app, Turnstile(state)), state)

    def end(*_: object) -> None:
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        # until uvicorn listens to them; it raises the signal again once it has drained, and the process ends with 0
        signal.signal(number, end)
    # a full collection over everything imported stops all threads for some 40 ms; what is there now stays anyway
    gc.collect()
    gc.freeze()
    server.run()
    if failures or not server.started:
        return START_FAILED
    if state.cut_off:
        why = "SIGINT came twice" if server.force_exit else "they took longer than FAUNALENS_SHUTDOWN_SECONDS"
        log.error("%d requests were cut off: %s", state.cut_off, why)
        return CUT_OFF
    return 0


def configure(settings: Settings, app: Callable[..., Any], turnstile: Turnstile | None = None) -> uvicorn.Config:
    """How uvicorn serves ``app``."""
    kind = shedding(turnstile.again) if turnstile else GuardedProtocol
    refusal, count = (turnstile.refusal, turnstile.count) if turnstile else (None, None)
    return uvicorn.Config(
        app, _bare(settings.host), settings.port, log_level=settings.log_level, access_log=False, log_config=None,
        server_header=False, ws="none", timeout_graceful_shutdown=settings.shutdown_seconds,
        timeout_keep_alive=settings.keep_alive_seconds,
        http=guarded(settings.read_seconds, settings.max_head_bytes, settings.max_connections, refusal, count, kind),
        proxy_headers=bool(settings.trusted_proxies), forwarded_allow_ips=settings.trusted_proxies,
    )  # fmt: skip


def check_exposure(settings: Settings) -> None:
    """Raises :class:`StartError` when keys are off on an address that other machines can reach, and nobody said so."""
    if settings.auth == "on":
        return
    if settings.auth == "off" and not is_loopback(settings.host):
        raise StartError(
            f"FAUNALENS_AUTH=off lets in everyone who can reach {settings.host}: listen on 127.0.0.1, make keys with "
            "`faunalens keys create`, or say FAUNALENS_AUTH=off-and-exposed"
        )
    log.warning("API keys are off: everyone who can reach %s is let in", settings.host)


def check_address(host: str, port: int) -> None:
    """Raises :class:`StartError` when ``host`` is no address, or cannot be listened on: before the model is loaded."""
    try:
        found = socket.getaddrinfo(_bare(host) or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise StartError(f"FAUNALENS_HOST names {host!r}, which is no address to listen on") from error
    failures = [failure for family, *_, address in found if (failure := _failure_to_bind(family, address))]
    # of a name with several addresses one may be of a family that this machine has not; uvicorn tells then
    if len(failures) == len(found) or any(failure.errno not in _NOT_HERE for failure in failures):
        raise StartError(f"cannot listen on {host or 'any address'}, port {port}: {failures[0].strerror}")


def _bare(host: str) -> str:
    """Without brackets. ``::`` is every address, of IPv4 too, which the event loop calls by an empty name."""
    bare = host.strip("[]")
    return "" if bare == "::" else bare


def _failure_to_bind(family: int, address: Any) -> OSError | None:
    try:
        with socket.socket(family, socket.SOCK_STREAM) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                tried.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            tried.bind(address)
    except OSError as error:
        return error
    return None


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host``; a name other than localhost counts as reachable by others."""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    return host == "localhost"


def _raise_file_limit() -> None:
    """As many open files as the system allows: each connection is one, and many systems begin at 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
