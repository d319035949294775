from service.runtime.cache import Cache, digest_of


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_keeps_for_a_while_and_no_more_than_allowed() -> None:
    clock = Clock()
    cache = Cache[str](2, 60, clock)
    for name in "abc":
        cache.keep((name, b""), name.upper())
        cache.recall(("a", b""))
    assert len(cache) == 2 and cache.recall(("b", b"")) is None
    assert cache.recall(("a", b"")) == "A"
    clock.now = 59.9
    cache.recall(("c", b""))
    clock.now = 60.0
    assert cache.recall(("c", b"")) is None and len(cache) == 1


def test_what_is_kept_again_is_as_good_as_new() -> None:
    clock = Clock()
    clock.now = 1_000.0
    cache = Cache[str](2, 60, clock)
    for name in "abac":
        cache.keep((name, b""), name.upper())
    assert [cache.recall((name, b"")) for name in "abc"] == ["A", None, "C"]


def test_a_full_one_is_emptied_bit_by_bit_when_nobody_wants_it_any_more() -> None:
    cache = Cache[str](2, 60)
    cache.keep(("a", b""), "A")
    kept = cache._kept
    del cache
    assert not kept, "all at once they would go with the dictionary, and keep the interpreter's lock"


def test_another_client_and_other_bytes_have_other_digests() -> None:
    assert len({digest_of("a", b"1"), digest_of("b", b"1"), digest_of("a", b"2"), digest_of("a", b"1")}) == 3
