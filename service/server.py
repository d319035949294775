"""Runs the application under uvicorn; stops with a clear message when the model cannot be used."""

import logging
import signal

import uvicorn

from service.api.app import create_app
from service.settings import Settings

START_FAILED = 3


def run(settings: Settings) -> int:
    """Serve until stopped. Returns the exit code: 0, or 3 when the service could not start."""
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s")
    failures: list[str] = []

    def stop(reason: str) -> None:
        failures.append(reason)
        server.should_exit = True

    config = uvicorn.Config(
        create_app(settings, stop), settings.host, settings.port, log_level=settings.log_level, access_log=False,
        log_config=None, server_header=False,
    )  # fmt: skip
    server = uvicorn.Server(config)
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn raises the signal again once it has drained; without this the process would not end with 0
        signal.signal(number, lambda *_: None)
    server.run()
    return START_FAILED if failures or not server.started else 0
