"""The one way through the house: bytes, imaging, classifier, policy, answer."""

import base64
import datetime
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from service import activation, imaging
from service.answer import Answer, Box, Finding, ImageInfo, ModelName, PolicyName, significant
from service.catalog import Catalog, load_catalog
from service.classifier import Classifier, Scores
from service.contract import load_contract
from service.errors import ErrorCode, FaunalensError, StartError
from service.policy import SHIPPED as SHIPPED_POLICIES
from service.policy import Judgement, Policy, find_policy, load_policies, verdict_of
from service.settings import Settings

DEFAULT_MODEL = "faunalens-1.json"


def shipped_weights() -> Path:
    """Folder of the shipped weights: inside the installed package, or at the top of a checkout."""
    inside = Path(__file__).parent / "weights"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "weights"


@dataclass(frozen=True, slots=True)
class Seen:
    """One picture after the network, before any policy. Times in milliseconds."""

    header: imaging.Header
    scores: Scores
    probabilities: dict[str, float]
    decode_ms: float
    infer_ms: float


class Detector:
    """A model with its policies and catalogue. Stateless after construction; safe to call from many threads."""

    def __init__(self, settings: Settings) -> None:
        """Load and check everything, the self-test included; raises :class:`StartError` with the reason."""
        path = settings.model or shipped_weights() / DEFAULT_MODEL
        self.settings = settings
        self.contract = load_contract(path)
        self.classifier = Classifier(self.contract, path.parent)
        self.policies = load_policies(settings.policies or SHIPPED_POLICIES, self.contract)
        if settings.policy not in self.policies:
            raise StartError(f"FAUNALENS_POLICY names {settings.policy!r}, not one of {sorted(self.policies)}")
        self.catalog: Catalog = load_catalog(self.contract)
        self._self_test(path.parent)

    def policy(self, name: str | None) -> Policy:
        """The policy called ``name``, or the default one; raises ``unknown_policy``."""
        return find_policy(self.policies, name or self.settings.policy)

    def see(self, data: bytes) -> Seen:
        """Decode and score one picture; raises what :func:`service.imaging.decode` does."""
        started = time.perf_counter()
        header, pixels = imaging.prepare(data, self.settings.limits, self.contract.preprocessing)
        decoded = time.perf_counter()
        scores = self.classifier.run(pixels[None])
        done = time.perf_counter()
        values = (significant(float(value)) for value in scores.probabilities[0])
        probabilities = dict(zip(self.contract.ids, values, strict=True))
        return Seen(header, scores, probabilities, (decoded - started) * 1e3, (done - decoded) * 1e3)

    def answer(self, data: bytes, request_id: str, policy: Policy, heatmap: bool = False) -> Answer:
        """Judge one picture; raises what :func:`service.imaging.decode` does."""
        started = time.perf_counter()
        seen = self.see(data)
        judgements = policy.judge(seen.probabilities)
        overlay = None
        if heatmap:
            overlay = self._overlay(data, seen, judgements[0].category if judgements else self._nearest(seen))
        header = seen.header
        return Answer(
            request_id=request_id,
            verdict=verdict_of(judgements),
            findings=tuple(self._finding(judgement, seen) for judgement in judgements),
            scores=seen.probabilities,
            image=ImageInfo(
                sha256=header.sha256, format=header.format, width=header.width, height=header.height,
                frames=header.frames, orientation=header.orientation,
            ),
            model=ModelName(name=self.contract.name, sha256=self.contract.sha256),
            policy=PolicyName(name=policy.name, version=policy.version),
            judged_at=datetime.datetime.now(datetime.UTC),
            timing_ms={
                "decode": seen.decode_ms,
                "infer": seen.infer_ms,
                "total": (time.perf_counter() - started) * 1e3,
            },
            heatmap_png=base64.b64encode(overlay).decode("ascii") if overlay else None,
        )  # fmt: skip

    def heatmap(self, data: bytes, category: str | None = None) -> bytes:
        """PNG overlay of ``category``, by default the one nearest to its threshold; raises ``unknown_category``."""
        if category and category not in self.contract.ids:
            raise FaunalensError(ErrorCode.UNKNOWN_CATEGORY, f"The model has no category {category!r}.")
        seen = self.see(data)
        return self._overlay(data, seen, category or self._nearest(seen))

    def _nearest(self, seen: Seen) -> str:
        reviews = {category.id: category.thresholds["review"] for category in self.contract.categories}
        return max(seen.probabilities, key=lambda category: seen.probabilities[category] / reviews[category])

    def _overlay(self, data: bytes, seen: Seen, category: str) -> bytes:
        index = self.contract.ids.index(category)
        maps = seen.scores.maps[0]
        cells = self.contract.probabilities(maps.reshape(len(maps), -1).T)
        heat = cells[:, index].reshape(maps.shape[1:]).astype(np.float32)
        picture = imaging.decode(data, self.settings.limits, self.settings.heatmap_side)
        return activation.overlay_png(picture.rgb, heat, self.settings.heatmap_side)

    def _finding(self, judgement: Judgement, seen: Seen) -> Finding:
        entry = self.catalog[judgement.category]
        left, top, right, bottom = activation.box(
            seen.scores.maps[0, self.contract.ids.index(entry.id)], seen.header.width, seen.header.height
        )
        return Finding(
            category=entry.id,
            name=entry.name,
            maturity=entry.maturity,
            probability=judgement.probability,
            threshold=judgement.threshold,
            verdict=judgement.verdict,
            box=Box(left=left, top=top, right=right, bottom=bottom),
            cites=entry.cites,
            notice_key=entry.notice_key,
        )

    def _self_test(self, folder: Path) -> None:
        """Score the built-in picture and compare with the scores stored at export."""
        test = self.contract.selftest
        try:
            data = (folder / test.file).read_bytes()
        except OSError as error:
            raise StartError(f"the self-test picture {folder / test.file} is missing") from error
        found = self.see(data).probabilities
        if set(test.probabilities) != set(found):
            raise StartError("the self-test lists other categories than the contract")
        worst = max(found, key=lambda category: abs(found[category] - test.probabilities[category]))
        gap = abs(found[worst] - test.probabilities[worst])
        if not gap <= test.tolerance:
            raise StartError(
                f"the self-test failed: {worst} scored {found[worst]:.4f} on the built-in picture, "
                f"{test.probabilities[worst]:.4f} was expected; do not trust this installation"
            )
