import pytest
from click.testing import CliRunner

from service.cli import main

_DAY, _CAPACITY = ("--photos-per-day", "10"), ("--review-capacity", "5")


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "1e400"])
@pytest.mark.parametrize(
    "words",
    [
        ("keys", "create", "--name", "x", "--scope", "admin", "--rate"),
        ("thresholds", "--out", "o", *_DAY, "--review-capacity"),
        ("thresholds", "--out", "o", *_CAPACITY, "--photos-per-day"),
        ("thresholds", "--out", "o", *_DAY, *_CAPACITY, "--prevalence"),
        ("compose", "--out", "o", "--shares", "0.1"),
        ("train", "--out", "o", "--kind-weight"),
    ],
    ids=" ".join,
)
def test_numbers_of_commands_are_finite(words: tuple[str, ...], number: str) -> None:
    done = CliRunner().invoke(main, [*words, number])
    assert done.exit_code == 2 and "Invalid value for '--" in done.output
    assert "is not a finite number" in done.output or "is not in the range" in done.output
