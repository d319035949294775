"""The torture corpora, every file through a real server; the table by ``python -m tests.torture.replay --write``."""

import os
from pathlib import Path

import pytest

from tests.process import running
from tests.torture.replay import BOUND_BYTES, CHECK_EVERY, QUIET, corpus_folder, replay, unpack


def test_every_file_gets_an_answer_or_a_documented_error(tmp_path: Path) -> None:
    files = unpack(corpus_folder(), tmp_path)
    if not files:
        assert not os.environ.get("TESTS_REQUIRE_DATA"), f"the torture corpora are missing at {corpus_folder()}"
        pytest.skip("no torture corpora beside the repository")
    with running(**QUIET) as (port, process):
        outcomes = replay(files, tmp_path, port, process.pid)
    assert outcomes.wrong == []
    assert sum(outcomes.counts.values()) == len(files) and outcomes.good >= len(files) // CHECK_EVERY
    assert {"answered", "corrupt_image", "truncated_image", "unsupported_format", "too_many_pixels"} <= {
        outcome for _, outcome in outcomes.counts
    }
    assert outcomes.peak < BOUND_BYTES
