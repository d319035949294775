"""An HTTP/1.1 client on raw sockets that costs little beside the server that it measures: open and closed loops."""

import asyncio
import random
import time
from collections import deque
from dataclasses import dataclass, field

PATIENCE = 60.0


@dataclass
class Outcomes:
    """What became of the requests of one step. Times in seconds."""

    accepted: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    other: list[int] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    sent: int = 0

    def note(self, status: int, due: float, sent: float) -> None:
        """Count one answer to a request that was due and sent at these times."""
        now = time.perf_counter()
        if status == 200:
            self.accepted.append(now - due)
        elif status == 503:
            self.refused.append(now - sent)
        else:
            self.other.append(status)


class Connection(asyncio.Protocol):
    """One keep-alive connection that has at most one request under way."""

    def __init__(self, client: "Client") -> None:
        self.client = client
        self.data = b""
        self.due = 0.0
        self.sent = 0.0
        self.waiter: asyncio.Future[int] | None = None
        self.transport: asyncio.WriteTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = transport  # type: ignore[assignment]
        self.client.open.add(self)

    def data_received(self, data: bytes) -> None:
        """Answer when the whole response is there."""
        self.data += data
        head, end, body = self.data.partition(b"\r\n\r\n")
        if not end:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(body) >= length:
            self.data = b""
            self.client.answered(self, int(head[9:12]))

    def connection_lost(self, _: Exception | None) -> None:
        """Never expected while a request is under way."""
        self.client.open.remove(self)
        if self.due:
            self.client.answered(self, 0, reuse=False)
        elif self in self.client.idle:
            self.client.idle.remove(self)


class Client:
    """Sends ``request``, a whole one, to ``port`` of this machine when told, on an idle connection or a new one."""

    def __init__(self, request: bytes, port: int) -> None:
        self.request = request
        self.port = port
        self.idle: deque[Connection] = deque()
        self.outcomes = Outcomes()
        self.busy = 0
        self.open: set[Connection] = set()

    async def send(self, due: float) -> Connection:
        """Send one request that was due at ``due`` (``time.perf_counter``)."""
        self.busy += 1
        if self.idle:
            return self._send(self.idle.pop(), due)
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(lambda: Connection(self), "127.0.0.1", self.port)
        return self._send(connection, due)

    def _send(self, connection: Connection, due: float) -> Connection:
        self.outcomes.sent += 1
        connection.due, connection.sent = due, time.perf_counter()
        self.outcomes.late.append(connection.sent - due)
        connection.transport.write(self.request)
        return connection

    def answered(self, connection: Connection, status: int, reuse: bool = True) -> None:
        """Note the answer and keep the connection."""
        self.outcomes.note(status, connection.due, connection.sent)
        connection.due = 0.0
        self.busy -= 1
        if reuse:
            self.idle.append(connection)
        if connection.waiter:
            connection.waiter.set_result(status)
            connection.waiter = None

    async def closed_loop(self, seconds: float, connections: int) -> float:
        """Accepted requests per second with that many connections, each sending as soon as it is answered."""
        self.outcomes = Outcomes()
        started = time.perf_counter()

        async def one() -> None:
            while time.perf_counter() < started + seconds:
                connection = await self.send(time.perf_counter())
                connection.waiter = asyncio.get_running_loop().create_future()
                await connection.waiter

        await asyncio.gather(*(one() for _ in range(connections)))
        return len(self.outcomes.accepted) / (time.perf_counter() - started)

    async def open_loop(self, rate: float, seconds: float) -> Outcomes:
        """Poisson arrivals, ``rate * seconds`` of them; returns when all are answered, or after PATIENCE."""
        self.outcomes = Outcomes()
        started = time.perf_counter()
        tasks = set()
        for due in sorted(started + random.uniform(0, seconds) for _ in range(round(rate * seconds))):
            await asyncio.sleep(max(due - time.perf_counter(), 0))
            if self.idle:
                # without a task: the client shares the cores with the server
                self.busy += 1
                self._send(self.idle.pop(), due)
                continue
            task = asyncio.ensure_future(self.send(due))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        while self.busy and time.perf_counter() < started + seconds + PATIENCE:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        self._tell_silent(started)
        return self.outcomes

    def _tell_silent(self, started: float) -> None:
        """Print what is known of requests that have no answer, and give them up."""
        for connection in [connection for connection in self.open if connection.due]:
            port = connection.transport.get_extra_info("sockname")[1]
            print(f"no answer: port {port}, sent after {connection.sent - started:.3f} s, came: {connection.data!r}")
            connection.transport.abort()
        if self.busy and not any(connection.due for connection in self.open):
            print(f"no answer: {self.busy} requests that were never sent")
            self.busy = 0
