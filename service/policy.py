"""Policies: a readable file turns calibrated probabilities into findings and a verdict, so that nobody edits code."""

import functools
import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from service.contract import Category, Contract, OperatingPoint
from service.errors import ErrorCode, FaunalensError, StartError, problems

SHIPPED = Path(__file__).parent / "policies.toml"
Verdict = Literal["clear", "review", "priority"]
# strict: true and false would be 1 and 0, and a threshold of 0 makes every photo a finding
Threshold = Annotated[float, Field(ge=0, le=1, strict=True, allow_inf_nan=False)] | Literal[OperatingPoint, "off"]
_NEVER = 2.0


class Rule(BaseModel):
    """Thresholds of one category."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    review: Threshold
    priority: Threshold = "off"


class PolicyFile(BaseModel):
    """One policy as written in the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str
    description: str = ""
    categories: dict[str, Rule]


@dataclass(frozen=True, slots=True)
class Judgement:
    """A category at or above its review threshold."""

    category: str
    probability: float
    threshold: float
    verdict: Verdict


@dataclass(frozen=True)
class Policy:
    """A policy resolved against a model: numbers only."""

    name: str
    version: str
    description: str
    thresholds: Mapping[str, tuple[float, float]]
    contract: Contract = field(repr=False, compare=False)

    @property
    def text(self) -> str:
        """Name, version and thresholds (review, priority) as JSON with sorted keys."""
        content = {"name": self.name, "version": self.version, "thresholds": dict(self.thresholds)}
        return json.dumps(content, sort_keys=True)

    @functools.cached_property
    def sha256(self) -> str:
        """SHA-256 of :attr:`text`: tells two policies of one name and version apart."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @functools.cached_property
    def least(self) -> dict[str, float]:
        """The probability from which each category is a finding."""
        return {category: min(levels) for category, levels in self.thresholds.items()}

    @functools.cached_property
    def least_logits(self) -> NDArray[np.float32]:
        """The logits ``[C]`` from which a picture may have a finding, see :meth:`Contract.least_logits`."""
        return self.contract.least_logits(self.least)

    def judge(self, probabilities: Mapping[str, float]) -> list[Judgement]:
        """The findings among calibrated ``probabilities``, most probable first."""
        found = []
        for category, probability in probabilities.items():
            review, priority = self.thresholds[category]
            if probability >= self.least[category]:
                verdict: Verdict = "priority" if probability >= priority else "review"
                threshold = priority if verdict == "priority" else review
                found.append(Judgement(category, probability, threshold, verdict))
        return sorted(found, key=lambda judgement: -judgement.probability)


def verdict_of(judgements: list[Judgement]) -> Verdict:
    """The gravest verdict among findings; ``clear`` without any."""
    if any(judgement.verdict == "priority" for judgement in judgements):
        return "priority"
    return "review" if judgements else "clear"


def load_policies(path: Path, contract: Contract) -> dict[str, Policy]:
    """Read a policy file and resolve it against ``contract``; raises :class:`StartError` naming what is wrong."""
    try:
        written = TypeAdapter(dict[str, PolicyFile]).validate_python(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise StartError(f"the policy file {path} cannot be used: {problems(error)}") from error
    except (OSError, ValueError) as error:
        raise StartError(f"the policy file {path} cannot be used: {error}") from error
    return {name: _resolve(name, policy, contract, path) for name, policy in written.items()}


def find_policy(policies: Mapping[str, Policy], name: str) -> Policy:
    """The policy called ``name``; raises ``unknown_policy``."""
    if name not in policies:
        raise FaunalensError(ErrorCode.UNKNOWN_POLICY, f"There is no policy {name!r}.", {"policies": sorted(policies)})
    return policies[name]


def _resolve(name: str, written: PolicyFile, contract: Contract, path: Path) -> Policy:
    unknown = sorted(set(written.categories) - set(contract.ids) - {"*"})
    if unknown:
        raise StartError(f"{path}: policy {name!r} names categories the model does not have: {', '.join(unknown)}")
    thresholds = {}
    for category in contract.categories:
        rule = written.categories.get(category.id) or written.categories.get("*")
        if rule is None:
            raise StartError(f"{path}: policy {name!r} has no rule for {category.id} and no '*'")
        thresholds[category.id] = (_number(rule.review, category), _number(rule.priority, category))
    return Policy(name, written.version, written.description, thresholds, contract)


def _number(threshold: Threshold, category: Category) -> float:
    if threshold == "off":
        return _NEVER
    if isinstance(threshold, str):
        return category.thresholds[threshold]
    return threshold
