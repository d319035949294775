"""Recognises a head that differs from one before it only in the length of its body and in its request id.

A client that is refused sends the same head again, with another photo. What the parser made of the first is true of the
others, if all else is the same to the byte: they need not be parsed. Learned are only heads whose lines are the
parser's headers one by one, and which say the length of their body once. A head may hold a key: how long the comparison
takes does not tell how much of it was right.
"""

import re
from collections.abc import Sequence
from hmac import compare_digest
from typing import NamedTuple

_LENGTH, _REQUEST_ID = b"content-length", b"x-request-id"
# the end of their body is found in another way, or they have more than one answer
_OTHERWISE = frozenset({b"transfer-encoding", b"trailer", b"expect", b"upgrade"})
_VALUES = {_LENGTH: re.compile(rb"[0-9]{1,15}"), _REQUEST_ID: re.compile(rb"[A-Za-z0-9._-]{1,64}")}
_LONGEST = 64


class Seen(NamedTuple):
    """A head at the beginning of some bytes: its own length, that of its body, and the request id in it, or ``""``."""

    head: int
    body: int
    request_id: str


class Repeat:
    """A head that was parsed before; made by :func:`learned`."""

    __slots__ = ("_last", "_longest", "_values")

    def __init__(self, values: Sequence[tuple[bytes, bytes]], last: bytes) -> None:
        """``values``: what stands before each value that may differ, and the name of its header; ``last``: the rest."""
        self._values = values
        self._last = last
        self._longest = len(last) + sum(len(before) + _LONGEST for before, _ in values)

    def seen(self, data: bytes | memoryview) -> Seen | None:
        """What ``data`` begins with, if that is this head and all of it is there."""
        start = bytes(data[: self._longest])
        at, length, request_id = 0, 0, ""
        for before, name in self._values:
            begin = at + len(before)
            if not compare_digest(start[at:begin], before):
                return None
            at = start.find(b"\r", begin, begin + _LONGEST + 1)
            value = start[begin:at] if at >= 0 else b""
            if not _VALUES[name].fullmatch(value):
                return None
            if name == _LENGTH:
                length = int(value)
            else:
                request_id = value.decode("ascii")
        end = at + len(self._last)
        return Seen(end, length, request_id) if compare_digest(start[at:end], self._last) else None


def learned(data: bytes, first: bytes, headers: Sequence[tuple[bytes, bytes]]) -> Repeat | None:
    """The head that ``data`` begins with, of which a parser made ``first``, its first line, and ``headers``.

    Their names are in lower case. None: it is not that head, or not one of those that may be recognised.
    """
    head, end, _ = data.partition(b"\r\n\r\n")
    told, *lines = head.split(b"\r\n")
    names = [name for name, _ in headers]
    if not end or told != first or len(lines) != len(names) or not _OTHERWISE.isdisjoint(names):
        return None
    values, before = [], first
    for line, (name, value) in zip(lines, headers, strict=True):
        given, _, rest = line.partition(b":")
        if given.lower() != name or rest.strip(b" \t") != value:
            return None
        before += b"\r\n" + line
        if name in _VALUES and line.endswith(value):
            values.append((before.removesuffix(value), name))
            before = b""
    once = sorted(name for _, name in values) in ([_LENGTH], [_LENGTH, _REQUEST_ID])
    return Repeat(values, before + end) if once and names.count(_LENGTH) == 1 else None
