"""The least that an HTTP server in this Python can be: what the service is to be seen beside.

A protocol of uvloop finds the length in the head, has the body written by the system straight into one buffer, and
hands it to as many threads as there are cores, which decode and infer as the bare loop does. Every answer is of the
same length. No keys, limits, deadlines, digests or logs, and nothing but well-formed requests, one after the other.
"""

import asyncio
import io
import json
import os
import queue
import threading

import uvloop
from recipe import CORES, PORT, Recipe

_HEAD_BYTES = 16_384
_ANSWER_BYTES = 1_024
_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % _ANSWER_BYTES
_STEPS_BACK = 5  # threads let the event loop go first, as those of the service do


class Connection(asyncio.BufferedProtocol):
    """One connection. ``photos``: what the threads take from."""

    def __init__(self, photos: "Photos") -> None:
        self._photos = photos
        self._head = memoryview(bytearray(_HEAD_BYTES))
        self._filled = 0
        self._body = io.BytesIO()
        self._room: memoryview | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Keep the way back."""
        self.transport = transport

    def get_buffer(self, sizehint: int) -> memoryview:
        """What is left of the head or of the body."""
        return (self._head if self._room is None else self._room)[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        """A head that has ended makes room for its body; a body that has ended goes to the threads."""
        self._filled += nbytes
        if self._room is None:
            self._begin()
        elif self._filled == len(self._room):
            self._hand_over()

    def answer(self, body: bytes) -> None:
        """Called by the event loop."""
        self.transport.write(_ANSWER + body.ljust(_ANSWER_BYTES))

    def _begin(self) -> None:
        head, end, body = bytes(self._head[: self._filled]).partition(b"\r\n\r\n")
        if not end:
            return
        if head.startswith(b"GET"):
            self._filled = 0
            self.answer(b"{}")
            return
        _, _, after = head.lower().partition(b"content-length:")
        length = int(after.partition(b"\r\n")[0])
        self._body = io.BytesIO(bytes(length))
        self._room = self._body.getbuffer()
        self._filled = len(body)
        self._room[: self._filled] = body
        if self._filled == length:
            self._hand_over()

    def _hand_over(self) -> None:
        self._room, self._filled = None, 0
        self._photos.put((self, self._body.getvalue()))


Photos = queue.SimpleQueue[tuple[Connection, bytes]]


def work(photos: "Photos", recipe: Recipe, loop: asyncio.AbstractEventLoop) -> None:
    """What a thread does."""
    thread = threading.get_native_id()
    os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + _STEPS_BACK)
    while True:
        connection, photo = photos.get()
        body = json.dumps(recipe.scores(recipe.pixels(photo))).encode()
        loop.call_soon_threadsafe(connection.answer, body)


async def serve() -> None:
    """For ever."""
    photos: Photos = queue.SimpleQueue()
    recipe, loop = Recipe(threads=1), asyncio.get_running_loop()
    for _ in range(CORES):
        threading.Thread(target=work, args=(photos, recipe, loop), daemon=True).start()
    server = await loop.create_server(lambda: Connection(photos), "127.0.0.1", PORT)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve())
