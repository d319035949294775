"""``faunalens keys create|list|revoke``."""

import datetime
import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import click

from service.commands.stopping import stopping
from service.errors import StartError
from service.finite import FiniteRange
from service.keys.allowance import utc_day
from service.keys.key import Scope, new_key, parse
from service.keys.keystore import KeyStore
from service.settings import load_settings

_RATES = 1e-6, 1e6
_MOST = 10**12
_NAME = re.compile(r"[A-Za-z0-9._@ -]{1,64}")


@click.group()
def keys() -> None:
    """Make, list and revoke API keys.

    The store is the file named by FAUNALENS_KEYS. A running service notices changes within two seconds.
    """


@keys.command()
@click.option("--name", required=True, help="Whose key it is: 1 to 64 letters, digits, spaces and . _ @ -")
@click.option(
    "--scope", "scopes", type=click.Choice([scope.value for scope in Scope]), multiple=True, required=True,
    help="What it may be used for; repeatable.",
)  # fmt: skip
@click.option("--rate", type=FiniteRange(*_RATES), help="Pictures per second (default: unlimited).")
@click.option("--burst", type=click.IntRange(1, _MOST), help="Pictures at once (default: one second of the rate).")
@click.option("--quota", type=click.IntRange(0, _MOST), help="Pictures per UTC day (default: unlimited).")
def create(name: str, scopes: tuple[str, ...], rate: float | None, burst: int | None, quota: int | None) -> None:
    """Make a key and print it, this once.

    The store keeps a hash only; a lost key cannot be shown again, make a new one. A key that cannot be printed is
    revoked.
    """
    if not _NAME.fullmatch(name):
        raise click.UsageError("--name takes 1 to 64 letters, digits, spaces and . _ @ -")
    if burst and not rate:
        raise click.UsageError("--burst needs --rate")
    with _store() as store:
        if sys.stdout is None:
            raise StartError("standard output is closed: nobody would see the key")
        store.create_file()
        store.check()
        text, key = new_key(name, frozenset(map(Scope, scopes)), _now(), rate, burst, quota)
        store.add(key)
    try:
        click.echo(f"key {key.id} for {name}, kept in {store.path}; it is shown this once:", err=True)
        click.echo(text)
    except OSError:
        with _store() as store:
            store.revoke(key.id, _now())
        with suppress(OSError):
            click.echo(f"faunalens: key {key.id} could not be shown, and is revoked", err=True)
        raise


@keys.command("list")
@click.option("--format", "kind", type=click.Choice(["table", "json"]), default="table", help="Default: table.")
def list_keys(kind: str) -> None:
    """List the keys, with what they used today. Secrets are not kept and cannot be listed."""
    with _store() as store:
        store.check()
        used = store.usage(utc_day(datetime.datetime.now(datetime.UTC).timestamp()))
        rows = [
            {
                "id": key.id, "name": key.name, "scopes": sorted(key.scopes), "rate": key.rate, "burst": key.burst,
                "quota": key.quota, "used_today": used.get(key.id, 0), "created": key.created, "revoked": key.revoked,
            }
            for key in store.all_keys()
        ]  # fmt: skip
    if kind == "json":
        click.echo(json.dumps(rows, indent=1))
        return
    for row in rows:
        click.echo("  ".join(f"{name} {_shown(value)}" for name, value in row.items()))


@keys.command()
@click.argument("key_id")
def revoke(key_id: str) -> None:
    """Revoke the key of that id, or the key itself. It stays in the list, and is refused from then on.

    Exit code 1: there is no such key in force.
    """
    # a whole key is not to be repeated on the terminal
    key_id = (parse(key_id) or (key_id,))[0]
    with _store() as store:
        store.check()
        if not store.revoke(key_id, _now()):
            click.echo(f"faunalens: no key {key_id} is in force", err=True)
            sys.exit(1)
    click.echo(f"key {key_id} is revoked", err=True)


@contextmanager
def _store() -> Iterator[KeyStore]:
    """The configured store; a problem is told and ends the command with 3."""
    with stopping():
        yield KeyStore(load_settings().keys)


def _shown(value: object) -> object:
    if isinstance(value, list):
        return ",".join(value)
    return "-" if value is None else value


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
