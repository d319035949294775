from pathlib import Path

import pytest

from service.store.kinds import Kind
from tests.filled import LISTING, Filled
from tests.service.evidence.packages import run


@pytest.fixture
def package(filled: Filled, tmp_path: Path) -> Path:
    """The package of a listing with a decision, one taken back, and one about another listing between them."""
    filled.decide("tusk-single.jpg", "ann", Kind.REJECT)
    filled.decide("tusks.jpg", "bob", Kind.REJECT)
    filled.decide("tusk-single.jpg", "ann", Kind.UNDO)
    filled.decide("tusk-single.jpg", "ann", Kind.CONFIRM, "ivory")
    assert run("key").exit_code == 0
    out = tmp_path / "package"
    done = run("export", LISTING, "--out", str(out), "--by", "Ann <b>", "--reference", "case 7")
    assert done.exit_code == 4, done.output
    assert "3 photos, 3 decisions" in done.output and "1 photos are not in the store" in done.output
    return out
