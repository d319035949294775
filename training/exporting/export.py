"""Checkpoint to ``<name>.onnx`` and its contract ``<name>.json``, and the proof that both say the same as torch."""

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from PIL import Image

from service.classifier import Classifier
from service.contract import Category, Contract, Preprocessing, SelfTest, file_sha256
from service.imaging import decode, prepare
from training.exporting.calibration import calibrate, check_calibration
from training.exporting.graph import write_graph
from training.exporting.halves import store_halves
from training.exporting.normalisation import fold_normalisation
from training.exporting.optional_map import make_map_optional
from training.exporting.thresholds import choose_thresholds
from training.exporting.whole import written_whole
from training.fitting.crossfit import OutOfFold
from training.fitting.network import Network, preprocessing
from training.photos.dataset import read_pixels
from training.photos.manifest import SPLITS, Photo, label_counts, named, select
from training.photos.readable import LIMITS
from training.recipe import Recipe

_SELFTEST_SIDE = 160


def export_onnx(network: Network, path: Path, size: int) -> None:
    """Write the network with a dynamic batch: ``pixels`` to ``logits``, ``map`` and ``embedding``.

    Constants are not folded, so that what is kept in half precision stays so in the file; onnxruntime folds them.
    """
    pixels = torch.zeros(2, size, size, 3, dtype=torch.uint8)
    names = ["logits", "map", "embedding"]
    axes = {name: {0: "n"} for name in ["pixels", *names]}
    write_graph(network, pixels, path, do_constant_folding=False, output_names=names, dynamic_axes=axes)
    _name_depth(path, network.head.out_channels)
    fold_normalisation(path)
    store_halves(path)
    make_map_optional(path)


def _name_depth(path: Path, categories: int) -> None:
    """Write the map's number of categories into the file: of a single one, the exporter's shape inference loses it."""
    model = onnx.load(path)
    depth = {output.name: output for output in model.graph.output}["map"].type.tensor_type.shape.dim[1]
    depth.dim_value = categories
    onnx.save(model, path)


def export(
    network: Network, recipe: Recipe, photos: Sequence[Photo], folder: Path, name: str, picture: Path,
    scores: OutOfFold | None = None,
) -> Contract:  # fmt: skip
    """Write ``name.onnx``, ``name.selftest.png`` and ``name.json`` to ``folder``.

    Calibration and thresholds come from the val split of ``photos``, scored by onnxruntime through the service's own
    preprocessing; with ``scores``, from these. Raises ValueError, before anything is written, where ``photos`` lack one
    that was scored or cannot be calibrated on (:func:`check_calibration`), or where ``picture`` is none.
    ``picture``: the self-test's picture; it is shipped, so it must be ours to ship.
    """
    small = _small(picture)
    held = _scored(photos, scores) if scores else select(photos, "val", recipe.leave_out_sources)
    where = "train and val, out of fold" if scores else "val"
    check_calibration(tuple(recipe.categories), held, where)
    with written_whole(folder, name) as made:
        export_onnx(network, made / f"{name}.onnx", recipe.size)
        small.save(made / f"{name}.selftest.png", "PNG", optimize=True)
        draft = _draft(recipe, preprocessing(recipe, network), name, made / f"{name}.onnx", photos)
        logits = scores.logits if scores else score(Classifier(draft, made), held)
        return with_self_test(fitted(draft, held, logits, where), made)


def score(classifier: Classifier, photos: Sequence[Photo]) -> NDArray[np.float32]:
    """Logits float32 ``[N, C]`` of ``photos`` by the service's imaging and classifier, one picture at a time."""
    rule = classifier.contract.preprocessing
    return np.stack([classifier.run(read_pixels(photo, rule)[None]).logits[0] for photo in photos])


@torch.inference_mode()
def largest_difference(network: Network, classifier: Classifier, photos: Sequence[Photo]) -> dict[str, float]:
    """Largest difference between torch and onnxruntime over ``photos``: probabilities, logits, map, embedding."""
    worst = {"probabilities": 0.0, "logits": 0.0, "map": 0.0, "embedding": 0.0}
    for photo in photos:
        pixels = read_pixels(photo, classifier.contract.preprocessing)
        logits, maps, embedding = (t.numpy() for t in network.eval()(torch.from_numpy(pixels.copy())[None]))
        found = classifier.run(pixels[None])
        pairs = {
            "probabilities": (classifier.contract.probabilities(logits), found.probabilities),
            "logits": (logits, found.logits), "map": (maps, found.maps), "embedding": (embedding, found.embeddings),
        }  # fmt: skip
        for key, (one, other) in pairs.items():
            # unlike max, not deaf to what is no number
            worst[key] = float(np.maximum(worst[key], np.abs(one - other).max()))
    return worst


def _draft(recipe: Recipe, rule: Preprocessing, name: str, onnx_path: Path, photos: Sequence[Photo]) -> Contract:
    """A contract without choices: probabilities are plain sigmoids, thresholds one half."""
    plain = {"temperature": 1.0, "bias": 0.0, "fitted_on": "nothing"}
    by_split = {split: label_counts(select(photos, split)) for split in SPLITS}
    categories = tuple(
        Category.model_validate({
            "id": category, "maturity": maturity, "calibration": plain,
            "thresholds": {"sensitive": 0.5, "review": 0.5, "priority": 0.5},
            "support": {split: counts.get(category, 0) for split, counts in by_split.items()},
        })
        for category, maturity in recipe.categories.items()
    )  # fmt: skip
    return Contract(
        name=name,
        created=datetime.date.today().isoformat(),
        file=onnx_path.name,
        sha256=file_sha256(onnx_path),
        preprocessing=rule,
        categories=categories,
        selftest=SelfTest(file=f"{name}.selftest.png", probabilities={}),
        val_prevalence={},
        training={"recipe": _public(recipe), "photos": by_split,
                  "sources": len({p.source for p in select(photos, "train")})},
    )  # fmt: skip


def _public(recipe: Recipe) -> dict[str, Any]:
    """The recipe for a file that others read: of a path to the trunk's weights only the name."""
    named = recipe.model_copy(update={"trunk_weights": recipe.trunk_weights.rpartition("/")[2]})
    return named.model_dump(mode="json", exclude={"categories"})


def _scored(photos: Sequence[Photo], scores: OutOfFold) -> list[Photo]:
    by_file = {photo.file: photo for photo in photos if photo.split != "test"}
    if missing := [file for file in scores.files if file not in by_file]:
        raise ValueError(
            f"{len(missing)} photos that the network was fitted on are not here, {missing[0]} for one: "
            "name the --data and --extra of train"
        )
    return [by_file[file] for file in scores.files]


def fitted(draft: Contract, photos: Sequence[Photo], logits: NDArray[np.float32], where: str = "val") -> Contract:
    """``draft`` with calibration and thresholds chosen on ``photos``, whose logits are float32 ``[N, C]``."""
    wanted = np.array([[category in photo.labels for category in draft.ids] for photo in photos])
    calibrations = calibrate(draft.ids, logits.astype(np.float64), wanted, where)
    scaled = [category.model_copy(update={"calibration": calibrations[category.id]}) for category in draft.categories]
    calibrated = draft.model_copy(update={"categories": tuple(scaled)})
    thresholds = choose_thresholds(calibrated, calibrated.probabilities(logits).astype(np.float64), wanted)
    final = tuple(c.model_copy(update={"thresholds": thresholds[c.id]}) for c in scaled)
    prevalence = {category: round(float(share), 5) for category, share in zip(draft.ids, wanted.mean(0), strict=True)}
    return calibrated.model_copy(update={"categories": final, "val_prevalence": prevalence})


def _small(picture: Path) -> Image.Image:
    with named(picture):
        small = decode(picture.read_bytes(), LIMITS).rgb
    small.thumbnail((_SELFTEST_SIDE, _SELFTEST_SIDE))
    return small


def with_self_test(contract: Contract, folder: Path) -> Contract:
    """``contract`` with the scores of its self-test's picture, written to ``folder``, where picture and network lie."""
    scores = _self_test_scores(contract, folder)
    whole = contract.model_copy(update={"selftest": contract.selftest.model_copy(update={"probabilities": scores})})
    (folder / f"{contract.name}.json").write_text(whole.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return whole


def _self_test_scores(contract: Contract, folder: Path) -> dict[str, float]:
    """Probabilities of the self-test's picture in ``folder``."""
    data = (folder / contract.selftest.file).read_bytes()
    _, pixels = prepare(data, LIMITS, contract.preprocessing)
    found = Classifier(contract, folder).run(pixels[None]).probabilities[0]
    return {category: round(float(value), 6) for category, value in zip(contract.ids, found, strict=True)}
