"""Scores of a split through the service's own code path, and the numbers that are always reported."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from service.answer import Answer
from service.detector import Detector
from service.runtime.cores import available_cores
from training.evaluating.shares import precision_interval, share_of
from training.evaluating.statistics import (
    Flags,
    Scores,
    auroc,
    average_precision,
    bootstrap,
    brier,
    expected_calibration_error,
    precision_at_prevalence,
    recall_at,
    threshold_at,
)  # fmt: skip
from training.photos.manifest import Photo, named

PREVALENCES = (0.001, 0.01, 0.05)
SMALL = 30
"""Fewer instances than these are named a small sample."""
STATISTICS = {"auroc": auroc, "average_precision": average_precision}
RECALLS = {"recall_at_1pct_fpr": 0.01, "recall_at_0.1pct_fpr": 0.001}


@dataclass(frozen=True)
class Scored:
    """Photos with their answers; ``scores`` and ``positive`` are ``[N, C]`` in the order of ``categories``."""

    photos: Sequence[Photo]
    answers: Sequence[Answer]
    categories: tuple[str, ...]
    scores: Scores
    positive: Flags

    def column(self, category: str) -> tuple[Scores, Flags]:
        """Scores and flags of one category."""
        index = self.categories.index(category)
        return self.scores[:, index], self.positive[:, index]

    def instances(self, chosen: Flags) -> list[str]:
        """The instances of the photos where ``chosen`` is true."""
        return [self.photos[int(i)].instance for i in np.flatnonzero(chosen)]

    def found(self, category: str | None = None) -> Flags:
        """Which photos have a finding of ``category``, or of any."""
        return np.array([any(category in (None, f.category) for f in answer.findings) for answer in self.answers])

    def subset(self, chosen: Flags) -> "Scored":
        """The photos where ``chosen`` is true."""
        rows = [int(row) for row in np.flatnonzero(chosen)]
        return Scored([self.photos[i] for i in rows], [self.answers[i] for i in rows], self.categories,
                      self.scores[rows], self.positive[rows])  # fmt: skip


def score_photos(detector: Detector, photos: Sequence[Photo], policy: str | None = None) -> Scored:
    """Judge ``photos`` exactly as the endpoint does.

    Raises :class:`~training.photos.manifest.ManifestError` for one that cannot be read.
    """
    chosen = detector.policy(policy)

    def judge(photo: Photo) -> Answer:
        with named(photo.path):
            return detector.answer(photo.path.read_bytes(), "evaluate", chosen)

    with ThreadPoolExecutor(available_cores()) as pool:
        answers = list(tqdm(pool.map(judge, photos), "scoring", total=len(photos), unit="photo", mininterval=2))
    categories = detector.contract.ids
    scores = np.array([[answer.scores[category] for category in categories] for answer in answers])
    positive = np.array([[category in photo.labels for category in categories] for photo in photos])
    return Scored(photos, answers, categories, scores, positive)


def most_shown(scored: Scored) -> str:
    """The category that most of the photos show; the first of those with equally many."""
    return scored.categories[int(scored.positive.sum(axis=0).argmax())]


def report(scored: Scored, detector: Detector, rounds: int) -> dict[str, Any]:
    """Everything reported on a split; see :func:`category_report` and :func:`group_report`."""
    return {
        "model": {"name": detector.contract.name, "sha256": detector.contract.sha256},
        "policy": scored.answers[0].policy.model_dump(),
        "photos": len(scored.photos),
        "categories": {category: category_report(scored, category, rounds) for category in scored.categories},
        "groups": {name: group_report(part) for name, part in _parts(scored, lambda p: p.group)},
        "sources": {name: group_report(part) for name, part in _parts(scored, lambda p: p.source)},
        "kinds": _kinds(scored),
        "verdicts": _verdicts(scored),
        "confusion": confusion(scored),
    }


def category_report(scored: Scored, category: str, rounds: int) -> dict[str, Any]:
    """Ranking, calibration and the shipped thresholds of one category, with 95 % intervals over instances."""
    scores, positive = scored.column(category)
    groups = [photo.instance for photo in scored.photos]
    instances = len(set(scored.instances(positive)))
    result: dict[str, Any] = {
        "positives": int(positive.sum()), "negatives": int((~positive).sum()), "instances": instances,
        "small_sample": instances < SMALL,
    }  # fmt: skip
    if not instances:
        return result
    for name, statistic in STATISTICS.items():
        interval = bootstrap(statistic, scores, positive, groups, rounds)
        value = float("nan") if positive.all() else statistic(scores, positive)
        result[name] = {"value": value, "interval": interval}
    for name, rate in RECALLS.items():
        result[name] = _recall(scored, category, rate, rounds)
    result["ece"] = expected_calibration_error(scores, positive)
    result["brier"] = brier(scores, positive)
    result["shipped"] = _shipped(scored, category, positive)
    return result


def _recall(scored: Scored, category: str, rate: float, rounds: int) -> dict[str, Any]:
    """Recall at a false-positive rate. Its interval is the bootstrap's, in which the threshold moves too, and no
    narrower than that of the share of positives, since the bootstrap of a few photos that are all found has no width.
    """
    scores, positive = scored.column(category)
    value = recall_at(rate)(scores, positive)
    if np.isnan(value):
        return {"value": value, "interval": (value, value)}
    found = scores[positive] > threshold_at(scores, positive, rate)
    share = share_of(found, scored.instances(positive)).interval
    drawn = bootstrap(recall_at(rate), scores, positive, [photo.instance for photo in scored.photos], rounds)
    return {"value": value, "interval": (float(np.fmin(share[0], drawn[0])), float(np.fmax(share[1], drawn[1])))}


def _shipped(scored: Scored, category: str, positive: Flags) -> dict[str, Any]:
    """Recall, false-positive rate and precision by prevalence at the shipped thresholds, for review and priority."""
    points: dict[str, Any] = {}
    for verdict in ("review", "priority"):
        flagged = np.array([
            any(f.category == category and (verdict == "review" or f.verdict == "priority") for f in answer.findings)
            for answer in scored.answers
        ])  # fmt: skip
        recall, alarms = (share_of(flagged[part], scored.instances(part)) for part in (positive, ~positive))
        points[verdict] = {
            "recall": recall.value,
            "false_positive_rate": alarms.value,
            "precision_at_prevalence": {
                f"{prevalence:g}": precision_at_prevalence(recall.value, alarms.value, prevalence)
                for prevalence in PREVALENCES
            },
            "intervals": {
                "recall": recall.interval,
                "false_positive_rate": alarms.interval,
                "precision_at_prevalence": {
                    f"{prevalence:g}": precision_interval(recall, alarms, prevalence) for prevalence in PREVALENCES
                },
            },
        }
    return points


def group_report(scored: Scored) -> dict[str, Any]:
    """How many photos of a group or source get a finding of any category, with its interval."""
    found = scored.found()
    products = scored.positive.any(axis=1)
    groups = [photo.instance for photo in scored.photos]
    share = share_of(found, groups)
    return {
        "photos": len(found),
        "instances": len(set(groups)),
        "products": int(products.sum()),
        "with_finding": int(found.sum()),
        "share": share.value,
        "interval": share.interval,
        "products_found": int((found & products).sum()),
        "others_found": int((found & ~products).sum()),
    }


def _kinds(scored: Scored) -> dict[str, dict[str, Any]]:
    """Recall by kind of product: at the shipped threshold and at 1 % false positives of its category."""
    kinds: dict[str, dict[str, Any]] = {}
    for category in scored.categories:
        scores, positive = scored.column(category)
        if not positive.any():
            continue
        found = scored.found(category)
        for kind in sorted({scored.photos[i].kind for i in map(int, np.flatnonzero(positive))}):
            of_kind = np.array([photo.kind == kind for photo in scored.photos]) & positive
            others = of_kind | ~positive
            groups = scored.instances(of_kind)
            recall = share_of(found[of_kind], groups)
            kinds[f"{category}/{kind}"] = {
                "photos": len(groups),
                "instances": len(set(groups)),
                "recall": recall.value,
                "interval": recall.interval,
                "recall_at_1pct_fpr": recall_at(0.01)(scores[others], positive[others]),
            }
    return kinds


def _verdicts(scored: Scored) -> dict[str, int]:
    return {verdict: sum(a.verdict == verdict for a in scored.answers) for verdict in ("clear", "review", "priority")}


def confusion(scored: Scored) -> dict[str, dict[str, int]]:
    """Photos by true label (group for negatives) and strongest finding (``clear`` without)."""
    table: dict[str, dict[str, int]] = {}
    for photo, answer in zip(scored.photos, scored.answers, strict=True):
        row = table.setdefault(photo.labels[0] if photo.labels else photo.group, {})
        column = answer.findings[0].category if answer.findings else "clear"
        row[column] = row.get(column, 0) + 1
    return table


def worst_false_alarms(scored: Scored, category: str, most: int) -> list[tuple[Photo, float]]:
    """The photos without ``category`` that score highest on it."""
    scores, positive = scored.column(category)
    order = [i for i in np.argsort(-scores, kind="stable") if not positive[i]][:most]
    return [(scored.photos[int(i)], float(scores[i])) for i in order]


def _parts(scored: Scored, key: Callable[[Photo], str]) -> Iterable[tuple[str, Scored]]:
    names: NDArray[np.str_] = np.array([key(photo) for photo in scored.photos])
    return ((str(name), scored.subset(names == name)) for name in np.unique(names))
