import io
import os
import random
from pathlib import Path

import pytest

from service.bulk.spool import Spool
from service.errors import ErrorCode, FaunalensError


def test_reads_like_a_file_wherever_it_is_asked(tmp_path: Path) -> None:
    data, chance = random.Random(1).randbytes(5000), random.Random(2)
    plain = io.BytesIO(data)
    with Spool(tmp_path, 10_000) as spool:
        for start in range(0, 5000, 700):
            spool.append(data[start : start + 700])
        for _ in range(300):
            whence = chance.choice([os.SEEK_SET, os.SEEK_END])
            offset = chance.randrange(5200) if whence == os.SEEK_SET else -chance.randrange(5000)
            assert spool.seek(offset, whence) == plain.seek(offset, whence)
            count = chance.choice([-1, 0, 1, 15, 16, 17, 900])
            assert spool.read(count) == plain.read(count) and spool.tell() == plain.tell()


def test_nothing_is_on_the_disk_in_clear_or_by_name(tmp_path: Path) -> None:
    with Spool(tmp_path, 100) as spool:
        spool.append(b"secret" * 10_000)
        assert list(tmp_path.iterdir()) == []
        spool._file.seek(0)
        assert b"secret" not in spool._file.read()


def test_one_read_is_bounded(tmp_path: Path) -> None:
    with Spool(tmp_path, 100) as spool:
        spool.append(bytes(101))
        with pytest.raises(FaunalensError) as caught:
            spool.read()
    assert caught.value.code is ErrorCode.CORRUPT_ARCHIVE
