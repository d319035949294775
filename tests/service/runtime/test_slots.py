import contextlib

import pytest

from service.errors import ErrorCode, FaunalensError
from service.runtime.slots import Slots


def test_one_flow_leaves_slots_for_others() -> None:
    slots = Slots(4)
    with contextlib.ExitStack() as held:

        def taken(flow: str) -> bool:
            try:
                held.enter_context(slots.held(flow, "Too much"))
            except FaunalensError as error:
                assert (error.code, error.message) == (ErrorCode.OVERLOADED, "Too much; try again shortly.")
                return False
            return True

        assert [taken("a") for _ in range(4)] == [True, True, True, False]
        assert [taken("b"), taken("c")] == [True, False]
        assert (slots.taken, slots.of_largest) == (4, 3)
    assert slots.taken == slots.of_largest == 0 and not slots._held, "no flow is remembered"


def test_a_slot_comes_back_after_an_error() -> None:
    slots = Slots(1)
    with pytest.raises(ValueError, match="why"), slots.held("a", "Too much"):
        raise ValueError("why")
    assert slots.taken == 0 and slots.has_room("a")


def test_two_flows_get_a_third_each() -> None:
    slots, got = Slots(90), {"a": 0, "b": 0}
    for flow in ("a", "b") * 90:
        if slots.has_room(flow):
            slots.take(flow)
            got[flow] += 1
    assert sorted(got.values()) == [30, 31] and slots.has_room("c")


def test_what_a_request_holds_itself_does_not_keep_it_from_more() -> None:
    slots = Slots(1000)
    slots.claim("a", "Too much", 600)
    assert slots.has_room("a", 400, own=600) and not slots.has_room("a", 401, own=600)
    assert not slots.has_room("a", 1, own=100), "the others of its flow hold more than is free"
    assert slots.has_room("a", 1, own=200) and slots.has_room("b", 400)
    slots.give_back("a", 200)
    assert (slots.taken, slots.of_largest) == (400, 400) and slots.has_room("a", 1)
