"""A real service with batches, where a test asks for ``http``; a real browser, where it asks for ``browser``."""

from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser

from service.api.app import create_app
from service.errors import ErrorCode, FaunalensError
from service.keys.key import Scope
from service.keys.keystore import KeyStore
from service.settings import Settings
from tests.browser import chromium
from tests.keyed import add_key, new_store
from tests.live import serving
from tests.service.api.batches import HOST, PICTURES

SECRET = "whsec_" + "c2VjcmV0" * 4


class Shelf:
    """Stands in for the network: pictures by URL; one that comes at the second try."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def fetch(self, url: str, _: str) -> bytes:
        self.asked.append(url)
        if url.endswith("late.jpg") and self.asked.count(url) == 1:
            raise FaunalensError(ErrorCode.URL_UNREACHABLE, "The picture could not be fetched.", {"reason": "status"})
        if "forbidden" in url:
            raise FaunalensError(ErrorCode.URL_NOT_ALLOWED, "A picture may not be fetched from this address.")
        return PICTURES["tusk-single.jpg"]


@pytest.fixture(scope="module")
def batch_keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[KeyStore, dict[str, str]]:
    store = new_store(tmp_path_factory.mktemp("keys") / "keys.db")
    texts = {name: add_key(store, name, Scope.DETECT) for name in ("one", "two")}
    texts["small"] = add_key(store, "small", Scope.DETECT, quota=2)
    texts["moderator"] = add_key(store, "moderator", Scope.REVIEW)
    texts["admin"] = add_key(store, "admin", Scope.ADMIN)
    return store, texts


@pytest.fixture(scope="module")
def batch_app(batch_keys: tuple[KeyStore, dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    settings = Settings(
        auth="on", keys=batch_keys[0].path, batches="on", store=tmp_path_factory.mktemp("batches") / "store",
        retention_hours=1, max_bytes=300_000, batch_files=20, batch_bytes=2_000_000, url_input="on", url_hosts=(HOST,),
        webhook_hosts=("hooks.faunalens.test",), webhook_secret=SECRET,
    )  # fmt: skip
    made = create_app(settings)
    made.state.faunalens.fetcher = Shelf()
    return made


@pytest.fixture(scope="module")
def http(batch_app: FastAPI, batch_keys: tuple[KeyStore, dict[str, str]]) -> Iterator[httpx.Client]:
    with serving(batch_app) as (host, port):
        headers = {"X-API-Key": batch_keys[1]["one"]}
        with httpx.Client(base_url=f"http://{host}:{port}", timeout=60, headers=headers) as client:
            yield client


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started
