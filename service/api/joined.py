"""A transport that sends the head and the body of an answer at once.

uvicorn writes them one after the other, and uvloop sends each at once: two system calls, and two wake-ups of the
client, which on a busy machine takes a core from a picture each time.
"""

import asyncio
from typing import Any


class Joined(asyncio.Transport):
    """``transport``, with what is written within one turn of ``loop`` joined in pairs."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._held = b""

    def write(self, data: Any) -> None:
        """Hold ``data`` until the next write, or until the end of this turn."""
        if self._held:
            data, self._held = self._held + data, b""
            self._transport.write(data)
        elif data:
            self._held = bytes(data)
            self._loop.call_soon(self._flush)

    def write_whole(self, data: bytes) -> None:
        """Send ``data``, a whole answer, at once: nothing follows that it could be joined with."""
        held, self._held = self._held, b""
        self._transport.write(held + data if held else data)

    def close(self) -> None:
        """Send what is held, then close."""
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._held = b""
        self._transport.abort()

    def is_closing(self) -> bool:
        """As the transport says."""
        return self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """As the transport says."""
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        """Passed on."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Passed on."""
        self._transport.resume_reading()

    def _flush(self) -> None:
        held, self._held = self._held, b""
        if held and not self._transport.is_closing():
            self._transport.write(held)
