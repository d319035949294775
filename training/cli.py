"""The commands ``faunalens compose``, ``train``, ``export`` and ``quantize``; torch is imported only when one runs."""

import sys
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TYPE_CHECKING

import click

from service.finite import FiniteRange
from training.command import TrainingCommand
from training.options import DATA, LABELS, read, read_for, tell_unknown

if TYPE_CHECKING:
    from service.contract import Contract

RECIPES = Path(__file__).parent / "recipes"
MAX_DIFFERENCE = 1e-3
EXTRA_HELP = "Folder of more training photos with manifest.csv, such as composites or rendered scenes; repeatable."


@click.command(cls=TrainingCommand)
@DATA
@LABELS
@click.option("--extra", type=click.Path(exists=True, path_type=Path), multiple=True, help=EXTRA_HELP)
@click.option("--recipe", type=click.Path(exists=True, path_type=Path), default=RECIPES / "faunalens-2.toml", help="The training recipe, a TOML file; default: the shipped faunalens-2.toml.")  # fmt: skip
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder for checkpoint.pt, log.csv and final.pt; an interrupted run resumes there.")  # fmt: skip
@click.option("--trunk", help="timm model, or torchvision:<model>; replaces the recipe's.")
@click.option("--trunk-weights", help="Path or URL of the trunk's weights; empty: the library's pretrained ones.")
@click.option("--size", type=int, help="Input size in pixels; replaces the recipe's.")
@click.option("--epochs", type=int, help="Number of epochs; replaces the recipe's.")
@click.option("--seed", type=int, help="Seed; replaces the recipe's.")
@click.option("--kind-weight", type=FiniteRange(0), help="Weight of the auxiliary kind loss; replaces the recipe's.")
@click.option("--leave-out-source", multiple=True, help="Leave every photo of this source out of training; repeatable.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), help="cpu or cuda; default: cuda when there is one.")
@click.option(
    "--workers", type=click.IntRange(0), default=1, show_default=True, help="Processes that read and augment photos."
)
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
    from training.fitting.runs import check_calibrated, fitted_photos, run_recipe
    from training.fitting.trainer import choose_hardware
    from training.photos.copies import near
    from training.photos.dataset import keep_in_memory
    from training.photos.intake import summary
    from training.photos.manifest import apply_recipe, check, check_sources, lacking
    from training.recipe import load_recipe

    chosen = load_recipe(
        recipe, trunk=trunk, trunk_weights=trunk_weights, size=size, epochs=epochs, seed=seed, kind_weight=kind_weight,
        leave_out_sources=leave_out_source or None,
    )  # fmt: skip
    everything = read(data, labels, extra)
    check(everything)
    photos = apply_recipe(everything, chosen)
    click.echo(summary(photos))
    tell_unknown(everything, chosen, "the recipe")
    check_sources(everything, chosen.leave_out_sources)
    if lack := lacking([photo for photo in photos if photo.source not in chosen.leave_out_sources]):
        raise click.ClickException(lack)
    check_calibrated(chosen, photos)
    for sentence in near(photos):
        click.echo(sentence, err=True)
    if in_memory:
        keep_in_memory(fitted_photos(chosen, photos))
    path = run_recipe(chosen, photos, out, choose_hardware(chosen, device, workers))
    click.echo(f"checkpoint: {path}")


@click.command(cls=TrainingCommand)
@DATA
@LABELS
@click.option("--extra", type=click.Path(exists=True, path_type=Path), multiple=True, help="Folder of rendered scenes whose subjects are pasted too; repeatable.")  # fmt: skip
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder for the pictures and their manifest.csv.")  # fmt: skip
@click.option("--count", type=click.IntRange(1), default=1000, show_default=True, help="Number of pictures.")
@click.option("--shares", type=FiniteRange(0, 1, min_open=True), nargs=2, default=(0.06, 0.8), show_default=True, help="Smallest and largest share of the picture that an object's box covers.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Seed.")
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
    from service.runtime.cores import available_cores
    from training.synthesis.composites import write

    if shares[0] > shares[1]:
        raise click.UsageError("--shares takes the smallest share first")
    try:
        made = write(read(data, labels, extra), out, count, shares, seed, jobs or available_cores())
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    except BrokenProcessPool as error:
        message = "a process died, for want of memory perhaps: the same command goes on, and fewer --jobs need less"
        raise click.ClickException(message) from error
    click.echo(f"{made} pictures in {out}")


@click.command(cls=TrainingCommand)
@click.option(
    "--checkpoint",
    type=click.Path(exists=True, path_type=Path),
    required=True,
    help="A run's final.pt, or its checkpoint.pt.",
)
@DATA
@LABELS
@click.option("--extra", type=click.Path(exists=True, path_type=Path), multiple=True, help="Folder of more training photos, as given to train; repeatable.")  # fmt: skip
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder for NAME.onnx, NAME.json and NAME.selftest.png.")  # fmt: skip
@click.option("--name", help="Name of the weights; default: the recipe's.")
@click.option("--picture", type=click.Path(exists=True, path_type=Path), required=True, help="Picture of the self-test; it is shipped with the weights.")  # fmt: skip
@click.option("--validate", type=click.IntRange(1), default=200, show_default=True, help="Val photos compared between torch and onnxruntime.")  # fmt: skip
def export(
    checkpoint: Path,
    data: Path,
    labels: Path | None,
    extra: tuple[Path, ...],
    out: Path,
    name: str | None,
    picture: Path,
    validate: int,
) -> None:
    """Export a checkpoint to ONNX with its contract, and prove that onnxruntime agrees with torch.

    Calibration and thresholds are chosen on the val split, or on the scores out of folds that the checkpoint keeps. Exit code 1 when any probability differs by more than 1e-3.
    """
    from service.classifier import Classifier
    from training.exporting import export as exporting
    from training.fitting.crossfit import kept_scores
    from training.fitting.trainer import load_network
    from training.photos.manifest import apply_recipe, select
    from training.photos.readable import LIMITS, check_readable

    try:
        network, recipe = load_network(checkpoint)
        photos = apply_recipe(read(data, labels, extra), recipe)
        scores, val = kept_scores(checkpoint), select(photos, "val")
        compared = val[:: max(1, len(val) // validate)][:validate]
        check_readable([photo.path for photo in (compared if scores else val)], LIMITS)
        contract = exporting.export(network, recipe, photos, out, name or recipe.name, picture, scores)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    _tell(contract, out)
    worst = exporting.largest_difference(network, Classifier(contract, out), compared)
    click.echo(
        f"largest differences over {len(compared)} photos: " + ", ".join(f"{k} {v:.2e}" for k, v in worst.items())
    )
    sys.exit(int(not worst["probabilities"] <= MAX_DIFFERENCE))


@click.command(cls=TrainingCommand)
@click.option("--model", type=click.Path(exists=True, path_type=Path), envvar="FAUNALENS_MODEL", help="The contract of the network to quantise; default: the shipped one in single precision.")  # fmt: skip
@DATA
@LABELS
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder for NAME-int8.onnx, .json and .selftest.png.")  # fmt: skip
@click.option("--photos", "count", type=click.IntRange(1), default=300, show_default=True, help="Photos of train to measure the network on.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Which photos.")
def quantize(model: Path | None, data: Path, labels: Path | None, out: Path, count: int, seed: int) -> None:
    """Write a network in 8-bit integers beside a given one: faster on CPUs, a little less exact.

    Calibration and thresholds are chosen anew on the val split, or kept where the weights were fitted on it. Compare both with `faunalens evaluate` before you use it.
    """
    from service.contract import load_contract
    from service.detector import PLAIN_MODEL, shipped_weights
    from service.settings import load_settings
    from training.exporting import quantize as quantizing

    path = load_settings(model=model).model or shipped_weights() / PLAIN_MODEL
    source = load_contract(path)
    try:
        contract = quantizing.quantize(path, read_for(source, data, labels), out, f"{source.name}-int8", count, seed)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    _tell(contract, out)


def _tell(contract: "Contract", folder: Path) -> None:
    """Say which network was written."""
    path = folder / contract.file
    click.echo(f"{path}: {path.stat().st_size / 1e6:.1f} MB, sha256 {contract.sha256}")
