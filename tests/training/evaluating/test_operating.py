import tomllib
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image

from service.detector import Detector
from service.policy import load_policies
from service.settings import load_settings
from training.evaluating import evaluation
from training.evaluating.operating import RATES, Point, Stream, choose, points, policy_toml, upper_bound
from training.evaluating.pictures import operating_chart
from training.evaluating.tables import operating_points
from training.measuring import thresholds

STREAM = Stream(photos_per_day=1_000_000, prevalence=0.001)


def _alone(positive: NDArray[np.bool_]) -> list[str]:
    """Every photo an instance of its own."""
    return [str(number) for number in range(len(positive))]


def _table() -> list[Point]:
    rng = np.random.default_rng(0)
    positive = np.arange(4000) < 200
    scores = np.where(positive, rng.normal(0.7, 0.15, 4000), rng.normal(0.2, 0.1, 4000))
    return points("ivory", scores, positive, STREAM, _alone(positive))


def test_points_by_hand() -> None:
    scores, positive = np.array([0.9, 0.5, 0.4, 0.3, 0.2, 0.1]), np.array([1, 1, 0, 0, 0, 0], dtype=bool)
    last = points("ivory", scores, positive, Stream(1000, 0.01), _alone(positive))[-1]
    assert last.threshold == pytest.approx(0.4, abs=1e-3)
    assert (last.recall, last.false_positive_rate, last.precision) == (1.0, 0.0, 1.0)
    assert last.reviews_per_day == pytest.approx(10)
    assert last.false_positive_rate_upper == pytest.approx(1 - 0.05**0.25, abs=1e-6)


def test_what_the_bound_means_is_told() -> None:
    scores, positive = np.arange(60.0) / 60, np.arange(60) >= 50
    stream = Stream(1000, 0.01)
    last = points("ivory", scores, positive, stream, _alone(positive))[-1]
    upper = upper_bound(0, 50)
    assert (last.precision, last.false_positive_rate_upper) == (1.0, upper)
    assert last.reviews_per_day_upper == pytest.approx(10 * last.recall + 990 * upper)
    assert last.precision_lower == pytest.approx(10 * last.recall / last.reviews_per_day_upper)
    pairs = points("ivory", scores, positive, stream, [str(number // 2) for number in range(60)])
    assert pairs[-1].false_positive_rate_upper == upper_bound(0, 25)
    assert pairs[0].false_positive_rate == 0.04 and pairs[0].false_positive_rate_upper == upper_bound(1, 25)


def test_higher_thresholds_find_and_alarm_less() -> None:
    table = _table()
    assert len(table) == len(RATES)
    for key in ("recall", "false_positive_rate", "reviews_per_day"):
        values = [getattr(point, key) for point in table]
        assert values == sorted(values, reverse=True)
    for rate, point in zip(RATES, table, strict=True):
        assert point.false_positive_rate <= rate <= point.false_positive_rate_upper


def test_reviews_are_hits_and_alarms() -> None:
    point = _table()[3]
    alarms = 999_000 * point.false_positive_rate
    assert point.reviews_per_day == pytest.approx(1000 * point.recall + alarms)
    assert point.precision == pytest.approx(1000 * point.recall / point.reviews_per_day)


def test_capacity_chooses_the_lowest_affordable() -> None:
    table = _table()
    chosen = choose({"ivory": table}, 5000)["ivory"]
    assert chosen.reviews_per_day <= 5000
    assert table[table.index(chosen) - 1].reviews_per_day > 5000
    assert choose({"ivory": table}, chosen.reviews_per_day)["ivory"] == chosen, "all of it may be used"
    both = choose({"ivory": table, "coral": table}, 2 * chosen.reviews_per_day)
    assert both == {"ivory": chosen, "coral": chosen}, "categories share it"


def test_capacity_for_the_highest_thresholds_alone_chooses_these() -> None:
    table = _table()
    assert table[-1].reviews_per_day < table[-2].reviews_per_day
    assert choose({"ivory": table}, table[-1].reviews_per_day)["ivory"] == table[-1]


def test_too_little_capacity_is_an_error() -> None:
    least = _table()[-1].reviews_per_day
    with pytest.raises(ValueError, match=f"even the highest thresholds give {least:.0f} reviews a day"):
        choose({"ivory": _table()}, 1)


def test_a_score_at_the_threshold_is_a_finding_as_the_service_has_it() -> None:
    scores, positive = np.array([1.0, 1.0, 1.0, 0.2]), np.array([1, 1, 0, 0], dtype=bool)
    last = points("ivory", scores, positive, STREAM, _alone(positive))[-1]
    assert last.threshold == 1.0, "no policy takes more"
    assert (last.recall, last.false_positive_rate) == (1.0, 0.5)


def test_the_last_point_lets_no_photo_through() -> None:
    assert RATES[-1] == 0.0
    assert _table()[-1].false_positive_rate == 0.0


def test_the_bound_counts_a_part_of_an_instance_as_one() -> None:
    scores, positive = np.arange(63.0) / 63, np.arange(63) >= 60
    groups = [str(number // 3) for number in range(63)]
    first = points("ivory", scores, positive, STREAM, groups)[0]
    assert first.false_positive_rate == 3 / 60
    second = points("ivory", scores, positive, STREAM, groups)[1]
    assert second.false_positive_rate == 1 / 60 and second.false_positive_rate_upper == upper_bound(1, 20)


@pytest.mark.parametrize(("hits", "count", "expected"), [(0, 3000, 0.000998), (1, 100, 0.0466), (5, 5, 1.0)])
def test_upper_bound(hits: int, count: int, expected: float) -> None:
    assert upper_bound(hits, count) == pytest.approx(expected, rel=2e-3)


def test_policy_file_is_one_the_service_loads(tmp_path: Path) -> None:
    chosen = choose({"ivory": _table()}, 5000)
    path = tmp_path / "policies.toml"
    path.write_text(policy_toml(chosen, STREAM, 5000, "2026-11-24"))
    policy = load_policies(path, Detector(load_settings()).contract)["default"]
    assert policy.thresholds["ivory"][0] == chosen["ivory"].threshold
    assert policy.thresholds["shell"][0] > 1
    assert "5000 reviews" in tomllib.loads(path.read_text())["default"]["description"]


def test_categories_that_are_no_bare_keys_of_toml_are_quoted() -> None:
    names = ["ivory", "ivory.raw", "слоновая_кость", 'the_"real"_thing', "a\\b"]
    text = policy_toml({name: _table()[0] for name in names}, STREAM, 5000, "2026-11-24")
    assert list(tomllib.loads(text)["default"]["categories"]) == [*names, "*"]


def test_table_and_chart(tmp_path: Path) -> None:
    table = {"ivory": _table()}
    chosen = choose(table, 5000)
    text = operating_points(table, chosen)
    assert f"**{chosen['ivory'].threshold:.4f}**" in text
    assert text.count("**") == 2
    operating_chart(table, chosen, tmp_path / "chart.png")
    assert (tmp_path / "chart.png").stat().st_size > 10_000


def test_command_refuses_a_category_without_photos_before_it_scores(
    collection: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "score_photos", lambda *_: pytest.fail("scoring began"))
    arguments = [
        "--data",
        str(collection),
        "--photos-per-day",
        "1000",
        "--review-capacity",
        "50",
        "--out",
        str(tmp_path),
    ]
    done = CliRunner().invoke(thresholds, [*arguments, "--category", "shell"])
    assert done.exit_code == 2
    assert "no photo of val shows shell" in done.output


def test_command_writes_table_picture_and_policy(collection: Path, tmp_path: Path) -> None:
    arguments = ["--data", str(collection), "--photos-per-day", "10", "--review-capacity", "50", "--out", str(tmp_path)]
    done = CliRunner().invoke(thresholds, [*arguments, "--category", "ivory"])
    assert done.exit_code == 0, done.output
    assert {path.name for path in tmp_path.iterdir()} == {"thresholds.md", "thresholds.png", "policies.toml"}
    with Image.open(tmp_path / "thresholds.png") as picture:
        assert (picture.format, picture.width > 400) == ("PNG", True)
    text = (tmp_path / "thresholds.md").read_text(encoding="utf-8")
    assert text in done.output
    head, _, *rows = text.splitlines()
    alarms, precision, reviews = "false positives (95 % bound)", "precision (at it)", "reviews a day (at it)"
    assert head == f"| category | threshold | recall | {alarms} | {precision} | {reviews} |"
    assert all(row.startswith("| ivory | ") and row.count("|") == 7 for row in rows)
    (chosen,) = (row for row in rows if "**" in row)
    policy = tomllib.loads((tmp_path / "policies.toml").read_text())["default"]
    assert f"**{policy['categories']['ivory']['review']:.4f}**" in chosen
    assert policy["description"] == "At most 50 reviews a day of 10 photos, prevalence 0.001."


def test_experimental_categories_get_a_threshold_only_when_named(collection: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    rows = [("ivory-product-0", "ivory"), ("rhino_horn-product-0", "coral"), ("none-listing-0", "")]
    labels.write_text("\n".join(["file,label,split", *(f"val-{name}.jpg,{label},val" for name, label in rows)]))
    words = ["--data", str(collection), "--labels", str(labels), "--photos-per-day", "10", "--review-capacity", "50"]
    for more, expected in (((), {"ivory"}), (("--category", "coral"), {"coral"})):
        done = CliRunner().invoke(thresholds, [*words, "--out", str(tmp_path), *more])
        assert done.exit_code == 0, done.output
        policy = tomllib.loads((tmp_path / "policies.toml").read_text())["default"]
        assert set(policy["categories"]) == {*expected, "*"}


def test_no_policy_is_needed(collection: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights of other categories fit neither the shipped policies nor those that the environment names."""
    own = tmp_path / "own.toml"
    own.write_text('[mine]\nversion = "1"\n[mine.categories]\nmammoth = { review = 0.5 }\n')
    monkeypatch.setenv("FAUNALENS_POLICIES", str(own))
    monkeypatch.setenv("FAUNALENS_POLICY", "mine")
    out = tmp_path / "out"
    arguments = ["--data", str(collection), "--photos-per-day", "10", "--review-capacity", "50", "--out", str(out)]
    done = CliRunner().invoke(thresholds, [*arguments, "--category", "ivory"])
    assert done.exit_code == 0, done.output
    assert (out / "policies.toml").is_file()


def test_the_policy_is_served(collection: Path, tmp_path: Path) -> None:
    arguments = ["--data", str(collection), "--photos-per-day", "10", "--review-capacity", "50", "--out", str(tmp_path)]
    assert CliRunner().invoke(thresholds, [*arguments, "--category", "ivory"]).exit_code == 0
    detector = Detector(load_settings(policies=tmp_path / "policies.toml"))
    lowest = tomllib.loads((tmp_path / "policies.toml").read_text())["default"]["categories"]["ivory"]["review"]
    for photo in sorted(collection.glob("val-*.jpg"))[:4]:
        answer = detector.answer(photo.read_bytes(), "r", detector.policy(None))
        assert (answer.verdict == "clear") == (answer.scores["ivory"] < lowest)
        assert {finding.category for finding in answer.findings} <= {"ivory"}


def test_more_prevalence_is_more_work_and_more_precision() -> None:
    rng = np.random.default_rng(0)
    positive = np.arange(4000) < 200
    scores = np.where(positive, rng.normal(0.7, 0.15, 4000), rng.normal(0.2, 0.1, 4000))
    rare, common = (
        points("ivory", scores, positive, Stream(10_000, share), _alone(positive)) for share in (0.001, 0.05)
    )
    for one, other in zip(rare, common, strict=True):
        assert (one.threshold, one.recall) == (other.threshold, other.recall)
        assert other.precision >= one.precision
        assert other.reviews_per_day > one.reviews_per_day


def test_scores_near_zero_stay_below_the_threshold_too() -> None:
    """Thresholds have five decimals: a millionth more is none."""
    scores, positive = np.array([0.9, 0.00002, 0.00001, 0.0]), np.array([1, 0, 0, 0], dtype=bool)
    last = points("ivory", scores, positive, STREAM, _alone(positive))[-1]
    assert (last.recall, last.false_positive_rate, last.threshold) == (1.0, 0.0, 0.00012)
