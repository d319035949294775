"""Reports as tables: the numbers of a row, in the order of its head."""

import math
import re
from pathlib import Path

from training.evaluating.operating import Point
from training.evaluating.tables import markdown, operating_points, without_nan, write_csv

LOW = Point("ivory", 0.25, 0.9, 0.02, 0.03456, 0.1, 0.05, 1234.6, 2345.4)
HIGH = Point("ivory", 0.75, 0.5, 0.001, 0.004, math.nan, 0.2, 20.0, 40.0)


def test_rows_are_in_the_order_of_the_head_and_each_threshold_is_there_once() -> None:
    _, _, *rows = operating_points({"ivory": [LOW, HIGH, HIGH]}, {"ivory": HIGH}).splitlines()
    assert rows == [
        "| ivory | 0.2500 | 90.0 % | 2.00 % (3.46 %) | 10.0 % (5.0 %) | 1235 (2345) |",
        "| ivory | **0.7500** | 50.0 % | 0.10 % (0.40 %) | - (20.0 %) | 20 (40) |",
    ]


def test_json_gets_no_nan() -> None:
    found = without_nan({"a": [math.nan, 1.5], "b": (math.nan, {"c": math.nan}), "d": "nan", "e": 0.0})
    assert found == {"a": [None, 1.5], "b": [None, {"c": None}], "d": "nan", "e": 0.0}


def test_csv_has_four_decimals(tmp_path: Path) -> None:
    write_csv([LOW], tmp_path / "points.csv")
    head, row = (tmp_path / "points.csv").read_text().splitlines()
    assert head.startswith("category,threshold,recall,false_positive_rate,")
    assert row == "ivory,0.25,0.9,0.02,0.0346,0.1,0.05,1234.6,2345.4"


def test_what_too_few_negatives_can_show_is_told_of_the_category_with_fewest() -> None:
    def told(*negatives: int) -> list[str]:
        rows = {str(count): {"positives": 0, "negatives": count} for count in negatives}
        text = markdown({"categories": rows, "kinds": {}, "groups": {}, "sources": {}})
        return re.findall(r"^Of (.*) photos without a category none may be above the threshold of (.*) FPR", text, re.M)

    assert told(1000, 2000) == []
    assert told(2000, 999) == [("999", "0.1 %")]
    assert told(100) == [("100", "0.1 %")]
    assert told(99, 5000) == [("99", "1 %"), ("99", "0.1 %")]
