"""What the training commands share: the options that name photos and weights, and the photos they mean."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from service.contract import Contract
    from training.photos.manifest import Photo
    from training.recipe import Recipe

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

    Those of exclusions.csv are left out, and of ``extra`` what was made on a photo that is not of train (any more).
    What is there twice is told.
    """
    from training.photos.copies import told
    from training.photos.intake import read_photos
    from training.photos.manifest import EXCLUSIONS, ends, select

    photos = read_photos(data, labels, EXCLUSIONS)
    held = {name for photo in photos if photo.split != "train" for name in ends(photo.file)}
    for folder in extra:
        more = read_photos(folder, None, EXCLUSIONS)
        train = select(more, "train")
        photos += [photo for photo in train if photo.background not in held]
        _left_out(folder, "made on val or test photos", [photo for photo in train if photo.background in held])
        _left_out(folder, "not of train", [photo for photo in more if photo.split != "train"])
    for sentence in told(photos):
        click.echo(sentence, err=True)
    return photos


def _left_out(folder: Path, why: str, photos: "list[Photo]") -> None:
    if photos:
        click.echo(f"left out of {folder}, {why}: {len(photos)}, {photos[0].file} for one", err=True)


def read_for(contract: "Contract", data: Path, labels: Path | None) -> "list[Photo]":
    """The photos of :func:`read` with the labels that the weights know; the others are named on standard error."""
    from training.photos.manifest import apply_recipe
    from training.recipe import Recipe

    photos = read(data, labels)
    maturities = {category.id: category.maturity for category in contract.categories}
    merge = contract.training.get("recipe", {}).get("merge", {})
    recipe = Recipe.model_validate({"categories": maturities, "merge": merge})
    tell_unknown(photos, recipe, contract.name)
    return apply_recipe(photos, recipe)


def tell_unknown(photos: "list[Photo]", recipe: "Recipe", whose: str) -> None:
    """Say on standard error which labels of ``photos`` the recipe of ``whose`` neither knows nor merges."""
    from training.photos.manifest import GROUPS, unknown_labels

    if unknown := unknown_labels(photos, recipe):
        known = ", ".join([*recipe.categories, *GROUPS[1:]])
        click.echo(f"left out, not categories of {whose}: {', '.join(unknown)}; it has {known}", err=True)


def of_split(photos: "list[Photo]", split: str) -> "list[Photo]":
    """The photos of one split; raises :class:`ManifestError` when there are none."""
    from training.photos.manifest import ManifestError, select

    chosen = select(photos, split)
    if not chosen:
        raise ManifestError(f"there are no photos in {split}")
    return chosen
