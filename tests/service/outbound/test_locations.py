import pytest

from service.errors import ErrorCode, FaunalensError
from service.outbound.locations import Location, is_pattern, matches, parse

ALLOWED = ("pictures.example.com", "*.cdn.example.net")
LONGEST = "a." * 119 + "cdn.example.net"


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("https://pictures.example.com/a.jpg", Location("pictures.example.com", "/a.jpg")),
        ("HTTPS://Pictures.Example.COM/A.jpg", Location("pictures.example.com", "/A.jpg")),
        ("https://pictures.example.com", Location("pictures.example.com", "/")),
        ("https://pictures.example.com:443/a?b=c&d#e", Location("pictures.example.com", "/a?b=c&d")),
        ("https://a.cdn.example.net/x", Location("a.cdn.example.net", "/x")),
        ("https://a.b.cdn.example.net/x%20y", Location("a.b.cdn.example.net", "/x%20y")),
        (f"https://{LONGEST}/", Location(LONGEST, "/")),
        ("https://pictures.example.com/" + "a" * 2019, Location("pictures.example.com", "/" + "a" * 2019)),
    ],
)
def test_allowed(url: str, location: Location) -> None:
    assert parse(url, ALLOWED) == location


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "malformed"),
        ("pictures.example.com/a.jpg", "scheme"),
        ("http://pictures.example.com/a.jpg", "scheme"),
        ("file:///etc/passwd", "scheme"),
        ("gopher://pictures.example.com/", "scheme"),
        ("//pictures.example.com/", "scheme"),
        ("https://user@pictures.example.com/", "credentials"),
        ("https://user:pass@pictures.example.com/", "credentials"),
        ("https://pictures.example.com@evil.example/", "credentials"),
        ("https://@pictures.example.com/", "credentials"),
        ("https://pictures.example.com:8443/", "port"),
        ("https://pictures.example.com:80/", "port"),
        ("https://pictures.example.com:0/", "port"),
        ("https://pictures.example.com:99999/", "malformed"),
        ("https://pictures.example.com:4x3/", "malformed"),
        ("https://evil.example/", "host"),
        ("https://pictures.example.com.evil.example/", "host"),
        ("https://xpictures.example.com/", "host"),
        ("https://cdn.example.net/", "host"),
        ("https://evilcdn.example.net/", "host"),
        ("https://pictures.example.com./", "host"),
        ("https://.cdn.example.net/", "host"),
        ("https://a..cdn.example.net/", "host"),
        ("https://-a.cdn.example.net/", "host"),
        ("https://" + "a" * 64 + ".cdn.example.net/", "host"),
        (f"https://a{LONGEST}/", "host"),
        ('https://pictures.example.com/"', "malformed"),
        ("https:///a.jpg", "host"),
        ("https:pictures.example.com", "host"),
        ("https://127.0.0.1/", "host"),
        ("https://2130706433/", "host"),
        ("https://0x7f000001/", "host"),
        ("https://[::1]/", "host"),
        ("https://[::1/", "malformed"),
        ("https://localhost/", "host"),
        ("https://pictures.example.com\\@evil.example/", "malformed"),
        ("https://evil.example\\.pictures.example.com/", "malformed"),
        ("https://pictures.example.com/a b", "malformed"),
        ("https://pictures.example.com/\r\nHost:x", "malformed"),
        ("https://pictures.example.com/\t", "malformed"),
        ("https://pictures.example.com/é", "malformed"),
        ("https://pictures.example.com/\N{KELVIN SIGN}", "malformed"),
        ("https://pictures。example.com/", "malformed"),
        ("https://pictures.example.com/" + "a" * 2020, "malformed"),
    ],
)
def test_refused(url: str, reason: str) -> None:
    with pytest.raises(FaunalensError) as caught:
        parse(url, ALLOWED)
    assert caught.value.code is ErrorCode.URL_NOT_ALLOWED
    assert caught.value.details == {"reason": reason}
    assert "example" not in str(caught.value.to_dict())


@pytest.mark.parametrize(
    ("reference", "leads"),
    [
        ("b.jpg", Location("pictures.example.com", "/x/b.jpg")),
        ("/b.jpg?c", Location("pictures.example.com", "/b.jpg?c")),
        ("//a.cdn.example.net/", Location("a.cdn.example.net", "/")),
        ("https://a.cdn.example.net/z", Location("a.cdn.example.net", "/z")),
    ],
)
def test_redirects_are_relative_to_where_they_come_from(reference: str, leads: Location) -> None:
    assert parse("https://pictures.example.com/x/a.jpg", ALLOWED).follow(reference, ALLOWED) == leads


@pytest.mark.parametrize(
    "reference",
    ["http://pictures.example.com/", "//evil.example/", "https://127.0.0.1/", "a b", "//[::1", "//\u2100/"],
)
def test_redirects_are_checked_like_any_url(reference: str) -> None:
    with pytest.raises(FaunalensError):
        parse("https://pictures.example.com/", ALLOWED).follow(reference, ALLOWED)


def test_patterns() -> None:
    assert matches("a.b.example", "*.b.example") and not matches("b.example", "*.b.example")
    longest = "a." + "b" * 63
    assert is_pattern("a.example") and is_pattern("*.a.example") and is_pattern(longest)
    assert not any(is_pattern(text) for text in ("*", "*.com", "com", "10.0.0.1", "a.*.example", "https://a.b", ""))
    assert not any(is_pattern(text) for text in (".a.example", "**.a.example", "*.*.a.example", longest + "b"))
