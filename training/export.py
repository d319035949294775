"""Checkpoint to ``<name>.onnx`` and its contract ``<name>.json``, and the proof that both say the same as torch."""

import datetime
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from service.classifier import Classifier
from service.contract import Category, Contract, Preprocessing, SelfTest, file_sha256
from service.imaging import Limits, prepare
from training.calibration import calibrate
from training.manifest import Photo, label_counts, select
from training.network import Network, preprocessing
from training.recipe import Recipe
from training.thresholds import choose_thresholds

LIMITS = Limits()
_SELFTEST_SIDE = 160


def export_onnx(network: Network, path: Path, size: int) -> None:
    """Write the network with a dynamic batch: ``pixels`` to ``logits``, ``map`` and ``embedding``.

    Uses torch's TorchScript exporter: the newer one needs onnxscript, and this network has no dynamic control flow.
    Constants are not folded, so that what is kept in half precision stays so in the file; onnxruntime folds them.
    """
    plain = network.eval().to(memory_format=torch.contiguous_format)
    names = ["logits", "map", "embedding"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            plain, (torch.zeros(2, size, size, 3, dtype=torch.uint8),), str(path), dynamo=False, opset_version=18,
            do_constant_folding=False, input_names=["pixels"], output_names=names,
            dynamic_axes={name: {0: "n"} for name in ["pixels", *names]},
        )  # fmt: skip


def export(
    network: Network, recipe: Recipe, photos: Sequence[Photo], folder: Path, name: str, picture: Path
) -> Contract:
    """Write ``name.onnx``, ``name.selftest.png`` and ``name.json`` to ``folder``.

    Calibration and thresholds come from the val split of ``photos``, scored by onnxruntime through the service's own
    preprocessing. ``picture``: the self-test's picture; it is shipped, so it must be ours to ship.
    """
    folder.mkdir(parents=True, exist_ok=True)
    onnx_path = folder / f"{name}.onnx"
    export_onnx(network, onnx_path, recipe.size)
    rule = preprocessing(recipe, network)
    draft = _draft(recipe, rule, name, onnx_path, photos)
    val = [p for p in select(photos, "val") if p.source not in recipe.leave_out_sources]
    logits = score(Classifier(draft, folder), val)
    contract = _with_choices(draft, val, logits)
    contract = contract.model_copy(update={"selftest": _self_test(contract, folder, picture)})
    (folder / f"{name}.json").write_text(contract.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return contract


def score(classifier: Classifier, photos: Sequence[Photo]) -> NDArray[np.float32]:
    """Logits float32 ``[N, C]`` of ``photos`` by the service's imaging and classifier, one picture at a time."""
    rule = classifier.contract.preprocessing
    rows = [classifier.run(prepare(p.path.read_bytes(), LIMITS, rule)[1][None]).logits[0] for p in photos]
    return np.stack(rows)


@torch.inference_mode()
def largest_difference(network: Network, classifier: Classifier, photos: Sequence[Photo]) -> dict[str, float]:
    """Largest difference between torch and onnxruntime over ``photos``: probabilities, logits, map, embedding."""
    worst = {"probabilities": 0.0, "logits": 0.0, "map": 0.0, "embedding": 0.0}
    for photo in photos:
        _, pixels = prepare(photo.path.read_bytes(), LIMITS, classifier.contract.preprocessing)
        logits, maps, embedding = (t.numpy() for t in network.eval()(torch.from_numpy(pixels.copy())[None]))
        found = classifier.run(pixels[None])
        pairs = {
            "probabilities": (classifier.contract.probabilities(logits), found.probabilities),
            "logits": (logits, found.logits), "map": (maps, found.maps), "embedding": (embedding, found.embeddings),
        }  # fmt: skip
        for key, (one, other) in pairs.items():
            worst[key] = max(worst[key], float(np.abs(one - other).max()))
    return worst


def _draft(recipe: Recipe, rule: Preprocessing, name: str, onnx_path: Path, photos: Sequence[Photo]) -> Contract:
    """A contract without choices: probabilities are plain sigmoids, thresholds one half."""
    plain = {"temperature": 1.0, "bias": 0.0, "fitted_on": "nothing"}
    by_split = {split: label_counts(select(photos, split)) for split in ("train", "val", "test")}
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
        training={"recipe": recipe.model_dump(mode="json", exclude={"categories"}), "photos": by_split,
                  "sources": len({p.source for p in select(photos, "train")})},
    )  # fmt: skip


def _with_choices(draft: Contract, val: Sequence[Photo], logits: NDArray[np.float32]) -> Contract:
    wanted = np.array([[category in photo.labels for category in draft.ids] for photo in val])
    calibrations = calibrate(draft.ids, logits.astype(np.float64), wanted)
    fitted = [category.model_copy(update={"calibration": calibrations[category.id]}) for category in draft.categories]
    calibrated = draft.model_copy(update={"categories": tuple(fitted)})
    thresholds = choose_thresholds(calibrated, calibrated.probabilities(logits), wanted, [p.group for p in val])
    final = tuple(c.model_copy(update={"thresholds": thresholds[c.id]}) for c in fitted)
    prevalence = {category: round(float(share), 5) for category, share in zip(draft.ids, wanted.mean(0), strict=True)}
    return calibrated.model_copy(update={"categories": final, "val_prevalence": prevalence})


def _self_test(contract: Contract, folder: Path, picture: Path) -> SelfTest:
    path = folder / contract.selftest.file
    with Image.open(picture) as image:
        small = image.convert("RGB")
        small.thumbnail((_SELFTEST_SIDE, _SELFTEST_SIDE))
        small.save(path, "PNG", optimize=True)
    _, pixels = prepare(path.read_bytes(), LIMITS, contract.preprocessing)
    found = Classifier(contract, folder).run(pixels[None]).probabilities[0]
    scores = {category: round(float(value), 6) for category, value in zip(contract.ids, found, strict=True)}
    return SelfTest(file=path.name, probabilities=scores)
