from service.instances import joined


def test_names_that_are_joined_over_others() -> None:
    assert joined([{"b", "c"}, {"d", "c"}, {"a", "d"}, {"x", "y"}]) == {
        "a": "a", "b": "a", "c": "a", "d": "a", "x": "x", "y": "x",
    }  # fmt: skip
