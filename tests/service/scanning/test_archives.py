import bz2
import gzip
import io
import stat
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from service.answer import FileAnswer, FileFailure
from service.cli import main
from service.detector import Detector
from service.errors import FaunalensError
from service.scanning import scan as bulk
from service.scanning.entries import Entry, LeftOut
from service.scanning.sources import expand
from tests.conftest import SAMPLES
from tests.service.hostile import overlapping

NAMES = ("in/tusks.JPG", "bananas.jpg", "in/notes.txt", "in/.hidden.jpg", "__MACOSX/in/tusks.jpg", "../../etc/x.jpg")
READ = ("in/tusks.JPG", "bananas.jpg", "../../etc/x.jpg")
MOST = 1_000_000


def picture(name: str) -> bytes:
    return (SAMPLES / ("tusks.jpg" if "tusks" in name else "bananas.jpg")).read_bytes()


def linked(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


class OldInfo(zipfile.ZipInfo):
    """An entry whose name is written in the old code page, without the flag for UTF-8."""

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # noqa: N802 - zipfile's
        return self.filename.encode("cp437"), 0


def make_zip(path: Path) -> str:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("in")
        archive.writestr(linked("in/link.jpg"), "/etc/passwd")
        for name in NAMES:
            archive.writestr(name, picture(name))
    return str(path)


def make_tar(path: Path, mode: str) -> str:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        link = tarfile.TarInfo("in/link.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        for name in NAMES:
            info = tarfile.TarInfo(name)
            info.size = len(picture(name))
            archive.addfile(info, io.BytesIO(picture(name)))
    return str(path)


@pytest.fixture(params=["a.zip", "a.tar", "a.TAR.GZ", "a.tar.xz", "a.tbz2"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    path = tmp_path / request.param
    modes = {"a.tar": "w", "a.TAR.GZ": "w:gz", "a.tar.xz": "w:xz", "a.tbz2": "w:bz2"}
    return make_zip(path) if path.suffix == ".zip" else make_tar(path, modes[path.name])


def everything(_: str) -> bool:
    return True


def test_pictures_are_read_in_order_and_nothing_else(archive: str) -> None:
    left_out = LeftOut()
    entries = list(expand(["x.jpg", archive, "y.jpg"], everything, MOST, left_out))
    assert entries[0] == "x.jpg" and entries[-1] == "y.jpg"
    assert entries[1:-1] == [Entry(f"{archive}!{name}", picture(name)) for name in READ]
    assert "1 links" in str(left_out) and "2 hidden" in str(left_out)


def test_done_entries_are_not_read_again(archive: str) -> None:
    left = list(expand([archive], lambda file: not file.endswith("bananas.jpg"), MOST, LeftOut()))
    assert [entry.file for entry in left if isinstance(entry, Entry)] == [
        f"{archive}!{n}" for n in READ if "ban" not in n
    ]
    assert list(expand([archive], lambda file: file != archive, MOST, LeftOut())) == []


def test_an_entry_is_cut_above_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.jpg", bytes(50_000_000))
    (entry,) = expand([str(path)], everything, MOST, LeftOut())
    assert isinstance(entry, Entry) and isinstance(entry.data, bytes) and len(entry.data) == MOST + 1


@pytest.mark.parametrize("kind", ["zip", "tar.bz2", "tar.gz", "header"])
def test_bombs_cost_no_memory(kind: str, tmp_path: Path) -> None:
    zeros, path, stream = bytes(96 << 20), tmp_path / f"a.{'tar.gz' if kind == 'header' else kind}", io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
            archive.writestr("bomb.jpg", zeros)
            archive.writestr("good.jpg", b"good", zipfile.ZIP_DEFLATED)
    else:
        info = tarfile.TarInfo("bomb.jpg")
        info.size, info.type = len(zeros), tarfile.XHDTYPE if kind == "header" else tarfile.REGTYPE
        with tarfile.open(fileobj=stream, mode="w") as tar:
            tar.addfile(info, io.BytesIO(zeros))
            good = tarfile.TarInfo("good.jpg")
            good.size = 4
            tar.addfile(good, io.BytesIO(b"good"))
        path.write_bytes((bz2.compress if kind == "tar.bz2" else gzip.compress)(stream.getvalue()))
        stream.close()
    del zeros
    tracemalloc.start()
    try:
        entries = [entry for entry in expand([str(path)], everything, MOST, LeftOut()) if isinstance(entry, Entry)]
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()
    if kind == "header":
        assert [entry.file for entry in entries] == [str(path)] and isinstance(entries[0].data, FaunalensError)
        return
    bomb, last = entries
    assert last.data == b"good"
    assert isinstance(bomb.data, FaunalensError) if kind == "zip" else bomb.data == bytes(MOST + 1)


def test_what_breaks_off_keeps_what_came_before(archive: str) -> None:
    whole = Path(archive).read_bytes()
    # a zip says at its end where everything is
    cut = whole[: len(whole) * 2 // 3 - 3_000]
    Path(archive).write_bytes(cut)
    entries = [entry for entry in expand([archive], everything, MOST, LeftOut()) if isinstance(entry, Entry)]
    assert entries[-1].file == archive and isinstance(entries[-1].data, FaunalensError)
    assert all(isinstance(entry.data, bytes) for entry in entries[:-1])
    if archive.endswith(".tar"):
        assert len(entries) > 1


def test_a_packed_tar_whose_end_is_damaged_says_so_after_its_entries(tmp_path: Path) -> None:
    path = Path(make_tar(tmp_path / "a.tar.gz", "w:gz"))
    path.write_bytes(path.read_bytes()[:-8] + bytes(8))
    *entries, last = (one for one in expand([str(path)], everything, MOST, LeftOut()) if isinstance(one, Entry))
    assert [entry.data for entry in entries] == [picture(name) for name in READ]
    assert last.file == str(path) and isinstance(last.data, FaunalensError)


def test_a_damaged_zip_entry_spoils_no_other(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip")
    data = bytearray(Path(path).read_bytes())
    where = data.find(b"in/tusks.JPG") + 5_000
    data[where : where + 100] = bytes(100)
    Path(path).write_bytes(data)
    entries = [entry for entry in expand([path], everything, MOST, LeftOut()) if isinstance(entry, Entry)]
    assert isinstance(entries[0].data, FaunalensError) and entries[0].data.code.code == "unreadable_file"
    assert [entry.data for entry in entries[1:]] == [picture(name) for name in READ[1:]]


def test_a_tar_with_a_damaged_header_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        for name in ("a.jpg", "b.jpg", "c.jpg"):
            archive.addfile(tarfile.TarInfo(name))
    data = bytearray(path.read_bytes())
    data[512] ^= 0xFF
    path.write_bytes(data)
    first, last = (entry for entry in expand([str(path)], everything, MOST, LeftOut()) if isinstance(entry, Entry))
    assert first.file == f"{path}!a.jpg" and last.file == str(path) and isinstance(last.data, FaunalensError)


def test_an_entry_of_a_zip_without_a_name_spoils_no_other(tmp_path: Path) -> None:
    nameless = zipfile.ZipInfo("x")
    nameless.filename = ""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(nameless, b"x")
        archive.writestr("a.jpg", b"x")
    entries = expand([str(tmp_path / "a.zip")], everything, MOST, LeftOut())
    assert [entry.file for entry in entries if isinstance(entry, Entry)] == [f"{tmp_path}/a.zip!a.jpg"]


def test_names_of_a_zip_are_utf8_also_where_the_flag_is_missing(tmp_path: Path) -> None:
    """Info-ZIP and the Finder leave it out. What is no UTF-8 is of the old code page."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("näme 象.jpg", "plain.jpg"):
            archive.writestr(name, b"data")
        # as they lie in the file: the bytes of UTF-8, read as the code page
        for written in ("näme 象".encode().decode("cp437") + ".jpg", "n\u00e4me.jpg"):
            archive.writestr(OldInfo(written), b"data")
    names = [
        entry.file.partition("!")[2]
        for entry in expand([str(path)], everything, MOST, LeftOut())
        if isinstance(entry, Entry)
    ]
    assert names == ["näme 象.jpg", "plain.jpg", "näme 象.jpg", "näme.jpg"]


def test_no_archive_and_none_there(tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("no archive")
    (tmp_path / "text.tar").write_text("no archive")
    for name in ("text.zip", "text.tar", "missing.tar"):
        (entry,) = expand([str(tmp_path / name)], everything, MOST, LeftOut())
        assert isinstance(entry, Entry) and isinstance(entry.data, FaunalensError)


def test_names_that_are_no_text_can_be_printed(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT, encoding="latin-1") as archive:
        info = tarfile.TarInfo("caf\xe9.jpg")
        info.size = 1
        archive.addfile(info, io.BytesIO(b"x"))
    (entry,) = expand([str(path)], everything, MOST, LeftOut())
    assert isinstance(entry, Entry) and entry.file.encode().endswith(b"!caf\\udce9.jpg")


def test_a_zip_that_names_the_same_bytes_again_and_again_is_not_read(tmp_path: Path) -> None:
    """Three megabytes would be unpacked to more than a terabyte."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("a.jpg", bytes(MOST))
    (tmp_path / "a.zip").write_bytes(overlapping(stream.getvalue(), 1_000))
    (entry,) = expand([str(tmp_path / "a.zip")], everything, MOST, LeftOut())
    assert isinstance(entry, Entry) and isinstance(entry.data, FaunalensError)
    assert entry.data.details == {"reason": "its entries lie over each other"}


def test_scores_are_those_of_the_files(archive: str, detector: Detector) -> None:
    policy = detector.policy(None)
    records = list(bulk.scan(detector, policy, expand([archive], everything, MOST, LeftOut()), 2))
    expected = [detector.answer(picture(name), "r", policy).scores for name in READ]
    assert [record.scores for record in records if isinstance(record, FileAnswer)] == expected


def test_resume_goes_on_inside_an_archive(tmp_path: Path) -> None:
    archive, output = make_zip(tmp_path / "a.zip"), tmp_path / "out.jsonl"
    output.write_text(f'{{"file": "{archive}!bananas.jpg", "verdict": "clear"}}\n')
    done = CliRunner().invoke(main, ["scan", archive, "--resume", str(output)])
    assert done.exit_code in (0, 4), done.output
    files = [line.split('"file":"')[1].split('"')[0] for line in output.read_text().splitlines()[1:]]
    assert files == [f"{archive}!{name}" for name in READ if name != "bananas.jpg"]


def test_resume_between_two_entries_of_one_name_goes_on_with_the_second(tmp_path: Path) -> None:
    archive, output = tmp_path / "a.tar", tmp_path / "out.jsonl"
    with tarfile.open(archive, "w") as made:
        for _ in range(3):
            made.add(SAMPLES / "bananas.jpg", "a.jpg")
    output.write_text(f'{{"file": "{archive}!a.jpg", "verdict": "clear"}}\n')
    for _ in range(2):
        done = CliRunner().invoke(main, ["scan", str(archive), "--resume", str(output)])
        assert done.exit_code == 0 and "3 clear" in done.output
    assert len(output.read_text().splitlines()) == 3


def test_failures_become_records(tmp_path: Path, detector: Detector) -> None:
    (tmp_path / "text.zip").write_text("no archive")
    items = expand([str(tmp_path / "text.zip")], everything, MOST, LeftOut())
    (record,) = bulk.scan(detector, detector.policy(None), items, 1)
    assert isinstance(record, FileFailure) and record.error.details == {"reason": "File is not a zip file"}
