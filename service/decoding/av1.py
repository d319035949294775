"""The colours that an AV1 stream says itself to have: its sequence header, AV1 specification 5.5."""

_SEQUENCE_HEADER = 1


def colour_description(stream: bytes) -> tuple[int, int] | None:
    """Colour primaries and transfer characteristics of the first sequence header; None where it says none.

    Raises ``IndexError`` where ``stream`` ends before it does.
    """
    at = 0
    while True:
        header = stream[at]
        at += 2 if header & 4 else 1
        size = len(stream) - at
        if header & 2:
            size, at = _leb128(stream, at)
        if header >> 3 & 15 == _SEQUENCE_HEADER:
            if at + size > len(stream):
                raise IndexError("a sequence header breaks off")
            return _described(_Bits(stream[at : at + size]))
        at += size


def _leb128(stream: bytes, at: int) -> tuple[int, int]:
    value = 0
    for number in range(8):
        value |= (stream[at + number] & 0x7F) << 7 * number
        if stream[at + number] < 0x80:
            break
    return value, at + number + 1


class _Bits:
    """Bits of a header, the highest first; raises ``IndexError`` after the last one."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> int:
        value = 0
        for _ in range(count):
            value = value << 1 | self._data[self._at >> 3] >> 7 - (self._at & 7) & 1
            self._at += 1
        return value


def _described(bits: _Bits) -> tuple[int, int] | None:
    profile, _, reduced = bits.take(3), bits.take(1), bits.take(1)
    if reduced:
        bits.take(5)
    else:
        _skip_operating_points(bits)
    width, height = bits.take(4), bits.take(4)
    bits.take(width + 1 + height + 1)
    if not reduced and bits.take(1):
        bits.take(7)
    bits.take(3)
    if not reduced:
        _skip_tools(bits)
    bits.take(3)
    if bits.take(1) and profile == 2:
        bits.take(1)
    if profile != 1:
        bits.take(1)
    return (bits.take(8), bits.take(8)) if bits.take(1) else None


def _skip_operating_points(bits: _Bits) -> None:
    decoder_model = delays = 0
    if bits.take(1):
        bits.take(64)
        if bits.take(1):
            _skip_uvlc(bits)
        decoder_model = bits.take(1)
        if decoder_model:
            delays = bits.take(5) + 1
            bits.take(32 + 5 + 5)
    display_delay = bits.take(1)
    for _ in range(bits.take(5) + 1):
        bits.take(12)
        if bits.take(5) > 7:
            bits.take(1)
        if decoder_model and bits.take(1):
            bits.take(2 * delays + 1)
        if display_delay and bits.take(1):
            bits.take(4)


def _skip_uvlc(bits: _Bits) -> None:
    zeros = 0
    while not bits.take(1):
        zeros += 1
    bits.take(zeros if zeros < 32 else 0)


def _skip_tools(bits: _Bits) -> None:
    bits.take(4)
    order = bits.take(1)
    if order:
        bits.take(2)
    if (bits.take(1) or bits.take(1)) and not bits.take(1):
        bits.take(1)
    if order:
        bits.take(3)
