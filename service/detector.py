"""The one way through the house: bytes, imaging, classifier, policy, answer."""

import base64
import copy
import datetime
import time
from pathlib import Path

from service import activation
from service.answer import Answer, Box, Finding, ImageInfo, ModelName, PolicyName, significant
from service.catalog import Catalog, load_catalog
from service.classifier import Classifier
from service.contract import load_contract
from service.decoding.decoders import Bounds, Decoders
from service.errors import ErrorCode, FaunalensError, StartError
from service.policy import SHIPPED as SHIPPED_POLICIES
from service.policy import Judgement, Policy, find_policy, load_policies, verdict_of
from service.runtime.cache import Cache
from service.runtime.cores import available_cores
from service.runtime.heap import free_aside, give_back
from service.seen import Decoded, Seen
from service.settings import Settings

DEFAULT_MODEL = "faunalens-2-int8.json"
PLAIN_MODEL = "faunalens-2.json"
"""The same in single precision: what a GPU and OpenVINO run best, and what `faunalens quantize` begins with."""

# by the clock, for decoders at the last priority: beside busy ones they get some thirtieth of a core
_PATIENCE = 30.0


def shipped_weights() -> Path:
    """Folder of the shipped weights: inside the installed package, or at the top of a checkout."""
    inside = Path(__file__).parent / "weights"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "weights"


def model_path(settings: Settings) -> Path:
    """The contract of the model that the settings name, by default the shipped one for their provider."""
    shipped = DEFAULT_MODEL if settings.providers[0] == "cpu" else PLAIN_MODEL
    return settings.model or shipped_weights() / shipped


class Detector:
    """A model with its policies and catalogue. Stateless after construction; safe to call from many threads."""

    def __init__(self, settings: Settings) -> None:
        """Load and check everything, the self-test included; raises :class:`StartError` with the reason."""
        self.settings = settings
        try:
            self._load()
        except StartError:
            raise
        except Exception as error:
            # a service that waits for its model would wait without end, and say nothing
            raise StartError(f"the model cannot be loaded: {type(error).__name__}: {error}") from error

    def __del__(self) -> None:
        """After a reload it is mostly the event loop that lets go of the old model last."""
        free_aside(self)

    def _load(self) -> None:
        settings = self.settings
        # resolved once, so that a link that is turned meanwhile cannot mix two models
        path = model_path(settings).resolve()
        self.contract = load_contract(path)
        self.classifier = Classifier(self.contract, path.parent, settings.providers)
        self.policies = load_policies(settings.policies or SHIPPED_POLICIES, self.contract)
        if settings.policy not in self.policies:
            raise StartError(f"FAUNALENS_POLICY names {settings.policy!r}, not one of {sorted(self.policies)}")
        self.catalog: Catalog = load_catalog(self.contract, settings.catalog)
        if unknown := set(settings.notice_languages) - set(self.catalog.languages):
            raise StartError(f"FAUNALENS_NOTICE_LANGUAGES: the catalogue does not speak {', '.join(sorted(unknown))}")
        self.cache = Cache[Seen](settings.cache, settings.cache_seconds)
        self.decoders = self._start_decoders(settings.decoders or available_cores())
        self._self_test(path.parent)
        give_back()

    @property
    def model_name(self) -> ModelName:
        """Name and SHA-256 of the network."""
        return ModelName(name=self.contract.name, sha256=self.contract.sha256)

    def policy(self, name: str | None) -> Policy:
        """The policy called ``name``, or the default one; raises ``unknown_policy``."""
        return find_policy(self.policies, name or self.settings.policy)

    def aside(self, decoders: int) -> "Detector":
        """The same model with ``decoders`` decoder processes of its own, for work that nobody waits for.

        Raises :class:`StartError`.
        """
        other = copy.copy(self)
        other.decoders = self._start_decoders(decoders, _PATIENCE)
        return other

    def decode(self, data: bytes, heatmap: bool = False, tolerate_truncated: bool = False) -> Decoded:
        """Decode one picture; raises what :meth:`service.decoding.decoders.Decoders.prepare` does."""
        started = time.perf_counter()
        header, pixels = self.decoders.prepare(data, self.contract.preprocessing, tolerate_truncated)
        view = self.decoders.view(data, self.settings.heatmap_side, header.truncated) if heatmap else None
        return Decoded(header, pixels, view, (time.perf_counter() - started) * 1e3)

    def see(
        self,
        picture: bytes | Decoded,
        heatmap: bool = False,
        tolerate_truncated: bool = False,
        policy: Policy | None = None,
    ) -> Seen:
        """Score one picture, decoded first unless it is already; raises what :meth:`decode` does.

        ``policy``: the only one to answer by, so that a picture without a finding needs no map; None: any.
        """
        if isinstance(picture, bytes):
            picture = self.decode(picture, heatmap, tolerate_truncated)
        map_from = None if heatmap or policy is None else policy.least_logits
        started = time.perf_counter()
        scores = self.classifier.run(picture.pixels[None], map_from)
        infer_ms = (time.perf_counter() - started) * 1e3
        values = (significant(float(value)) for value in scores.probabilities[0])
        probabilities = dict(zip(self.contract.ids, values, strict=True))
        return Seen(picture.header, scores, probabilities, picture.view, picture.decode_ms, infer_ms)

    def answer(
        self,
        picture: bytes | Decoded | Seen,
        request_id: str,
        policy: Policy,
        heatmap: bool = False,
        tolerate_truncated: bool = False,
    ) -> Answer:
        """Judge one picture, decoded and scored first unless it is already; raises what :meth:`decode` does."""
        seen = picture if isinstance(picture, Seen) else self.see(picture, heatmap, tolerate_truncated, policy)
        started = time.perf_counter()
        judgements = policy.judge(seen.probabilities)
        overlay = None
        if heatmap:
            overlay = self._overlay(seen, judgements[0].category if judgements else self._nearest(seen))
        header = seen.header
        return Answer(
            request_id=request_id,
            verdict=verdict_of(judgements),
            findings=tuple(self._finding(judgement, seen) for judgement in judgements),
            scores=seen.probabilities,
            image=ImageInfo(
                sha256=header.sha256, format=header.format, width=header.width, height=header.height,
                frames=header.frames, orientation=header.orientation, truncated=header.truncated or None,
            ),
            model=self.model_name,
            policy=PolicyName(name=policy.name, version=policy.version, sha256=policy.sha256),
            judged_at=datetime.datetime.now(datetime.UTC),
            timing_ms={
                "decode": seen.decode_ms,
                "infer": seen.infer_ms,
                "total": seen.decode_ms + seen.infer_ms + (time.perf_counter() - started) * 1e3,
            },
            cached=seen.cached or None,
            heatmap_png=base64.b64encode(overlay).decode("ascii") if overlay else None,
        )  # fmt: skip

    def candidate(self, seen: Seen, policy: Policy) -> Finding:
        """The category nearest to its threshold in ``policy``, as if it had reached it.

        A photo without finding is shown as that. ``seen`` has its map.
        """
        category = max(policy.least, key=lambda name: seen.probabilities[name] / policy.least[name])
        judgement = Judgement(category, seen.probabilities[category], min(1.0, policy.least[category]), "review")
        return self._finding(judgement, seen)

    def heatmap(self, picture: bytes | Decoded, category: str | None = None) -> bytes:
        """PNG overlay of ``category``, by default that nearest to its review threshold; raises ``unknown_category``."""
        self.check_category(category)
        seen = self.see(picture, heatmap=True)
        return self._overlay(seen, category or self._nearest(seen))

    def check_category(self, category: str | None) -> None:
        """Raise ``unknown_category`` unless the model has ``category``, or none is named."""
        if category and category not in self.contract.ids:
            known = {"categories": list(self.contract.ids)}
            raise FaunalensError(ErrorCode.UNKNOWN_CATEGORY, f"The model has no category {category!r}.", known)

    def _start_decoders(self, count: int, patience: float = 1.0) -> Decoders:
        bounds = Bounds(self.settings.decode_seconds, self.settings.decoder_bytes, patience)
        return Decoders(count, self.settings.limits, bounds)

    def _nearest(self, seen: Seen) -> str:
        """The category nearest to the review threshold of the contract, whatever a policy makes of it."""
        reviews = {category.id: category.thresholds["review"] for category in self.contract.categories}
        return max(seen.probabilities, key=lambda category: seen.probabilities[category] / reviews[category])

    def _overlay(self, seen: Seen, category: str) -> bytes:
        assert seen.view is not None
        scores = seen.scores.maps[0, self.contract.ids.index(category)]
        heat = activation.heat(scores, seen.probabilities[category])
        return activation.overlay_png(seen.view, heat, self.settings.heatmap_side)

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
        path = folder / test.file
        try:
            found = self.see(path.read_bytes()).probabilities
        except OSError as error:
            raise StartError(f"the self-test picture {path} cannot be read: {error.strerror}") from error
        except FaunalensError as error:
            raise StartError(f"the self-test picture {path} cannot be judged: {error}") from error
        if set(test.probabilities) != set(found):
            raise StartError("the self-test lists other categories than the contract")
        for category, score in found.items():
            expected = test.probabilities[category]
            # this way round: a score that is no number is never near
            if not abs(score - expected) <= test.tolerance:
                raise StartError(
                    f"the self-test failed: {category} scored {score:.4f} on the built-in picture, "
                    f"{expected:.4f} was expected; do not trust this installation"
                )
