import ctypes
import os
import platform
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service import imaging
from service.contract import Preprocessing
from service.decoding.decoders import Bounds, Decoders
from service.errors import ErrorCode, FaunalensError, StartError
from service.imaging import Limits
from tests.conftest import ROOT, encoded
from tests.live import ticks, until
from tests.service.hostile import flat, many_scans, scene

RULE = Preprocessing.model_validate({"size": 64, "mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)})


def landlock_version() -> int:
    """Zero or less: this system has none."""
    version: int = ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    return version


@pytest.fixture
def decoders() -> Iterator[Decoders]:
    """One decoder process, ready. It has two seconds of the processor for a picture, whatever the clock says."""
    made = Decoders(1, Limits(), Bounds(seconds=2.0, memory=200_000_000, patience=60))
    made.prepare(encoded(scene(), "PNG"), RULE)
    yield made
    made.close()


def only_process(decoders: Decoders) -> int:
    process = decoders._idle.queue[0]
    assert process is not None
    return process.popen.pid


def test_the_same_pixels_here_and_there(decoders: Decoders) -> None:
    for kind in imaging.FORMATS:
        data = encoded(scene(900, 600), kind)
        header, pixels = decoders.prepare(data, RULE)
        expected, straight = imaging.prepare(data, Limits(), RULE)
        assert header == expected and np.array_equal(pixels, straight)
        view = decoders.view(data, 300)
        assert view.size == (300, 200)
        assert np.array_equal(np.asarray(view), np.asarray(imaging.view(data, Limits(), 300).rgb))


def test_one_process_serves_many_pictures(decoders: Decoders) -> None:
    before = only_process(decoders)
    for _ in range(5):
        with pytest.raises(FaunalensError):
            decoders.prepare(b"\x89PNG\r\n\x1a\nnothing", RULE)
        decoders.prepare(encoded(scene(), "PNG"), RULE)
    assert only_process(decoders) == before


def page_faults(process: int) -> int:
    """Page faults of a process so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2].split()
    return int(fields[7])


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_a_large_picture_does_not_cost_thousands_of_page_faults() -> None:
    decoders = Decoders(1, Limits(), Bounds())
    data = encoded(scene(1600, 1200), "WEBP")
    decoders.prepare(data, RULE)
    before = page_faults(only_process(decoders))
    for _ in range(3):
        decoders.prepare(data, RULE)
    assert page_faults(only_process(decoders)) - before < 1600 * 1200 * 4 / 4096, "fewer than the pixels of one take"
    decoders.close()


def test_a_crash_costs_one_picture(decoders: Decoders) -> None:
    before, picture = only_process(decoders), many_scans(4_000, 3_000, 5_000)
    idle = ticks(before)
    errors: list[FaunalensError] = []

    def slow() -> None:
        with pytest.raises(FaunalensError) as caught:
            decoders.prepare(picture, RULE)
        errors.append(caught.value)

    thread = threading.Thread(target=slow)
    thread.start()
    until(lambda: ticks(before) > idle + 5)
    os.kill(before, signal.SIGSEGV)
    thread.join()
    assert errors[0].code is ErrorCode.DECODER_STOPPED
    decoders.prepare(encoded(scene(), "PNG"), RULE)
    assert only_process(decoders) != before


def test_signals_to_the_group_of_processes_reach_the_service_only(decoders: Decoders) -> None:
    before = only_process(decoders)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        os.kill(before, number)
        decoders.prepare(encoded(scene(), "PNG"), RULE)
    assert only_process(decoders) == before


def test_such_signals_in_the_instant_of_its_start_do_not_end_it_either(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that was stopped while it started said that no decoder process starts, with exit code 3."""

    class Signalled(subprocess.Popen[bytes]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
                self.send_signal(number)

    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    monkeypatch.setattr("service.decoding.starting.subprocess.Popen", Signalled)
    made = Decoders(1, Limits(), Bounds())
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == mask
    made.prepare(encoded(scene(), "PNG"), RULE)
    status = Path(f"/proc/{only_process(made)}/status").read_text()
    assert int(status.split("SigBlk:")[1].split()[0], 16) == 0, "an alarm ends it when the service has died"
    made.close()


def test_the_deadline_costs_one_picture(decoders: Decoders) -> None:
    before = only_process(decoders)
    decoders._idle.queue[0].bounds = Bounds(seconds=2.0)  # type: ignore[union-attr]
    started = time.monotonic()
    with pytest.raises(FaunalensError) as caught:
        decoders.prepare(many_scans(4_000, 3_000, 5_000), RULE)
    assert caught.value.code is ErrorCode.DECODE_DEADLINE and caught.value.details == {"seconds": 2.0}
    assert time.monotonic() - started >= 2.0
    assert not Path(f"/proc/{before}").exists(), "a decoder that is too slow is killed and reaped"
    decoders.prepare(encoded(scene(), "PNG"), RULE)


def test_who_gets_no_processor_is_not_late_and_takes_no_more_of_it() -> None:
    decoders = Decoders(1, Limits(), Bounds(seconds=0.5, memory=200_000_000, patience=100))
    before = only_process(decoders)
    os.kill(before, signal.SIGSTOP)
    going_on = threading.Timer(1.0, os.kill, (before, signal.SIGCONT))
    going_on.start()
    decoders.prepare(encoded(scene(), "PNG"), RULE)
    assert only_process(decoders) == before
    with pytest.raises(FaunalensError) as caught:
        decoders.prepare(many_scans(4_000, 3_000, 5_000), RULE)
    assert caught.value.code is ErrorCode.DECODE_DEADLINE and caught.value.details == {"seconds": 0.5}
    decoders.close()


def test_memory_is_bounded() -> None:
    decoders = Decoders(1, Limits(), Bounds(seconds=20.0, memory=200_000_000))
    with pytest.raises(FaunalensError) as caught:
        decoders.prepare(encoded(flat(7_000, 7_000, "RGBA"), "PNG", compress_level=1), RULE)
    assert caught.value.code is ErrorCode.DECODER_STOPPED
    status = Path(f"/proc/{only_process(decoders)}/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0]) * 1024
    assert peak < 400_000_000
    decoders.close()


def test_a_lower_limit_that_is_there_already_is_kept() -> None:
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (900_000_000, 900_000_000))\n"
        "from service.decoding.decoders import Bounds, Decoders\n"
        "from service.imaging import Limits\n"
        "decoders = Decoders(1, Limits(), Bounds())\n"
        "print(resource.prlimit(decoders._idle.queue[0].popen.pid, resource.RLIMIT_AS))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "(900000000, 900000000)\n", done.stderr


def test_a_decoder_reaches_nothing(decoders: Decoders) -> None:
    pid = only_process(decoders)
    names = {entry.split(b"=")[0] for entry in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")}
    # glibc cuts its own settings up where they stand
    names = {name for name in names if not name.startswith(b"glibc.malloc.")}
    assert names - {b""} == {b"PYTHONPATH", b"OPENBLAS_NUM_THREADS", b"GLIBC_TUNABLES"}
    limits = Path(f"/proc/{pid}/limits").read_text()
    for name in ("Max file size", "Max core file size", "Max open files", "Max processes"):
        assert f"{name} 0 0" in " ".join(limits.split()), name


def test_who_takes_a_decoder_over_opens_neither_files_nor_connections() -> None:
    """The keys, the photos and the network are the same user's; code that a picture brings would go for them."""
    code = (
        "import os, socket; from service.decoding import decoder_process; decoder_process._restrict(10**9)\n"
        "for reach in (lambda: os.open('/etc/passwd', 0), socket.socket, os.pipe, lambda: os.dup(0)):\n"
        "    try: print('reached', reach())\n"
        "    except OSError: print('no')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "no\n" * 4, done.stderr


@pytest.mark.skipif(landlock_version() < 1, reason="this system has no Landlock")
def test_who_takes_a_decoder_over_reaches_no_other_process(decoders: Decoders) -> None:
    """Not by files, which it cannot open: it would read the keys and photos in the service's memory, or end it."""
    assert decoders.confined
    code = (
        "import ctypes, os; from service.decoding import decoder_process; assert decoder_process._restrict(10**9)\n"
        "libc, service = ctypes.CDLL(None), os.getppid()\n"
        "class Piece(ctypes.Structure): _fields_ = (('at', ctypes.c_void_p), ('size', ctypes.c_size_t))\n"
        "mine = ctypes.create_string_buffer(8)\n"
        "here, there = Piece(ctypes.addressof(mine), 8), Piece(SECRET, 8)\n"
        "print(libc.process_vm_readv(service, ctypes.byref(here), 1, ctypes.byref(there), 1, 0), mine.raw)\n"
        "print(libc.ptrace(0x4206, service, 0, 0))\n"
        "try: os.execv('/bin/echo', ['echo', 'reached'])\n"
        "except OSError as error: print(type(error).__name__)\n"
        "try: print(os.kill(service, 0))\n"
        "except OSError as error: print(type(error).__name__)"
    )
    secret = ctypes.create_string_buffer(b"secret!")
    code = code.replace("SECRET", str(ctypes.addressof(secret)))
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    alive = "PermissionError" if landlock_version() >= 6 else "None"
    assert done.stdout.splitlines() == [f"-1 {bytes(8)}", "-1", "PermissionError", alive], done.stderr


def test_a_system_without_landlock_decodes_all_the_same() -> None:
    code = (
        "from service.decoding import decoder_process, landlock; landlock._CREATE = 0xFFFF\n"
        "print(decoder_process._restrict(10**9))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "False\n", done.stderr


def test_pillow_has_at_hand_what_a_picture_may_need(decoders: Decoders) -> None:
    """It imports some of its parts for the first picture that needs them, and would call that picture corrupt."""
    for mode in ("1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "LAB", "I;16", "F"):
        data = encoded(scene().convert("L" if mode in ("I;16", "F") else "RGB").convert(mode), "TIFF")
        assert np.array_equal(decoders.prepare(data, RULE)[1], imaging.prepare(data, Limits(), RULE)[1]), mode
    several = encoded(scene(), "MPO", save_all=True, append_images=[scene()])
    expected = imaging.view(several, Limits(), 64).rgb
    assert np.array_equal(np.asarray(decoders.view(several, 64, tolerate_truncated=True)), np.asarray(expected))


def test_a_worn_process_is_replaced(decoders: Decoders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.decoding.decoders._RECYCLE_AFTER", 3)
    pids = set()
    for _ in range(6):
        decoders.prepare(encoded(scene(), "PNG"), RULE)
        pids.add(only_process(decoders))
    assert len(pids) >= 2


def test_no_process_outlives_its_decoders() -> None:
    made = Decoders(1, Limits(), Bounds())
    made.prepare(encoded(scene(), "PNG"), RULE)
    pid = only_process(made)
    del made
    assert not Path(f"/proc/{pid}").exists()


def test_a_decoder_that_lies_is_neither_believed_nor_asked_again(
    decoders: Decoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = only_process(decoders)
    monkeypatch.setattr("service.decoding.decoders._Process.ask", lambda *_: ({"shape": [64, 64]}, bytearray()))
    with pytest.raises(FaunalensError) as caught:
        decoders.prepare(encoded(scene(), "PNG"), RULE)
    monkeypatch.undo()
    assert caught.value.code is ErrorCode.DECODER_STOPPED
    assert not Path(f"/proc/{before}").exists()
    decoders.prepare(encoded(scene(), "PNG"), RULE)


def test_a_system_on_which_no_decoder_starts_is_told_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(StartError, match=r"a decoder process does not start$"):
        Decoders(1, Limits(), Bounds())
    monkeypatch.setattr("service.decoding.decoders._MEMORY", "/no/such/file")
    with pytest.raises(StartError, match="does not start: it needs Linux, or another system with /no/such/file"):
        Decoders(1, Limits(), Bounds())


def test_a_decoder_that_cannot_start(decoders: Decoders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/no/such/python")
    with pytest.raises(StartError):
        Decoders(1, Limits(), Bounds())
    killed = only_process(decoders)
    os.kill(killed, signal.SIGKILL)
    os.waitid(os.P_PID, killed, os.WEXITED | os.WNOWAIT)
    with pytest.raises(FaunalensError) as caught:
        decoders.prepare(encoded(scene(), "PNG"), RULE)
    assert caught.value.code is ErrorCode.OVERLOADED
    monkeypatch.undo()
    decoders.prepare(encoded(scene(), "PNG"), RULE)


def test_on_a_busy_machine_the_first_decoder_has_longer_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service ended with 3 where imports took more than half a minute."""
    monkeypatch.setattr("service.decoding.decoders._START_SECONDS", 0.0)
    Decoders(1, Limits(), Bounds()).close()


def test_without_a_file_left_to_open_no_decoder_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("socket.socketpair", refuse)
    with pytest.raises(StartError, match="cannot be started"):
        Decoders(1, Limits(), Bounds())
