"""The hash chain of the log of decisions: what an entry's hash is, and how a stretch of the log is checked.

An entry's hash is SHA-256 over the hash before it and the digest of the entry's text. So a stretch of the log can be
shown to lead to a known hash with the digests alone of entries that are nobody else's business.
"""

import hashlib

BEGINNING = "0" * 64


def digest(entry: str) -> str:
    """SHA-256 of an entry's text, in hexadecimal."""
    return hashlib.sha256(entry.encode()).hexdigest()


def link(previous: str, entry_digest: str) -> str:
    """The hash of an entry after the hash ``previous``."""
    return hashlib.sha256(f"{previous}\n{entry_digest}".encode()).hexdigest()
