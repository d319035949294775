"""Results as pictures: precision-recall curves, reliability diagram, confusion with groups, evasions, worst false
alarms."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from training.evaluating.evaluation import Scored, confusion
from training.evaluating.evasions import EVASIONS, STRENGTHS
from training.evaluating.operating import Point
from training.evaluating.robustness import CLEAN, Row
from training.evaluating.sizes import SizeRow
from training.evaluating.statistics import steps
from training.photos.dataset import read_rgb
from training.photos.manifest import GROUPS, Photo

_BINS = 10
_COLUMNS, _SIDE = 8, 160


def precision_recall(scored: Scored, path: Path) -> None:
    """One curve a category, recall against precision on the split as it is (its prevalence, not the market's)."""
    figure, axes = plt.subplots(figsize=(8, 6), layout="constrained")
    for category in scored.categories:
        scores, positive = scored.column(category)
        if not positive.any():
            continue
        hits, drawn = steps(scores, positive)
        axes.step(hits / hits[-1], hits / drawn, label=f"{category} (n = {positive.sum()})")
    axes.set(xlabel="recall", ylabel="precision", title="Precision and recall by category", xlim=(0, 1), ylim=(0, 1.02))
    if scored.positive.any():
        axes.legend(fontsize="small")
    _save(figure, path)


def reliability(scored: Scored, category: str, path: Path) -> None:
    """Calibrated probability against observed frequency, in bins of equal width, with the number of photos."""
    scores, positive = scored.column(category)
    figure, axes = plt.subplots(figsize=(6, 5), layout="constrained")
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1)
    bins = np.minimum((scores * _BINS).astype(int), _BINS - 1)
    for b in np.unique(bins):
        inside = bins == b
        x, y = scores[inside].mean(), positive[inside].mean()
        axes.plot(x, y, "o", color="tab:blue")
        axes.annotate(str(int(inside.sum())), (x, y), textcoords="offset points", xytext=(6, -4), fontsize="small")
    axes.set(
        xlabel="calibrated probability", ylabel="share of photos with the category", title=f"Reliability: {category}"
    )
    _save(figure, path)


def confusion_matrix(scored: Scored, path: Path) -> None:
    """True label (groups for negatives) against strongest finding."""
    table = confusion(scored)
    rows = [name for name in (*scored.categories, *GROUPS) if name in table]
    columns = [*scored.categories, "clear"]
    counts = np.array([[table[row].get(column, 0) for column in columns] for row in rows])
    figure, axes = plt.subplots(figsize=(11, 9), layout="constrained")
    axes.imshow(counts / counts.sum(axis=1, keepdims=True), cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(columns)), columns, rotation=60, ha="right")
    axes.set_yticks(range(len(rows)), rows)
    axes.set(xlabel="strongest finding", ylabel="label, or group of a photo without product", title="Confusion")
    for (r, c), count in np.ndenumerate(counts):
        if count:
            axes.text(c, r, str(count), ha="center", va="center", fontsize="small",
                      color="white" if count > counts[r].sum() / 2 else "black")  # fmt: skip
    _save(figure, path)


def robustness_chart(rows: Sequence[Row], category: str, path: Path) -> None:
    """Recall of ``category`` under each evasion at its three strengths, beside the recall on the photos as they are."""
    own = [row for row in rows if row.category == category]
    clean = next(row for row in own if row.evasion == CLEAN)
    names = list(EVASIONS)
    figure, axes = plt.subplots(figsize=(8, 8), layout="constrained")
    for strength, shade in zip(STRENGTHS, ("#9ecae1", "#4292c6", "#084594"), strict=True):
        values = [next(r.recall for r in own if (r.evasion, r.strength) == (name, strength)) for name in names]
        places = np.arange(len(names)) + (strength - 2) * 0.27
        axes.barh(places, values, height=0.26, color=shade, label=f"strength {strength}")
    axes.axvline(clean.recall, color="black", linewidth=1, label="photos as they are")
    axes.axvline(0.85 * clean.recall, color="grey", linewidth=1, linestyle="--", label="85 % of it")
    axes.set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
    axes.invert_yaxis()
    axes.set(xlim=(0, 1), xlabel="recall at the threshold of 1 % false positives",
             title=f"Evasions: {category} (n = {clean.positives})")  # fmt: skip
    axes.legend(fontsize="small", loc="lower right")
    _save(figure, path)


def sizes_chart(rows: Sequence[SizeRow], path: Path) -> None:
    """Recall, and false alarms of other objects pasted likewise, against the object's share of the picture."""
    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    shares = [row.share for row in rows]
    axes.plot(shares, [row.recall for row in rows], "o-", label=f"{rows[0].category} (n = {rows[0].pictures})")
    axes.plot(shares, [row.false_positive_rate for row in rows], "s--", color="grey",
              label=f"other objects (n = {rows[0].others})")  # fmt: skip
    axes.set(xscale="log", xlabel="share of the picture that the object's box covers", ylim=(0, 1.02),
             ylabel="share above the threshold of 1 % false positives", title="Small objects")  # fmt: skip
    axes.set_xticks(shares, [f"{100 * share:g} %" for share in shares])
    axes.minorticks_off()
    axes.legend()
    _save(figure, path)


def operating_chart(table: Mapping[str, Sequence[Point]], chosen: Mapping[str, Point], path: Path) -> None:
    """Reviews a day against recall and precision, a curve a category; a ring where the threshold was chosen."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 5), layout="constrained")
    for category, rows in table.items():
        days = [point.reviews_per_day for point in rows]
        for axes, values in ((left, [p.recall for p in rows]), (right, [p.precision for p in rows])):
            axes.plot(days, values, "o-", label=category, markersize=4)
        for axes, value in ((left, chosen[category].recall), (right, chosen[category].precision)):
            axes.plot(chosen[category].reviews_per_day, value, "o", markersize=12, fillstyle="none", color="black")
    left.set(xlabel="reviews a day", ylabel="recall", xscale="symlog", ylim=(0, 1.02), title="What is found")
    right.set(xlabel="reviews a day", ylabel="precision", xscale="symlog", ylim=(0, 1.02), title="What is worth a look")
    left.legend(fontsize="small")
    _save(figure, path)


def contact_sheet(alarms: Sequence[tuple[Photo, float]], path: Path) -> None:
    """The worst false alarms side by side. Shows photos of the collection: for the eyes of its holder only."""
    rows = -(-len(alarms) // _COLUMNS)
    sheet = Image.new("RGB", (_COLUMNS * _SIDE, rows * _SIDE), (40, 40, 40))
    for index, (photo, _) in enumerate(alarms):
        picture = read_rgb(photo)
        picture.thumbnail((_SIDE - 4, _SIDE - 4))
        sheet.paste(picture, (index % _COLUMNS * _SIDE + 2, index // _COLUMNS * _SIDE + 2))
    sheet.save(path)


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=110)
    plt.close(figure)
