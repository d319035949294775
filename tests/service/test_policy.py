import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from service.detector import Detector
from service.errors import FaunalensError, StartError
from service.policy import SHIPPED, find_policy, load_policies, verdict_of

TEXT = """
[mine]
version = "7"
[mine.categories]
ivory = { review = 0.2, priority = 0.8 }
coral = { review = "off" }
seahorse = { review = "off", priority = 0.9 }
"*" = { review = "review", priority = "off" }
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "policies.toml"
    path.write_text(text)
    return path


def test_thresholds_and_verdicts(tmp_path: Path, detector: Detector) -> None:
    policy = load_policies(write(tmp_path, TEXT), detector.contract)["mine"]
    quiet = dict.fromkeys(detector.contract.ids, 0.0)
    assert policy.version == "7"
    assert policy.judge(quiet) == [] and verdict_of([]) == "clear"
    review = policy.judge({**quiet, "ivory": 0.2})
    assert [(j.category, j.verdict, j.threshold) for j in review] == [("ivory", "review", 0.2)]
    grave = policy.judge({**quiet, "seahorse": 0.9, "coral": 1.0})
    assert [(j.category, j.verdict, j.threshold) for j in grave] == [("seahorse", "priority", 0.9)]
    assert policy.judge({**quiet, "seahorse": 0.89}) == []
    both = policy.judge({**quiet, "ivory": 0.8, "shell": 0.99, "coral": 1.0})
    assert [j.category for j in both] == ["shell", "ivory"]
    assert verdict_of(both) == "priority" and verdict_of(review) == "review"


def test_the_fingerprint_of_a_policy_is_that_of_its_name_version_and_thresholds(
    tmp_path: Path, detector: Detector
) -> None:
    policy = load_policies(write(tmp_path, TEXT), detector.contract)["mine"]
    content = json.loads(policy.text)
    assert set(content) == {"name", "version", "thresholds"} and (content["name"], content["version"]) == ("mine", "7")
    assert content["thresholds"]["ivory"] == [0.2, 0.8] and content["thresholds"]["coral"] == [2.0, 2.0]
    assert policy.text == json.dumps(content, sort_keys=True)
    assert policy.sha256 == hashlib.sha256(policy.text.encode()).hexdigest()
    turned = dict(reversed(policy.thresholds.items()))
    assert replace(policy, thresholds=turned).sha256 == policy.sha256 == replace(policy, description="x").sha256
    assert replace(policy, version="8").sha256 != policy.sha256 != replace(policy, name="yours").sha256


def test_experimental_categories_are_never_priority_by_default(detector: Detector) -> None:
    certain = dict.fromkeys(detector.contract.ids, 1.0)
    verdicts = {j.category: j.verdict for j in detector.policy(None).judge(certain)}
    assert verdicts["ivory"] == "priority" and verdicts["coral"] == "review"
    core = {j.category for j in detector.policy("core_only").judge(certain)}
    assert core == {"ivory", "rhino_horn", "pangolin_scales", "big_cat_skin"}


def test_shipped_policies_resolve(detector: Detector) -> None:
    policies = load_policies(SHIPPED, detector.contract)
    assert set(policies) == {"default", "sensitive", "core_only"}
    for category in detector.contract.ids:
        assert policies["sensitive"].thresholds[category][0] <= policies["default"].thresholds[category][0]
    with pytest.raises(FaunalensError, match="no policy 'x'"):
        find_policy(policies, "x")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("ivory =", "unicorn =", "unicorn"),
        ("0.2", "1.2", r"cannot be used: mine\.categories\.[^\n]*less than or equal to 1[^\n]*$"),
        ("0.2", "-0.1", "cannot be used"),
        ("0.2", "false", r"cannot be used: mine\.categories\.[^\n]*valid number"),
        ("0.2", "nan", r"cannot be used: mine\.categories\.[^\n]*finite number"),
        ('"*" =', "shell =", "no rule for"),
        ('version = "7"', "", "cannot be used"),
        ('version = "7"', 'version = "7"\nlimit = 1', r"cannot be used: mine\.limit[^\n]*not permitted"),
        ("priority = 0.8", "priorty = 0.8", r"cannot be used: mine\.categories\.[^\n]*priorty[^\n]*not permitted"),
        ("[mine]", "[mine", "cannot be used"),
    ],
)
def test_broken_policy_files_say_what_is_wrong(
    tmp_path: Path, detector: Detector, old: str, new: str, message: str
) -> None:
    with pytest.raises(StartError, match=message):
        load_policies(write(tmp_path, TEXT.replace(old, new, 1)), detector.contract)


def test_a_policy_file_that_is_missing_or_in_another_encoding_says_so(tmp_path: Path, detector: Detector) -> None:
    with pytest.raises(StartError, match=r"cannot be used: .*No such file"):
        load_policies(tmp_path / "none.toml", detector.contract)
    path = write(tmp_path, TEXT)
    path.write_bytes(TEXT.encode("utf-16"))
    with pytest.raises(StartError, match="cannot be used: 'utf-8' codec"):
        load_policies(path, detector.contract)
