"""The commands ``faunalens train``, ``export``, ``quantize``, ``evaluate`` and ``thresholds``; torch is imported only when one runs."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from training.command import TrainingCommand

if TYPE_CHECKING:
    from service.contract import Contract
    from service.detector import Detector
    from training.evaluation import Scored
    from training.manifest import Photo

RECIPES = Path(__file__).parent / "recipes"
EXCLUSIONS = Path(__file__).parent / "exclusions.csv"
MAX_DIFFERENCE = 1e-3
DATA_HELP = "Folder of photos with manifest.csv, or with a folder for each category (environment: FAUNALENS_DATA)."
EXTRA_HELP = "Folder of more training photos with manifest.csv, such as composites or rendered scenes; repeatable."
LABELS_HELP = "Labels of the photos in --data: a CSV, a Label Studio export or COCO; replaces manifest.csv."


@click.command(cls=TrainingCommand)
@click.option("--data", type=click.Path(path_type=Path), default=Path("../shared/data"), envvar="FAUNALENS_DATA", show_default=True, help=DATA_HELP)  # fmt: skip
@click.option("--labels", type=click.Path(exists=True, path_type=Path), help=LABELS_HELP)
@click.option("--extra", type=click.Path(exists=True, path_type=Path), multiple=True, help=EXTRA_HELP)
@click.option("--recipe", type=click.Path(exists=True, path_type=Path), default=RECIPES / "faunalens-2.toml", help="The training recipe, a TOML file; default: the shipped faunalens-2.toml.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for checkpoint.pt, log.csv and final.pt; an interrupted run resumes there.")  # fmt: skip
@click.option("--trunk", help="timm model, or torchvision:<model>; replaces the recipe's.")
@click.option("--trunk-weights", help="Path or URL of the trunk's weights; empty: the library's pretrained ones.")
@click.option("--size", type=int, help="Input size in pixels; replaces the recipe's.")
@click.option("--epochs", type=int, help="Number of epochs; replaces the recipe's.")
@click.option("--seed", type=int, help="Seed; replaces the recipe's.")
@click.option("--kind-weight", type=float, help="Weight of the auxiliary kind loss; replaces the recipe's.")
@click.option("--leave-out-source", multiple=True, help="Leave every photo of this source out of training; repeatable.")
@click.option("--device", help="cpu or cuda; default: cuda when there is one.")
@click.option("--workers", type=int, default=1, show_default=True, help="Processes that read and augment photos.")
@click.option("--in-memory", is_flag=True, help="Decode every training photo once and keep it: 3 bytes a pixel.")
def train(
    data: Path,
    labels: Path | None,
    extra: tuple[Path, ...],
    recipe: Path,
    out: Path,
    trunk: str | None,
    trunk_weights: str | None,
    size: int | None,
    epochs: int | None,
    seed: int | None,
    kind_weight: float | None,
    leave_out_source: tuple[str, ...],
    device: str | None,
    workers: int,
    in_memory: bool,
) -> None:
    """Fine-tune a pretrained trunk on a manifest of photos.

    Progress is shown per epoch, with AUROC and recall on the val split. Stop it at any time: the same command goes on
    from the last finished epoch and ends with the same weights.
    """
    from training.dataset import keep_in_memory
    from training.intake import summary
    from training.manifest import apply_recipe, lacking, unknown_labels
    from training.recipe import load_recipe
    from training.runs import fitted_photos, run_recipe
    from training.trainer import choose_hardware

    chosen = load_recipe(
        recipe, trunk=trunk, trunk_weights=trunk_weights, size=size, epochs=epochs, seed=seed, kind_weight=kind_weight,
        leave_out_sources=leave_out_source or None,
    )  # fmt: skip
    everything = [*_photos(data, labels), *_extra(extra)]
    photos = apply_recipe(everything, chosen)
    click.echo(summary(photos))
    if unknown := unknown_labels(everything, chosen):
        click.echo(f"left out, not categories of the recipe: {', '.join(unknown)}", err=True)
    if lack := lacking([photo for photo in photos if photo.source not in chosen.leave_out_sources]):
        raise click.ClickException(lack)
    if in_memory:
        keep_in_memory(fitted_photos(chosen, photos))
    path = run_recipe(chosen, photos, out, choose_hardware(chosen, device, workers))
    click.echo(f"checkpoint: {path}")


@click.command(cls=TrainingCommand)
@click.option("--data", type=click.Path(path_type=Path), default=Path("../shared/data"), envvar="FAUNALENS_DATA", show_default=True, help=DATA_HELP)  # fmt: skip
@click.option("--labels", type=click.Path(exists=True, path_type=Path), help=LABELS_HELP)
@click.option("--extra", type=click.Path(exists=True, path_type=Path), multiple=True, help="Folder of rendered scenes whose subjects are pasted too; repeatable.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the pictures and their manifest.csv.")  # fmt: skip
@click.option("--count", type=click.IntRange(1), default=1000, show_default=True, help="Number of pictures.")
@click.option("--shares", type=click.FloatRange(0, 1, min_open=True), nargs=2, default=(0.06, 0.8), show_default=True, help="Smallest and largest share of the picture that an object's box covers.")  # fmt: skip
@click.option("--seed", type=int, default=1, show_default=True, help="Seed.")
@click.option("--jobs", type=click.IntRange(1), help="Processes; default: one per core.")
def compose(
    data: Path,
    labels: Path | None,
    extra: tuple[Path, ...],
    out: Path,
    count: int,
    shares: tuple[float, float],
    seed: int,
    jobs: int | None,
) -> None:
    """Make cut-and-paste training pictures: objects with a plain background on listing photos.

    Only photos of the training split are used. Give the folder to train as --extra.
    """
    from service.cores import available_cores
    from training.composites import write

    try:
        made = write([*_photos(data, labels), *_extra(extra)], out, count, shares, seed, jobs or available_cores())
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{made} pictures in {out}")


@click.command(cls=TrainingCommand)
@click.option(
    "--checkpoint",
    type=click.Path(exists=True, path_type=Path),
    required=True,
    help="A run's final.pt, or its checkpoint.pt.",
)
@click.option("--data", type=click.Path(path_type=Path), default=Path("../shared/data"), envvar="FAUNALENS_DATA", show_default=True, help=DATA_HELP)  # fmt: skip
@click.option("--labels", type=click.Path(exists=True, path_type=Path), help=LABELS_HELP)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for NAME.onnx, NAME.json and NAME.selftest.png.")  # fmt: skip
@click.option("--name", help="Name of the weights; default: the recipe's.")
@click.option("--picture", type=click.Path(exists=True, path_type=Path), required=True, help="Picture of the self-test; it is shipped with the weights.")  # fmt: skip
@click.option("--validate", type=int, default=200, show_default=True, help="Val photos compared between torch and onnxruntime.")  # fmt: skip
def export(
    checkpoint: Path, data: Path, labels: Path | None, out: Path, name: str | None, picture: Path, validate: int
) -> None:
    """Export a checkpoint to ONNX with its contract, and prove that onnxruntime agrees with torch.

    Calibration and thresholds are chosen on the val split, or on the scores out of folds that the checkpoint keeps. Exit code 1 when any probability differs by more than 1e-3.
    """
    import sys

    from service.classifier import Classifier
    from training import export as exporting
    from training.crossfit import kept_scores
    from training.manifest import apply_recipe, select
    from training.trainer import load_network

    try:
        network, recipe = load_network(checkpoint)
        photos = apply_recipe(_photos(data, labels), recipe)
        contract = exporting.export(network, recipe, photos, out, name or recipe.name, picture, kept_scores(checkpoint))
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{out / contract.file}: {(out / contract.file).stat().st_size / 1e6:.1f} MB, sha256 {contract.sha256}")
    compared = select(photos, "val")[:: max(1, len(select(photos, "val")) // validate)][:validate]
    worst = exporting.largest_difference(network, Classifier(contract, out), compared)
    click.echo(
        f"largest differences over {len(compared)} photos: " + ", ".join(f"{k} {v:.2e}" for k, v in worst.items())
    )
    sys.exit(int(worst["probabilities"] > MAX_DIFFERENCE))


@click.command(cls=TrainingCommand)
@click.option("--model", type=click.Path(exists=True, path_type=Path), envvar="FAUNALENS_MODEL", help="The contract of the network to quantise; default: the shipped one.")  # fmt: skip
@click.option("--data", type=click.Path(path_type=Path), default=Path("../shared/data"), envvar="FAUNALENS_DATA", show_default=True, help=DATA_HELP)  # fmt: skip
@click.option("--labels", type=click.Path(exists=True, path_type=Path), help=LABELS_HELP)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for NAME-int8.onnx, .json and .selftest.png.")  # fmt: skip
@click.option("--photos", "count", type=click.IntRange(1), default=300, show_default=True, help="Photos of train that give the ranges.")  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="Which photos.")
def quantize(model: Path | None, data: Path, labels: Path | None, out: Path, count: int, seed: int) -> None:
    """Write a network in 8-bit integers beside a shipped one: faster on CPUs, a little less exact.

    Calibration and thresholds are chosen anew on the val split, or kept where the weights were fitted on it. Compare both with `faunalens evaluate` before you use it.
    """
    from service.contract import load_contract
    from service.detector import DEFAULT_MODEL, shipped_weights
    from training import quantize as quantizing

    model = model or shipped_weights() / DEFAULT_MODEL
    name = f"{load_contract(model).name}-int8"
    try:
        contract = quantizing.quantize(model, _photos(data, labels), out, name, count, seed)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{out / contract.file}: {(out / contract.file).stat().st_size / 1e6:.1f} MB, sha256 {contract.sha256}")


@click.command(cls=TrainingCommand)
@click.option("--model", type=click.Path(exists=True, path_type=Path), envvar="FAUNALENS_MODEL", help="The contract, weights/<name>.json; default: the shipped one.")  # fmt: skip
@click.option("--data", type=click.Path(path_type=Path), default=Path("../shared/data"), envvar="FAUNALENS_DATA", show_default=True, help=DATA_HELP)  # fmt: skip
@click.option("--labels", type=click.Path(exists=True, path_type=Path), help=LABELS_HELP)
@click.option("--split", type=click.Choice(["train", "val", "test"]), default="val", show_default=True, help="test is for reporting only: choose nothing by it.")  # fmt: skip
@click.option("--policy", help="Name of the policy judged with (default: FAUNALENS_POLICY, or 'default').")
@click.option("--positives-from", metavar="SOURCE", help="Products of this source only, from every split: for weights trained without it.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for report.json, report.md and the pictures.")  # fmt: skip
@click.option("--rounds", type=int, default=1000, show_default=True, help="Bootstrap rounds.")
@click.option("--robustness", type=int, metavar="N", help="Also measure 17 evasions at three strengths, with N photos without product.")  # fmt: skip
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
    import json

    from service.detector import Detector
    from service.settings import load_settings
    from training import evaluation, pictures, tables

    detector = Detector(load_settings(model=model))
    _warn(detector.contract, split)
    everything = _photos(data, labels)
    photos = _split(everything, split)
    if positives_from:
        photos = [p for p in photos if not p.labels] + [
            p for p in everything if p.labels and p.source == positives_from
        ]
    scored = evaluation.score_photos(detector, photos, policy)
    if not (robustness is None and sizes is None) and not scored.positive.any():
        raise click.ClickException(f"no photo of {split} shows a product: nothing to measure evasions or sizes on")
    out.mkdir(parents=True, exist_ok=True)
    result = {"split": split, "positives_from": positives_from, **evaluation.report(scored, detector, rounds)}
    (out / "report.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    (out / "report.md").write_text(tables.markdown(result), encoding="utf-8")
    pictures.precision_recall(scored, out / "precision-recall.png")
    pictures.confusion_matrix(scored, out / "confusion.png")
    main = evaluation.most_shown(scored)
    pictures.reliability(scored, main, out / "reliability.png")
    if robustness is not None:
        _robustness(scored, detector, main, out, robustness)
    if sizes is not None:
        _sizes(scored, detector, main, out, sizes)
    if contact_sheet:
        pictures.contact_sheet(evaluation.worst_false_alarms(scored, main, 48), out / "worst-false-alarms.png")
    click.echo((out / "report.md").read_text(encoding="utf-8"))


@click.command(cls=TrainingCommand)
@click.option("--model", type=click.Path(exists=True, path_type=Path), envvar="FAUNALENS_MODEL", help="The contract, weights/<name>.json; default: the shipped one.")  # fmt: skip
@click.option("--data", type=click.Path(path_type=Path), default=Path("../shared/data"), envvar="FAUNALENS_DATA", show_default=True, help=DATA_HELP)  # fmt: skip
@click.option("--labels", type=click.Path(exists=True, path_type=Path), help=LABELS_HELP)
@click.option("--split", type=click.Choice(["val", "test"]), default="val", show_default=True, help="The labelled photos to measure on.")  # fmt: skip
@click.option("--category", multiple=True, help="Category to set a threshold for; repeatable; default: core ones with products in the split.")  # fmt: skip
@click.option("--prevalence", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.001, show_default=True, help="Share of your photos that show a category.")  # fmt: skip
@click.option(
    "--photos-per-day", type=click.FloatRange(1), required=True, help="Photos that your service judges a day."
)
@click.option("--review-capacity", type=click.FloatRange(0, min_open=True), required=True, help="Findings that your moderators can look at a day.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for thresholds.md, thresholds.png and policies.toml.")  # fmt: skip
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
    import datetime

    from service.detector import Detector
    from service.settings import load_settings
    from training import evaluation, operating, pictures, tables

    detector = Detector(load_settings(model=model))
    _warn(detector.contract, split)
    scored = evaluation.score_photos(detector, _split(_photos(data, labels), split))
    core = [c.id for c in detector.contract.categories if c.maturity == "core" and scored.column(c.id)[1].any()]
    unknown = set(category) - {c for c in scored.categories if scored.column(c)[1].any()}
    if unknown or not (category or core):
        raise click.UsageError(f"no photo of {split} shows {', '.join(sorted(unknown)) or 'a core category'}")
    stream = operating.Stream(photos_per_day, prevalence)
    table = {name: operating.points(name, *scored.column(name), stream) for name in category or core}
    try:
        chosen = operating.choose(table, review_capacity)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    out.mkdir(parents=True, exist_ok=True)
    text = tables.operating_points(table, chosen)
    (out / "thresholds.md").write_text(text, encoding="utf-8")
    policy = operating.policy_toml(chosen, stream, review_capacity, datetime.date.today().isoformat())
    (out / "policies.toml").write_text(policy, encoding="utf-8")
    pictures.operating_chart(table, chosen, out / "thresholds.png")
    click.echo(text)


def _warn(contract: "Contract", split: str) -> None:
    from training.crossfit import fitted_on_val

    if split == "val" and fitted_on_val(contract):
        click.echo(f"{contract.name} was fitted on its collection's val photos: on these it looks too good", err=True)


def _photos(data: Path, labels: Path | None) -> "list[Photo]":
    from training.intake import read_photos

    return read_photos(data, labels, EXCLUSIONS)


def _split(photos: "list[Photo]", split: str) -> "list[Photo]":
    from training.manifest import ManifestError, select

    chosen = select(photos, split)
    if not chosen:
        raise ManifestError(f"there are no photos in {split}")
    return chosen


def _extra(folders: tuple[Path, ...]) -> "list[Photo]":
    """Training photos of further folders; what they hold for other splits is not used."""
    return [photo for folder in folders for photo in _photos(folder, None) if photo.split == "train"]


def _robustness(scored: "Scored", detector: "Detector", main: str, out: Path, negatives: int) -> None:
    from training import pictures
    from training.robustness import robustness, write_csv

    core = [category.id for category in detector.contract.categories if category.maturity == "core"]
    rows = robustness(scored, detector, core if main in core else [*core, main], negatives)
    write_csv(rows, out / "robustness.csv")
    pictures.robustness_chart(rows, main, out / "robustness.png")


def _sizes(scored: "Scored", detector: "Detector", main: str, out: Path, rounds: int) -> None:
    from training import pictures
    from training.sizes import sizes, write_sizes

    try:
        rows = sizes(scored, detector, main, rounds)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    write_sizes(rows, out / "sizes.csv")
    pictures.sizes_chart(rows, out / "sizes.png")
