import dataclasses
import hashlib

from service.keys.key import Scope, new_key, parse

NOW = "2026-01-01T00:00:00+00:00"


def test_a_key_is_kept_as_a_salted_slow_hash() -> None:
    text, key = new_key("pipeline", frozenset({Scope.DETECT}), NOW)
    identity, secret = parse(text) or ("", "")
    assert identity == key.id and len(secret) == 43
    assert key.matches(secret) and not key.matches(secret[:-1] + ("A" if secret[-1] != "A" else "B"))
    assert key.hash == hashlib.scrypt(secret.encode(), salt=key.salt, n=16384, r=8, p=1, dklen=32)
    assert secret not in repr(key) and key.salt.hex() not in repr(key) and repr(key.hash) not in repr(key)


class Timed(bytes):
    """Bytes that must not be compared in a time that tells where they differ."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, _: object) -> bool:
        raise AssertionError("compared with ==")

    __ne__ = __eq__


def test_secrets_are_compared_in_constant_time() -> None:
    text, key = new_key("pipeline", frozenset({Scope.DETECT}), NOW)
    _, secret = parse(text) or ("", "")
    held = dataclasses.replace(key, hash=Timed(key.hash))
    assert held.matches(secret) and not held.matches(secret[::-1])


def test_no_two_keys_are_alike() -> None:
    made = [new_key("same", frozenset({Scope.DETECT}), NOW) for _ in range(5)]
    assert len({text for text, _ in made} | {key.salt for _, key in made} | {key.id for _, key in made}) == 15


def test_only_the_whole_shape_is_a_key() -> None:
    text, _ = new_key("x", frozenset({Scope.ADMIN}), NOW)
    assert parse(text) is not None
    for wrong in (
        "",
        "fl_",
        text[:-1],
        text + "A",
        text + "\n",
        " " + text,
        text.upper(),
        "fl_zzzzzzzzzzzz_" + "a" * 43,
    ):
        assert parse(wrong) is None
