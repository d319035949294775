"""The key of the evidence packages: on a disk that fills up, and of another kind."""

import base64
import resource
from pathlib import Path

import pytest

from service.errors import StartError
from service.evidence.signing import load_key, make_key, public_pem, read_public


def test_a_full_disk_leaves_no_half_key(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # a limit on the size of files stands for the disk
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        with pytest.raises(StartError, match="cannot be made: File too large"):
            make_key(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not path.exists()
    make_key(path)
    assert load_key(path) and path.stat().st_mode & 0o777 == 0o600


def test_a_key_of_an_unknown_kind_is_none(tmp_path: Path) -> None:
    """OpenSSL's next kind of key, say: its number is one that cryptography has no name for."""
    path = tmp_path / "key.pem"
    make_key(path)
    private, public = path.read_text(), public_pem(load_key(path).public_key())
    path.write_text(of_another_kind(private))
    with pytest.raises(StartError, match="cannot be read"):
        load_key(path)
    with pytest.raises(ValueError, match="another kind"):
        read_public(of_another_kind(public))


def of_another_kind(pem: str) -> str:
    head, *lines, tail = pem.splitlines()
    der = base64.b64decode("".join(lines)).replace(b"\x06\x03\x2b\x65\x70", b"\x06\x03\x2b\x65\x7f")
    return f"{head}\n{base64.b64encode(der).decode()}\n{tail}\n"
