import httptools
import pytest

from service.api.repeats import Repeat, Seen, learned

FIRST = b"POST /v1/detect HTTP/1.1"


def head(*lines: str) -> bytes:
    return b"\r\n".join((FIRST, *(line.encode() for line in lines), b"", b""))


def parsed(data: bytes) -> Repeat | None:
    """What is learned of a head, with the headers that the server's parser finds in it."""
    found: list[tuple[bytes, bytes]] = []

    class Told:
        def on_header(self, name: bytes, value: bytes) -> None:
            found.append((name.lower(), value))

    httptools.HttpRequestParser(Told()).feed_data(data)
    return learned(data, FIRST, found)


PLAIN = ("Host: x", "X-API-Key: k", "Content-Length: 10")
NAMED = ("Host: x", "content-length:10", "x-REQUEST-id:  first.1", "Accept: */*")
TURNED = ("X-Request-ID: first-1", "Content-Length: 10", "Host: x")


@pytest.mark.parametrize(
    ("lines", "seen"), [(PLAIN, (7, "")), (NAMED, (123456, "Second_2.b-c")), (TURNED, (0, "a" * 64))]
)
def test_length_and_request_id_may_differ(lines: tuple[str, ...], seen: tuple[int, str]) -> None:
    repeat = parsed(head(*lines) + b"body")
    assert repeat
    given = head(*lines).replace(b"10", b"%d" % seen[0]).replace(b"first.1", b"%b" % seen[1].encode())
    given = given.replace(b"first-1", seen[1].encode())
    for more in (b"", b"body", given):
        assert repeat.seen(given + more) == Seen(len(given), *seen)
    assert not any(repeat.seen(given[:end]) for end in range(len(given)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("POST", "post"), ("detect", "heatmap"), ("HTTP/1.1", "HTTP/1.0"), ("Host: x", "Host: y"), (": */*", ": *"),
        ("10", "+10"), ("10", "0x10"), ("10", "1 0"), ("10", "10 "), ("10", ""), ("10", "-1"), ("10", "1" * 16),
        ("10", "10\r\nContent-Length: 11"), ("10", "10\r\nTransfer-Encoding: chunked"), ("10", "1\n0"), ("10", "1\0"),
        ("first.1", ""), ("first.1", "a" * 65), ("first.1", "a b"), ("first.1", 'a"'), ("first.1", "\xe4"),
        ("first.1", "a\r\nX-B: c"), ("first.1", "a\nX-B: c"), ("REQUEST", "request"), ("\r\n", "\n"),
    ],
)  # fmt: skip
def test_nothing_else_may_differ(old: str, new: str) -> None:
    repeat = parsed(head(*NAMED))
    given = head(*NAMED)
    assert repeat and repeat.seen(given)
    assert repeat.seen(given.replace(old.encode(), new.encode("latin-1"), 1) + b"body") is None


@pytest.mark.parametrize(
    "lines",
    [
        ("Host: x",), ("Host: x", "Transfer-Encoding: chunked"), (*PLAIN, "Expect: 100-continue"),
        (*PLAIN, "Trailer: x"), (*PLAIN, "Upgrade: h2c"), (*PLAIN[:2], "Content-Length: 10 "),
        (*PLAIN, "X-Request-ID: a", "X-Request-ID: b"), (*PLAIN, "X-Request-ID: a "),
    ],
)  # fmt: skip
def test_what_is_framed_in_another_way_is_not_learned(lines: tuple[str, ...]) -> None:
    assert parsed(head(*lines)) is None


@pytest.mark.parametrize(
    "data",
    [
        head(*PLAIN)[:-2], head(*PLAIN)[1:], b"\r\n" + head(*PLAIN), head(*PLAIN[1:]), head(*PLAIN, "X-A: b"),
        head("Host: y", *PLAIN[1:]), head("Host : x", *PLAIN[1:]), head(*PLAIN).replace(b"detect", b"heatmap"),
    ],
)  # fmt: skip
def test_only_the_head_that_was_parsed_is_learned(data: bytes) -> None:
    """Bytes may begin with another request than the parser told of last, or within one."""
    names = [(b"host", b"x"), (b"x-api-key", b"k"), (b"content-length", b"10")]
    assert learned(head(*PLAIN), FIRST, names) and learned(data, FIRST, names) is None
