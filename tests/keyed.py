"""Stores of API keys, made for a test."""

from pathlib import Path

from service.keys.key import Scope, new_key
from service.keys.keystore import KeyStore

NOW = "2026-01-01T00:00:00+00:00"


def new_store(path: Path) -> KeyStore:
    """An empty store at ``path``."""
    store = KeyStore(path)
    store.create_file()
    return store


def add_key(store: KeyStore, name: str, *scopes: Scope, **limits: float | None) -> str:
    """The text of a new key in ``store``. ``limits``: its ``rate``, ``burst`` and ``quota``."""
    text, key = new_key(name, frozenset(scopes), NOW, **limits)  # type: ignore[arg-type]
    store.add(key)
    return text
