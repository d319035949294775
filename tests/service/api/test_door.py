"""The door by itself: no server, and an application behind it that only says who came in."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.types import Message, Receive, Send
from starlette.types import Scope as Request

from service.api.app import create_app
from service.api.door import Door, flow_of, presented, seconds_to_deadline
from service.errors import ErrorCode, FaunalensError
from service.keys.key import Scope
from service.settings import Settings
from tests.keyed import add_key, new_store


class House:
    """A door with one key, which may send one picture at once and three a day."""

    def __init__(self, folder: Path) -> None:
        store = new_store(folder / "keys.db")
        self.text = add_key(store, "pipeline", Scope.DETECT, rate=0.001, burst=1, quota=3)
        self.app: FastAPI = create_app(Settings(auth="on", keys=store.path, queue=2))
        self.state: Any = self.app.state.faunalens
        self.came_in: list[Request] = []
        self.door = Door(self._inside, self.state)

    async def _inside(self, scope: Request, receive: Receive, send: Send) -> None:
        self.came_in.append(scope)

    def status(self, method: str = "POST") -> int | None:
        """Knock at ``/v1/detect``; the status of a refusal, None: came in."""
        said: list[Message] = []

        async def send(message: Message) -> None:
            said.append(message)

        async def receive() -> Message:
            raise AssertionError("the door reads no body")

        scope = {
            "type": "http", "method": method, "path": "/v1/detect", "client": ("192.0.2.1", 5), "app": self.app,
            "headers": [(b"x-api-key", self.text.encode())],
        }  # fmt: skip
        asyncio.run(self.door(scope, receive, send))
        return said[0]["status"] if said else None

    @property
    def used(self) -> int:
        """Pictures of the key today."""
        used: int = self.state.access.allowances.used(self.text.split("_")[1])
        return used


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_a_refusal_by_the_line_costs_neither_rate_nor_quota(house: House) -> None:
    admission = house.state.workers.admission
    held = [admission.enter(flow, 30) for flow in "ab"]
    assert [house.status() for _ in range(5)] == [503] * 5 and house.used == 0
    for ticket in held:
        admission.leave(ticket)
    assert (house.status(), house.status(), house.used, admission.inside) == (None, 429, 1, 0)


def test_what_asks_for_no_judgement_takes_no_place_and_costs_nothing(house: House) -> None:
    for flow in "ab":
        house.state.workers.admission.enter(flow, 30)
    for method in ("GET", "HEAD", "OPTIONS"):
        assert house.status(method) is None and house.used == 0
    assert len(house.came_in) == 3


def test_whose_request_it_is(house: House) -> None:
    house.status()
    (scope,) = house.came_in
    assert flow_of(scope) == house.text.split("_")[1]
    assert flow_of({"client": ("192.0.2.1", 5)}) == "192.0.2.1" and flow_of({"client": None}) == ""


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ({}, ""),
        ({"authorization": "Bearer a", "x-api-key": "b"}, "a"),
        # of a proxy that asks for a password of its own
        ({"authorization": "Basic a", "x-api-key": "b"}, "b"),
        ({"authorization": "BEARER  a "}, "a"),
    ],
)
def test_where_a_key_is_looked_for(headers: dict[str, str], key: str) -> None:
    assert presented(headers) == key


def test_the_deadline_is_the_clients_wish_but_no_longer_than_the_setting() -> None:
    settings = Settings(deadline_ms=20_000)
    for given, seconds in ((None, 20.0), ("1", 0.001), ("500", 0.5), ("999999999", 20.0)):
        headers = {} if given is None else {"x-request-deadline-ms": given}
        assert seconds_to_deadline(headers, settings) == seconds


@pytest.mark.parametrize("given", ["", "0", "-1", "+1", "1.5", "1e3", " 1", "1_000", "1000000000", "\u0663", "inf"])
def test_a_deadline_that_is_no_whole_number_is_refused(given: str) -> None:
    with pytest.raises(FaunalensError) as caught:
        seconds_to_deadline({"x-request-deadline-ms": given}, Settings())
    assert caught.value.code is ErrorCode.INVALID_PARAMETER
