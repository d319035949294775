"""The Ed25519 key that signs packages: a PEM file (PKCS #8) of the service's owner, mode 0600 (RFC 8032, RFC 8410)."""

import hashlib
import os
import stat
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)  # fmt: skip

from service.errors import StartError


def make_key(path: Path) -> Ed25519PrivateKey:
    """A new key at ``path``; raises :class:`StartError` when there is a file already, or none can be made."""
    key = Ed25519PrivateKey.generate()
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        try:
            with open(descriptor, "wb") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(descriptor)
        except OSError:
            # half a key would be in the way of the next
            path.unlink(missing_ok=True)
            raise
    except FileNotFoundError as error:
        where = "FAUNALENS_STORE or FAUNALENS_EVIDENCE_KEY says where"
        raise StartError(f"the key {path} cannot be made: its folder is not there ({where})") from error
    except OSError as error:
        raise StartError(f"the key {path} cannot be made: {error.strerror}") from error
    return key


def load_key(path: Path) -> Ed25519PrivateKey:
    """The key at ``path``; raises :class:`StartError` when it is missing, open to others, or none."""
    try:
        text = path.read_bytes()
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise StartError(f"others may read the key {path}: run chmod 600 on it")
        key = load_pem_private_key(text, password=None)
    except FileNotFoundError as error:
        raise StartError(f"there is no key at {path}; `faunalens evidence key` makes it") from error
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise StartError(f"the key {path} cannot be read") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise StartError(f"the key {path} is not an Ed25519 key")
    return key


def public_pem(key: Ed25519PublicKey) -> str:
    """The public key as it is given to others."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")


def read_public(text: str) -> Ed25519PublicKey:
    """The public key of a PEM text; raises :class:`ValueError`."""
    try:
        key = load_pem_public_key(text.encode())
    except UnsupportedAlgorithm as error:
        raise ValueError("a key of another kind") from error
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("not an Ed25519 key")
    return key


def fingerprint(key: Ed25519PublicKey) -> str:
    """SHA-256 of the key's 32 bytes, in hexadecimal: short enough to be read over the telephone."""
    return hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()


def is_signed(key: Ed25519PublicKey, signature: bytes, data: bytes) -> bool:
    """Whether the owner of ``key`` signed ``data``."""
    try:
        key.verify(signature, data)
    except InvalidSignature:
        return False
    return True
