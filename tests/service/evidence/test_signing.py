"""The key of the evidence packages: on a disk that fills up, and of another kind."""

import base64
import resource
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

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


def test_a_key_that_may_not_be_used_is_told(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"

    def refused() -> str:
        with pytest.raises(StartError) as caught:
            load_key(path)
        return str(caught.value)

    assert "there is no key" in refused()
    key = make_key(path)
    with pytest.raises(StartError, match="File exists"):
        make_key(path)
    assert load_key(path).private_bytes_raw() == key.private_bytes_raw()
    for mode in (0o640, 0o604):
        path.chmod(mode)
        assert "others may read" in refused()
    path.chmod(0o600)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")))
    assert "cannot be read" in refused()
    path.write_text("no key")
    assert "cannot be read" in refused()
    with pytest.raises(StartError, match="cannot be read"):
        load_key(tmp_path)
    other = X25519PrivateKey.generate()
    path.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    assert "not an Ed25519 key" in refused()
    public = other.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(ValueError, match="not an Ed25519 key"):
        read_public(public.decode())
