"""What the training commands share: the options that name photos and weights, and the photos they mean."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from service.contract import Contract
    from training.photos.manifest import Photo

EXCLUSIONS = Path(__file__).parent / "exclusions.csv"
MODEL = click.option(
    "--model", type=click.Path(exists=True, path_type=Path), envvar="FAUNALENS_MODEL",
    help="The contract, weights/<name>.json; default: the shipped one.",
)  # fmt: skip
DATA = click.option(
    "--data", type=click.Path(path_type=Path), default=Path("../shared/data"), envvar="FAUNALENS_DATA",
    show_default=True,
    help="Folder of photos with manifest.csv, or with a folder for each category (environment: FAUNALENS_DATA).",
)  # fmt: skip
LABELS = click.option(
    "--labels", type=click.Path(exists=True, path_type=Path),
    help="Labels of the photos in --data: a CSV, a Label Studio export or COCO; replaces manifest.csv.",
)  # fmt: skip


def read(data: Path, labels: Path | None, extra: tuple[Path, ...] = ()) -> "list[Photo]":
    """The photos that ``--data`` and ``--labels`` name, and those of train in the folders ``extra``.

    Those of exclusions.csv are left out. What is there twice is told.
    """
    from training.photos.copies import told
    from training.photos.intake import read_photos
    from training.photos.manifest import select

    photos = read_photos(data, labels, EXCLUSIONS)
    for folder in extra:
        more = read_photos(folder, None, EXCLUSIONS)
        photos += select(more, "train")
        if others := [photo for photo in more if photo.split != "train"]:
            click.echo(f"left out of {folder}, not of train: {len(others)}, {others[0].file} for one", err=True)
    for sentence in told(photos):
        click.echo(sentence, err=True)
    return photos


def read_for(contract: "Contract", data: Path, labels: Path | None) -> "list[Photo]":
    """The photos of :func:`read` with the labels that the weights know; the others are named on standard error."""
    from training.photos.manifest import apply_recipe, unknown_labels
    from training.recipe import Recipe

    photos = read(data, labels)
    maturities = {category.id: category.maturity for category in contract.categories}
    merge = contract.training.get("recipe", {}).get("merge", {})
    recipe = Recipe.model_validate({"categories": maturities, "merge": merge})
    if unknown := unknown_labels(photos, recipe):
        click.echo(f"left out, not categories of {contract.name}: {', '.join(unknown)}", err=True)
    return apply_recipe(photos, recipe)


def of_split(photos: "list[Photo]", split: str) -> "list[Photo]":
    """The photos of one split; raises :class:`ManifestError` when there are none."""
    from training.photos.manifest import ManifestError, select

    chosen = select(photos, split)
    if not chosen:
        raise ManifestError(f"there are no photos in {split}")
    return chosen
