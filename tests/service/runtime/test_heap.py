import ctypes
import sys
from pathlib import Path

import pytest

from service.runtime.heap import give_back


@pytest.mark.skipif(sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="needs glibc")
def test_free_pages_go_back_to_the_system() -> None:
    # many small blocks, so that malloc keeps them instead of mapping each; the last one pins the top of the heap
    blocks = [bytes(60_000) for _ in range(1_000)]
    pin = bytes(60_000)
    full = resident()
    del blocks
    give_back()
    assert full - resident() > 40e6 and len(pin) == 60_000


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
