"""The long run: damages pictures without end and decodes them in a decoder process, where a crash is seen.

``python -m tests.fuzz.long [--minutes 30] [--seed 0] [--out runs/fuzz]``. Files that crash a decoder, or pass its
deadline, or raise anything but a typed error are kept in that folder, and the exit code is 1. Same seed, same files.
"""

import argparse
import hashlib
import random
import time
from collections import Counter
from pathlib import Path

from service.contract import Preprocessing
from service.decoding.decoders import Bounds, Decoders
from service.errors import ErrorCode, FaunalensError
from tests.fuzz.test_decoder import SEEDS, SMALL, damaged

RULE = Preprocessing.model_validate({"size": 64, "mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)})
KEPT = (ErrorCode.DECODER_STOPPED.code, ErrorCode.DECODE_DEADLINE.code)


def picture(rng: random.Random) -> bytes:
    """One damaged picture."""
    changes = [(rng.random(), rng.randbytes(rng.randint(1, 6))) for _ in range(rng.randint(0, 12))]
    return damaged(rng.choice(SEEDS), changes, rng.choice((1.0, 1.0, 1.0, rng.random())))


def outcome(decoders: Decoders, data: bytes) -> str:
    """``answered``, the code of a typed error, or the name of any other exception."""
    try:
        decoders._isolated(data, rule=RULE.model_dump())
    except FaunalensError as error:
        return error.code.code
    except Exception as error:
        return type(error).__name__
    return "answered"


def main() -> None:
    """Run until the time is over; print the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/fuzz"))
    options = parser.parse_args()
    decoders, rng, counts = Decoders(1, SMALL, Bounds(5.0, 500_000_000)), random.Random(options.seed), Counter[str]()
    typed = {"answered", *(code.code for code in ErrorCode)}
    end = time.monotonic() + options.minutes * 60
    while time.monotonic() < end:
        data = picture(rng)
        found = outcome(decoders, data)
        counts[found] += 1
        if found in KEPT or found not in typed:
            options.out.mkdir(parents=True, exist_ok=True)
            (options.out / f"{found}-{hashlib.sha256(data).hexdigest()[:16]}").write_bytes(data)
    print(f"{counts.total()} pictures from seed {options.seed}:", dict(counts.most_common()))
    raise SystemExit(any(code in KEPT or code not in typed for code in counts))


if __name__ == "__main__":
    main()
