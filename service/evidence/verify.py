"""Checks a package without a network, a store or a model: the signature, every file, the log, and that they agree."""

import base64
import hashlib
import json
import zipfile
import zlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from service import chain
from service.evidence.shelf import FORMAT, MANIFEST, MOST_BYTES, SIGNATURE, Shelf, open_shelf
from service.evidence.signing import fingerprint, is_signed, read_public

_MOST_MANIFEST = 500_000_000
_BROKEN = (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, ValueError, KeyError, TypeError,
           AttributeError, RecursionError, zlib.error)  # fmt: skip


@dataclass(slots=True)
class Report:
    """What a check found. ``problems``: empty when the package is what was signed."""

    problems: list[str] = field(default_factory=list)
    signer: str = ""
    head: str = ""
    photos: int = 0
    files: int = 0


def verify(path: Path, key: Ed25519PublicKey | None = None, head: str | None = None) -> Report:
    """Check the package at ``path``.

    ``key``: the signer's, known from elsewhere; without it the package's own is used, which shows only that nobody
    without that key changed it. ``head``: a hash of the log, noted elsewhere, that must be in its stretch.
    """
    report = Report()
    try:
        shelf = open_shelf(path)
        text = shelf.read(MANIFEST, _MOST_MANIFEST)
        manifest = _signed(shelf, text, key, report)
        if manifest is not None:
            _check_files(shelf, manifest, report)
            _check_log(shelf, manifest, head, report)
            _check_photos(shelf, manifest, report)
    except _BROKEN as error:
        report.problems.append(f"it cannot be read as a package: {type(error).__name__}: {error}")
    return report


def _signed(shelf: Shelf, text: bytes, key: Ed25519PublicKey | None, report: Report) -> dict[str, Any] | None:
    """The manifest; None when it is not what was signed, for then nothing in it is to be believed."""
    manifest: dict[str, Any] = json.loads(text)
    own = read_public(manifest["signer"]["public_key"])
    report.signer = fingerprint(key or own)
    signature = base64.b64decode(shelf.read(SIGNATURE, 1000), validate=False)
    if not is_signed(key or own, signature, text):
        report.problems.append("the signature does not fit the manifest" + (" and the given key" if key else ""))
        return None
    if base64.b64encode(signature) + b"\n" != shelf.read(SIGNATURE, 1000):
        report.problems.append(f"{SIGNATURE} holds more than the signature")
    if fingerprint(own) != report.signer:
        report.problems.append("the manifest names another key than the given one, which signed it")
    if manifest["signer"]["fingerprint"] != fingerprint(own):
        report.problems.append("the manifest states another fingerprint than its key has")
    if manifest["format"] != FORMAT:
        report.problems.append(f"the format {manifest['format']!r} is not known here")
        return None
    return manifest


def _check_files(shelf: Shelf, manifest: dict[str, Any], report: Report) -> None:
    """Every file that is named is there, as it was, and no other."""
    named = {one["path"]: one for one in manifest["files"]}
    found = Counter(shelf.names())
    for path in sorted(named.keys() - found.keys()):
        report.problems.append(f"{path} is missing")
    for path in sorted(found.keys() - named.keys() - {MANIFEST, SIGNATURE}):
        report.problems.append(f"{path} was added")
    report.problems += [f"{path} is there {count} times" for path, count in sorted(found.items()) if count > 1]
    for path in sorted(named.keys() & found.keys()):
        size, digest = named[path]["bytes"], named[path]["sha256"]
        try:
            data = shelf.read(path, min(size, MOST_BYTES))
        except _BROKEN as error:
            report.problems.append(f"{path} cannot be read: {type(error).__name__}")
            continue
        if len(data) != size or hashlib.sha256(data).hexdigest() != digest:
            report.problems.append(f"{path} was changed")
    report.files = len(named)


def _check_log(shelf: Shelf, manifest: dict[str, Any], head: str | None, report: Report) -> None:
    """The stretch of the log leads from its beginning to its head, number by number."""
    log = json.loads(shelf.read(manifest["log"]["path"]))
    hash_, known = log["before"], head is None or head == log["before"]
    texts: dict[int, tuple[str, str]] = {}
    for number, link in enumerate(log["links"], log["first"]):
        hash_ = chain.link(hash_, link["digest"])
        known = known or hash_ == head
        if link["seq"] != number:
            report.problems.append(f"log: entry {number} is missing")
        if "entry" in link:
            texts[number] = (link["entry"], hash_)
            if chain.digest(link["entry"]) != link["digest"]:
                report.problems.append(f"log: the text of entry {number} was changed")
    if not hash_ == log["head"] == manifest["log"]["head"] or log["before"] != manifest["log"]["before"]:
        report.problems.append("log: the entries do not lead to its head")
    if not known:
        report.problems.append("log: the given head is not in this stretch")
    report.head = hash_
    told = {one["seq"]: one for photo in manifest["photos"] for one in photo["decisions"]}
    if told.keys() != texts.keys():
        report.problems.append("log: its entries are not the decisions that the manifest tells")
    for seq in sorted(told.keys() & texts.keys()):
        if {**json.loads(texts[seq][0]), "hash": texts[seq][1]} != told[seq]:
            report.problems.append(f"log: entry {seq} and the manifest disagree")


def _check_photos(shelf: Shelf, manifest: dict[str, Any], report: Report) -> None:
    """Result, decisions and bytes are about one photo."""
    digests = {one["path"]: one["sha256"] for one in manifest["files"]}
    for number, photo in enumerate(manifest["photos"], 1):
        if json.loads(shelf.read(photo["result"])) != photo["record"]:
            report.problems.append(f"photo {number}: its result is not the one of the manifest")
        stated = {photo["sha256"], photo["record"].get("image", {}).get("sha256")}
        stated |= {one["sha256"] for one in photo["decisions"]}
        if photo["path"]:
            stated.add(digests.get(photo["path"]))
        if len(stated) != 1 or any(one["item"] != photo["item"] for one in photo["decisions"]):
            report.problems.append(f"photo {number}: bytes, result and decisions are not about the same photo")
    report.photos = len(manifest["photos"])
