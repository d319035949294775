"""``faunalens evidence key|export|verify``."""

import datetime
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from service.commands.stopping import stop, stopping
from service.commands.store import Store, opened_store
from service.sanitise import storable, visible
from service.settings import Settings, load_settings

if TYPE_CHECKING:
    from service.store.cases import Case

_PATH = click.Path(path_type=Path)
_NUMBER = click.IntRange(1, 2**63 - 1)
_KEY_FILE = "evidence-key.pem"


@click.group()
def evidence() -> None:
    """Packages for investigators: photos, results, decisions and proof that nothing was changed."""


@evidence.command()
def key() -> None:
    """Make the key that signs packages, where there is none; print its public half.

    It lies where FAUNALENS_EVIDENCE_KEY says, by default in the store. Give the public half to whoever checks packages,
    by another way than the packages. Exit code 3: it cannot be made or read.
    """
    with stopping():
        from service.evidence.signing import fingerprint, load_key, make_key, public_pem

        settings = load_settings()
        path = _key_path(settings)
        private = load_key(path) if path.exists() else make_key(path)
    public = private.public_key()
    click.echo(f"key {path}, fingerprint {fingerprint(public)}", err=True)
    click.echo(public_pem(public), nl=False)


@evidence.command("export")
@click.argument("listing", required=False)
@click.option("--item", "items", type=_NUMBER, multiple=True, help="A photo by its number instead; repeatable.")
@click.option("--batch", help="All photos of a batch instead of a listing.")
@click.option("--out", type=_PATH, required=True, help="The package: a zip file if it ends in .zip, else a folder.")
@click.option("--by", help="Who writes the package; kept in it.")
@click.option("--reference", help="Your or the investigator's reference; kept in it.")
def export_evidence(
    listing: str | None, items: tuple[int, ...], batch: str | None, out: Path, by: str | None, reference: str | None
) -> None:
    """Write the package of a listing: everything that is known about its photos, signed.

    Exit code 1: there is no such listing, or a photo in the store is not the one that was judged. 3: the store, the
    key or the model cannot be used. 4: written, but photos are missing, because they were not kept or not judged.
    """
    if sum(map(bool, (listing, items, batch))) != 1:
        raise click.UsageError("give LISTING, --item or --batch")
    if out.exists():
        raise click.UsageError(f"{out} is there already")
    with opened_store() as store:
        from service.detector import Detector
        from service.evidence.package import Request, write
        from service.evidence.shelf import new_package
        from service.evidence.signing import fingerprint, load_key
        from service.exports.kept import ChangedPhotoError
        from service.store import cases

        private = load_key(_key_path(store.settings))
        # as the store keeps text
        listing, batch = storable(listing), storable(batch)
        found = _found(store, listing, items, batch)
        unjudged = cases.unjudged(store.database, listing, batch)
        numbers = {entry.seq for case in found for entry in case.entries}
        log = cases.stretch(store.database, numbers)
        subject = _subject(listing, items, batch)
        request = Request(subject, storable(by), storable(reference), datetime.datetime.now(datetime.UTC))
        try:
            with new_package(out) as writer:
                written = write(found, log, store.photos, Detector(store.settings), private, request, writer)
        except ChangedPhotoError as error:
            click.echo(f"faunalens: {error}", err=True)
            sys.exit(1)
    click.echo(
        f"{click.format_filename(out)}: {written.photos} photos, {written.decisions} decisions, "
        f"signed by {fingerprint(private.public_key())}"
    )
    _end(written.gone, unjudged)


@evidence.command("verify")
@click.argument("package", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--key", "public", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The signer's public key, PEM, got by another way than the package.",
)  # fmt: skip
@click.option("--head", help="A hash of the log, noted elsewhere: it must be in the package's stretch of the log.")
def verify_evidence(package: Path, public: Path | None, head: str | None) -> None:
    """Check a package without a network: the signature, every file, the log, and that they agree.

    Exit code 1: it is not what was signed, and the message says what was changed. 3: the key cannot be read.
    """
    with stopping():
        from service.evidence.signing import read_public
        from service.evidence.verify import verify
    try:
        signer = read_public(public.read_text()) if public else None
    except (OSError, ValueError):
        stop(f"{public} is not an Ed25519 public key in PEM")
    report = verify(package, signer, head)
    for problem in report.problems:
        # they quote names from the package, which may be written for the terminal
        click.echo(visible(problem), err=True)
    if report.problems:
        sys.exit(1)
    click.echo(f"{report.photos} photos, {report.files} files, none changed; log head {report.head}")
    vouched = "" if public else ", for which only the package itself vouches: see --key"
    click.echo(f"signed by the key with the fingerprint {report.signer}{vouched}")


def _found(store: Store, listing: str | None, items: tuple[int, ...], batch: str | None) -> "list[Case]":
    from service.store import cases

    if listing:
        found = cases.of_listing(store.database, listing)
    else:
        found = cases.of_batch(store.database, batch) if batch else cases.of_items(store.database, items)
    missing = sorted(set(items) - {case.id for case in found})
    if missing or not found:
        what = f"photo {', '.join(map(str, missing))}" if missing else "photo of that name"
        click.echo(f"faunalens: there is no judged {what}", err=True)
        sys.exit(1)
    return found


def _end(gone: int, unjudged: int) -> None:
    """Say what the package lacks, and end with 4 if it lacks anything."""
    if gone:
        click.echo(f"{gone} photos are not in the store any more and are missing", err=True)
    if unjudged:
        click.echo(f"{unjudged} photos were not judged, or not yet, and are left out", err=True)
    if gone or unjudged:
        sys.exit(4)


def _subject(listing: str | None, items: tuple[int, ...], batch: str | None) -> str:
    if listing:
        return f"listing {listing}"
    return f"batch {batch}" if batch else f"photos {', '.join(map(str, items))}"


def _key_path(settings: Settings) -> Path:
    return settings.evidence_key or settings.store / _KEY_FILE
