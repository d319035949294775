"""A real service with batches, where a test asks for ``http``."""

from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI

from service.api.app import create_app
from service.errors import ErrorCode, FaunalensError
from service.keys.key import Scope, new_key
from service.keys.keystore import KeyStore
from service.settings import Settings
from tests.live import serving
from tests.service.api.batches import HOST, PICTURES

NOW = "2026-01-01T00:00:00+00:00"
SECRET = "whsec_" + "c2VjcmV0" * 4


class Shelf:
    """Stands in for the network: pictures by URL; one that comes at the second try."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def fetch(self, url: str) -> bytes:
        self.asked.append(url)
        if url.endswith("late.jpg") and self.asked.count(url) == 1:
            raise FaunalensError(ErrorCode.URL_UNREACHABLE, "The picture could not be fetched.", {"reason": "status"})
        if "forbidden" in url:
            raise FaunalensError(ErrorCode.URL_NOT_ALLOWED, "A picture may not be fetched from this address.")
        return PICTURES["tusk-single.jpg"]


@pytest.fixture(scope="module")
def batch_keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[KeyStore, dict[str, str]]:
    store, texts = KeyStore(tmp_path_factory.mktemp("keys") / "keys.db"), {}
    store.create_file()
    for name, scopes, quota in (
        ("one", {Scope.DETECT}, None), ("two", {Scope.DETECT}, None), ("small", {Scope.DETECT}, 2),
        ("moderator", {Scope.REVIEW}, None), ("admin", {Scope.ADMIN}, None),
    ):  # fmt: skip
        texts[name], key = new_key(name, frozenset(scopes), NOW, quota=quota)
        store.add(key)
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
