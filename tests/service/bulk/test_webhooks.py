"""Webhooks against a real TLS server on this machine; its name resolves to a public address by a stand-in resolver."""

import asyncio
import base64
import hashlib
import hmac
import json
import ssl
import time
from asyncio import StreamReader, StreamWriter, start_server
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from prometheus_client import Counter

from service.bulk.webhooks import LONGEST, TRIES, Webhooks, pause, target
from service.errors import ErrorCode, FaunalensError
from service.outbound.requests import Outbound
from service.store.batches import Batches, Entry, NewBatch
from service.store.database import Database, open_database
from service.store.outbox import Outbox, put
from service.store.tables import Delivery
from tests.live import until
from tests.service.outbound.internet import CA, LOOPBACK, PUBLIC, TRUST, Network, Resolver

pytestmark = pytest.mark.anyio
HOST, SLOW = "hooks.faunalens.test", "slow.faunalens.test"
SECRET = bytes(range(32))


class Receiver:
    """Takes webhooks and answers with the statuses given, the last one for ever; as ``SLOW`` it never answers."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.seen: list[tuple[str, dict[str, str], bytes]] = []
        self.hanging = 0
        self.port = 0

    async def answer(self, reader: StreamReader, writer: StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in head[1:] if line)}
        body = await reader.readexactly(int(headers["content-length"]))
        if headers["host"] == SLOW:
            self.hanging += 1
            await asyncio.Event().wait()
        self.seen.append((head[0], headers, body))
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        writer.write(f"HTTP/1.1 {status} X\r\nLocation: https://{HOST}/other\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()


@asynccontextmanager
async def receiving(*statuses: int) -> AsyncIterator[Receiver]:
    receiver = Receiver(*statuses)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    CA.issue_cert(HOST, SLOW).configure_cert(context)
    server = await start_server(receiver.answer, LOOPBACK, 0, ssl=context)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()


@pytest.fixture
def database(tmp_path: Path) -> Database:
    opened = open_database(None, tmp_path)
    new = NewBatch("", "default")
    Batches(opened).add(new, [Entry("a")])
    with opened.writing() as session:
        put(session, new.id, "finding", "1", f"https://{HOST}/hook?a=b", '{"x": 1}')
    return opened


def sender(database: Database, port: int, address: str = PUBLIC, hosts: tuple[str, ...] = (HOST,)) -> Webhooks:
    outbound = Outbound(Resolver([address]), Network(port), TRUST)
    return Webhooks(Outbox(database), outbound, hosts, SECRET, Counter("sent", "", ["outcome"], registry=None))


def counted(webhooks: Webhooks) -> dict[str, float]:
    """How often each outcome was counted."""
    samples = [sample for metric in webhooks.sent.collect() for sample in metric.samples]
    return {sample.labels["outcome"]: sample.value for sample in samples if sample.name == "sent_total"}


async def send_due(webhooks: Webhooks) -> int:
    """Try what is due once; returns how many."""
    async with asyncio.TaskGroup() as sending:
        return await webhooks.start_due(sending)


def row(database: Database) -> Delivery:
    with database.reading() as session:
        return session.query(Delivery).one()


def later(database: Database) -> None:
    with database.writing() as session:
        session.query(Delivery).update({"next_at": Delivery.next_at + 3600})


def due_now(database: Database) -> None:
    with database.writing() as session:
        session.query(Delivery).update({"next_at": 0})


async def test_a_webhook_is_signed_as_standard_webhooks_says(database: Database) -> None:
    before = int(time.time())
    async with receiving(204) as receiver:
        assert await send_due(sender(database, receiver.port)) == 1
    ((line, headers, body),) = receiver.seen
    assert line == "POST /hook?a=b HTTP/1.1" and headers["content-type"] == "application/json"
    assert json.loads(body)["data"] == {"x": 1}
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    wanted = base64.b64encode(hmac.new(SECRET, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{wanted}"
    assert before <= int(headers["webhook-timestamp"]) <= time.time()
    assert row(database).state == "delivered"


@pytest.mark.parametrize("status", [500, 404, 302])
async def test_a_refused_one_is_sent_again_with_the_same_id_and_body(database: Database, status: int) -> None:
    async with receiving(status, 200) as receiver:
        webhooks, before = sender(database, receiver.port), time.time()
        await send_due(webhooks)
        assert row(database).state == "waiting" and row(database).next_at >= before + 4
        later(database)
        assert await send_due(webhooks) == 0, "not before its time"
        due_now(database)
        await send_due(webhooks)
    (_, first, body), (_, second, again) = receiver.seen
    assert first["webhook-id"] == second["webhook-id"] and body == again
    assert row(database).state == "delivered" and row(database).attempts == 2
    assert counted(webhooks) == {"refused": 1.0, "delivered": 1.0}


async def test_after_a_clock_was_put_back_it_is_sent(database: Database) -> None:
    async with receiving(200) as receiver:
        later(database)
        assert await send_due(sender(database, receiver.port)) == 1
    assert row(database).state == "delivered"


async def test_it_is_given_up_in_the_end(database: Database) -> None:
    async with receiving(503) as receiver:
        for _ in range(TRIES):
            due_now(database)
            await send_due(sender(database, receiver.port))
        due_now(database)
        assert await send_due(sender(database, receiver.port)) == 0
    assert row(database).state == "abandoned" and len(receiver.seen) == TRIES


async def test_sending_goes_on_after_what_nobody_thought_of(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    any_due, failures = Outbox.any_due, list[int]()

    def broken_once(outbox: Outbox, full: Sequence[str]) -> bool:
        if not failures:
            failures.append(1)
            raise RuntimeError
        return any_due(outbox, full)

    monkeypatch.setattr(Outbox, "any_due", broken_once)
    async with receiving(200) as receiver:
        running = asyncio.create_task(sender(database, receiver.port).run())
        try:
            await asyncio.to_thread(until, lambda: row(database).state == "delivered" or running.done())
            assert row(database).state == "delivered"
        finally:
            running.cancel()
            await asyncio.wait([running])


async def test_a_receiver_that_hangs_holds_up_nobody_else(database: Database) -> None:
    with database.writing() as session:
        batch = session.query(Delivery).one().batch_id
        for number in range(40):
            for host in (SLOW, HOST) if number > 20 else (SLOW,):
                put(session, batch, "finding", f"{number}/{host[:4]}", f"https://{host.upper()}?{number}", "{}")
    async with receiving(200) as receiver:
        running = asyncio.create_task(sender(database, receiver.port, hosts=(HOST, SLOW)).run())
        await asyncio.to_thread(until, lambda: len(receiver.seen) == 20)
        assert receiver.hanging <= 8
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


async def test_a_receiver_that_is_gone_is_left_alone(database: Database) -> None:
    async with receiving(410) as receiver:
        webhooks = sender(database, receiver.port)
        await send_due(webhooks)
    assert row(database).state == "abandoned" and counted(webhooks) == {"abandoned": 1.0}


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1"])
async def test_nothing_is_sent_inside(database: Database, address: str) -> None:
    async with receiving(200) as receiver:
        await send_due(sender(database, receiver.port, address))
    assert receiver.seen == [] and row(database).state == "waiting"


async def test_a_host_taken_off_the_list_gets_nothing(database: Database) -> None:
    async with receiving(200) as receiver:
        await send_due(sender(database, receiver.port, hosts=("other.faunalens.test",)))
    assert receiver.seen == [] and row(database).state == "waiting"


async def test_targets_and_secrets_are_not_logged(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    async with receiving(500) as receiver:
        await send_due(sender(database, receiver.port))
    assert "status 500" in caplog.text and "faunalens.test" not in caplog.text


async def test_targets_are_checked_at_the_door() -> None:
    assert target(f"https://{HOST}/x", (HOST,)).host == HOST
    for url in ("http://hooks.faunalens.test/", "https://other.test/", "https://127.0.0.1/", f"https://{HOST}:444/"):
        with pytest.raises(FaunalensError) as caught:
            target(url, (HOST,))
        assert caught.value.code is ErrorCode.WEBHOOK_NOT_ALLOWED


async def test_pauses_grow_to_six_hours() -> None:
    assert 4 <= pause(1) <= 6 and 32 <= pause(4) <= 48 and pause(40) <= 6 * 3600 * 1.2
    assert all(pause(tries) <= LONGEST[tries] for tries in range(TRIES + 1)) and LONGEST[-1] == 6 * 3600 * 1.2
