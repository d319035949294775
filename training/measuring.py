"""The commands ``faunalens evaluate`` and ``thresholds``; what is heavy is imported only when one runs."""

import datetime
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from service.finite import FiniteRange
from training.command import TrainingCommand
from training.options import DATA, LABELS, MODEL, of_split, read_for

_PLAIN = Path(__file__).parent / "plain.toml"

if TYPE_CHECKING:
    from service.contract import Contract
    from service.detector import Detector
    from training.evaluating.evaluation import Scored
    from training.photos.manifest import Photo


@click.command(cls=TrainingCommand)
@MODEL
@DATA
@LABELS
@click.option("--split", type=click.Choice(["train", "val", "test"]), default="val", show_default=True, help="test is for reporting only: choose nothing by it.")  # fmt: skip
@click.option("--policy", help="Name of the policy judged with (default: FAUNALENS_POLICY, or 'default').")
@click.option("--positives-from", metavar="SOURCE", help="Products of this source only, from every split: for weights trained without it.")  # fmt: skip
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder for report.json, report.md and the pictures.")  # fmt: skip
@click.option("--rounds", type=click.IntRange(1), default=1000, show_default=True, help="Bootstrap rounds.")
@click.option("--robustness", type=click.IntRange(1), metavar="N", help="Also measure 17 evasions at three strengths, with N photos without product.")  # fmt: skip
@click.option("--sizes", type=click.IntRange(1), metavar="N", help="Also measure recall by size in the picture, of the category with most photos: each object pasted N times.")  # fmt: skip
@click.option(
    "--contact-sheet", is_flag=True, help="Also write the worst false alarms; shows photos of the collection."
)
def evaluate(
    model: Path | None,
    data: Path,
    labels: Path | None,
    split: str,
    policy: str | None,
    positives_from: str | None,
    out: Path,
    rounds: int,
    robustness: int | None,
    sizes: int | None,
    contact_sheet: bool,
) -> None:
    """Judge a split by the service's own code path; write report.json, a table and pictures.

    The pictures of one category (reliability, evasions, sizes, false alarms) show the one with most photos.
    """
    from service.detector import Detector
    from service.settings import load_settings
    from training.evaluating import evaluation, localisation, pictures, tables
    from training.photos.manifest import check_sources

    detector = Detector(load_settings(model=model))
    _warn(detector.contract, split)
    everything = read_for(detector.contract, data, labels)
    photos = of_split(everything, split)
    if positives_from:
        products = [p for p in everything if p.labels]
        check_sources(products, [positives_from])
        photos = _without_products(photos) + [p for p in products if p.source == positives_from]
    if (robustness or sizes) and (lack := _lacking(photos)):
        raise click.ClickException(f"{lack.format(split)}: nothing to measure evasions or sizes on")
    detector.policy(policy)
    _begin(detector, photos, out)
    scored = evaluation.score_photos(detector, photos, policy)
    measured = evaluation.report(scored, detector, rounds)
    measured["localisation"] = localisation.localisation(scored, detector, rounds)
    result = tables.without_nan({"split": split, "positives_from": positives_from, **measured})
    (out / "report.json").write_text(json.dumps(result, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    (out / "report.md").write_text(tables.markdown(result), encoding="utf-8")
    pictures.precision_recall(scored, out / "precision-recall.png")
    pictures.confusion_matrix(scored, out / "confusion.png")
    main = evaluation.most_shown(scored)
    pictures.reliability(scored, main, out / "reliability.png")
    if robustness is not None:
        _robustness(scored, detector, main, out, robustness)
    if sizes is not None:
        _sizes(scored, detector, main, out, sizes)
    if contact_sheet and (alarms := evaluation.worst_false_alarms(scored, main, 48)):
        pictures.contact_sheet(alarms, out / "worst-false-alarms.png")
    click.echo((out / "report.md").read_text(encoding="utf-8"))


@click.command(cls=TrainingCommand)
@MODEL
@DATA
@LABELS
@click.option("--split", type=click.Choice(["val", "test"]), default="val", show_default=True, help="The labelled photos to measure on.")  # fmt: skip
@click.option("--category", multiple=True, help="Category to set a threshold for; repeatable; default: core ones with products in the split.")  # fmt: skip
@click.option("--prevalence", type=FiniteRange(0, 1, min_open=True, max_open=True), default=0.001, show_default=True, help="Share of your photos that show a category.")  # fmt: skip
@click.option("--photos-per-day", type=FiniteRange(1), required=True, help="Photos that your service judges a day.")
@click.option("--review-capacity", type=FiniteRange(0, min_open=True), required=True, help="Findings that your moderators can look at a day.")  # fmt: skip
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder for thresholds.md, thresholds.png and policies.toml.")  # fmt: skip
def thresholds(
    model: Path | None,
    data: Path,
    labels: Path | None,
    split: str,
    category: tuple[str, ...],
    prevalence: float,
    photos_per_day: float,
    review_capacity: float,
    out: Path,
) -> None:
    """Say what each threshold means on your own stream, and write the policy that your moderators can keep up with."""
    from service.detector import Detector
    from service.settings import load_settings
    from training.evaluating import evaluation, operating, pictures, tables
    from training.exporting.calibration import check_calibration

    detector = Detector(load_settings(model=model, policies=_PLAIN, policy="default"))
    _warn(detector.contract, split)
    photos = of_split(read_for(detector.contract, data, labels), split)
    shown = {name for photo in photos for name in photo.labels}
    core = [c.id for c in detector.contract.categories if c.maturity == "core" and c.id in shown]
    if (unknown := set(category) - shown) or not (category or core):
        raise click.UsageError(f"no photo of {split} shows {', '.join(sorted(unknown)) or 'a core category'}")
    check_calibration(category or core, photos, split)
    _begin(detector, photos, out)
    scored = evaluation.score_photos(detector, photos)
    stream = operating.Stream(photos_per_day, prevalence)
    try:
        groups = [photo.instance for photo in scored.photos]
        table = {name: operating.points(name, *scored.column(name), stream, groups) for name in category or core}
        chosen = operating.choose(table, review_capacity)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    text = tables.operating_points(table, chosen)
    (out / "thresholds.md").write_text(text, encoding="utf-8")
    policy = operating.policy_toml(chosen, stream, review_capacity, datetime.date.today().isoformat())
    (out / "policies.toml").write_text(policy, encoding="utf-8")
    pictures.operating_chart(table, chosen, out / "thresholds.png")
    click.echo(text)


def _begin(detector: "Detector", photos: "list[Photo]", out: Path) -> None:
    """Make the folder ``out``, but not where some of ``photos`` cannot be read: all of these are named."""
    from training.photos.readable import check_readable

    check_readable([photo.path for photo in photos], detector.settings.limits)
    out.mkdir(parents=True, exist_ok=True)


def _warn(contract: "Contract", split: str) -> None:
    from training.fitting.crossfit import fitted_on_val

    if split == "val" and fitted_on_val(contract):
        fitted = f"{contract.name} was fitted on its collection's val photos"
        click.echo(f"{fitted}: on these it looks too good; take --split test, or new photos", err=True)


def _without_products(photos: "list[Photo]") -> "list[Photo]":
    return [photo for photo in photos if not photo.labels]


def _lacking(photos: "list[Photo]") -> str | None:
    if not any(photo.labels for photo in photos):
        return "no photo of {} shows a product"
    return None if _without_products(photos) else "every photo of {} shows a product"


def _robustness(scored: "Scored", detector: "Detector", main: str, out: Path, negatives: int) -> None:
    from training.evaluating import pictures, tables
    from training.evaluating.robustness import robustness

    core = [category.id for category in detector.contract.categories if category.maturity == "core"]
    rows = robustness(scored, detector, core if main in core else [*core, main], negatives)
    tables.write_csv(rows, out / "robustness.csv")
    pictures.robustness_chart(rows, main, out / "robustness.png")


def _sizes(scored: "Scored", detector: "Detector", main: str, out: Path, rounds: int) -> None:
    from training.evaluating import pictures, tables
    from training.evaluating.sizes import sizes

    try:
        rows = sizes(scored, detector, main, rounds)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    tables.write_csv(rows, out / "sizes.csv")
    pictures.sizes_chart(rows, out / "sizes.png")
