"""``faunalens decisions export training|label-studio`` and ``faunalens decisions import label-studio``."""

import contextlib
import errno
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from service.commands.stopping import stop
from service.commands.store import opened_store
from service.drafts import draft_of, drafted
from service.sanitise import storable

if TYPE_CHECKING:
    from service.catalog import Catalog
    from service.settings import Settings

_PATH = click.Path(path_type=Path)
_NAME_LENGTH = 32
_STATES = ("open", "second", "unsure", "escalated", "decided")


@click.group()
def decisions() -> None:
    """Hand decisions over: to training, to Label Studio and back."""


@decisions.group("export")
def export_decisions() -> None:
    """Write what was decided, or waits to be."""


@decisions.group("import")
def import_decisions() -> None:
    """Take what was decided elsewhere."""


@export_decisions.command("training")
@click.option("--out", type=_PATH, required=True, help="New folder for the photos and manifest.csv.")
def training(out: Path) -> None:
    """Write what was confirmed and rejected as a folder that `faunalens train` takes.

    Exit code 1: nothing to write. 3: the store cannot be used. 4: photos are missing, because they were not kept; the
    others, if there are any, are written.
    """
    _must_be_new(out)
    with opened_store() as store, _drafted(out) as draft:
        from service.exports import training_set
        from service.store import cases

        tally = training_set.write(cases.in_state(store.database, "decided"), store.photos, draft)
        if tally.written:
            draft.rename(out)
    if tally.written:
        where = click.format_filename(out)
        click.echo(f"{tally.written} photos in {where}; {tally.again} were decided more than once: the latest counts")
    _end(tally.written, tally.gone)


@export_decisions.command("label-studio")
@click.option("--out", type=_PATH, required=True, help="New folder for tasks.json, config.xml and the photos.")
@click.option("--state", type=click.Choice([*_STATES, "all"]), default="open", show_default=True, help="Which photos.")
@click.option("--prefix", help="Where the folder will lie below Label Studio's local files root; default: its name.")
def export_label_studio(out: Path, state: str, prefix: str | None) -> None:
    """Write photos as tasks for Label Studio, the model's findings as predictions.

    Exit code 1: nothing to write. 3: the store cannot be used. 4: photos are missing, because they were not kept; the
    others, if there are any, are written.
    """
    _must_be_new(out)
    with opened_store() as store, _drafted(out) as draft:
        from service.exports import label_studio
        from service.store import cases

        names = [entry.id for entry in _catalog(store.settings).category]
        found = cases.in_state(store.database, None if state == "all" else state)
        place = out.name if prefix is None else prefix.strip("/")
        written, gone = label_studio.write(found, store.photos, names, draft, place)
        if written:
            draft.rename(out)
    if written:
        click.echo(f"{written} tasks in {click.format_filename(out)}")
    _end(written, gone)


@import_decisions.command("label-studio")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--moderator", help="Who decided; default: label-studio: and the number of the annotator.")
def import_label_studio(file: Path, moderator: str | None) -> None:
    """Take the annotations of a JSON export of Label Studio as decisions; the same file may be taken again.

    Exit code 3: the file or the store cannot be used. 4: some tasks were not taken, and the messages say why.
    """
    if moderator is not None and not 0 < len(moderator) <= _NAME_LENGTH:
        raise click.UsageError(f"--moderator takes 1 to {_NAME_LENGTH} characters")
    with opened_store() as store:
        from service.bulk.decisions import open_decisions
        from service.exports import label_studio

        try:
            tasks = label_studio.read(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            stop(f"{file} cannot be read: {error}")
        catalog = _catalog(store.settings)
        log = open_decisions(store.database, store.settings, catalog)
        taken = label_studio.take(tasks, log, catalog, storable(moderator))
    click.echo(", ".join(f"{count} {name}" for name, count in sorted(taken.counts.items())) or "nothing")
    for reason in taken.refused:
        click.echo(reason, err=True)
    sys.exit(4 if taken.refused else 0)


def _must_be_new(out: Path) -> None:
    if out.exists():
        raise click.UsageError(f"{out} is there already")


@contextlib.contextmanager
def _drafted(out: Path) -> Iterator[Path]:
    """The new folder while it takes shape; raises :class:`OSError`, also when it came to be there meanwhile."""
    out.parent.mkdir(parents=True, exist_ok=True)
    left = draft_of(out).exists()
    with drafted(out) as draft:
        if left:
            where = click.format_filename(draft)
            click.echo(f"what an export that was killed had left in {where} is removed", err=True)
        if out.exists():
            raise FileExistsError(errno.EEXIST, "it is there already", str(out))
        yield draft


def _end(written: int, gone: int) -> None:
    if gone:
        click.echo(f"{gone} photos are not in the store any more and are missing", err=True)
    if not written:
        click.echo("faunalens: there is nothing to write", err=True)
    sys.exit(4 if gone else 0 if written else 1)


def _catalog(settings: "Settings") -> "Catalog":
    from service.catalog import load_catalog
    from service.contract import load_contract
    from service.detector import model_path

    return load_catalog(load_contract(model_path(settings)), settings.catalog)
