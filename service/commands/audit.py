"""``faunalens audit verify``."""

import sys

import click

from service.commands.store import opened_store


@click.group()
def audit() -> None:
    """Check the log of decisions."""


@audit.command()
@click.option("--head", help="A hash that was noted before: it must still be in the log.")
def verify(head: str | None) -> None:
    """Check that no entry of the log of decisions was changed, removed or put in.

    Entries cut off at the end are only noticed by a hash noted before, see --head. Exit code 1: the log is not what it
    was. 3: the store cannot be used.
    """
    with opened_store() as store:
        from service.store.decision_log import DecisionLog

        log = DecisionLog(store.database)
        found = log.verify()
        known = head is None or log.has(head)
    if found.wrong is not None:
        click.echo(f"entry {found.wrong}: {found.reason}", err=True)
        sys.exit(1)
    if not known:
        click.echo("the log has no entry of that hash: it was changed or cut off", err=True)
        sys.exit(1)
    click.echo(f"{found.entries} entries, none changed; head {found.head}")
