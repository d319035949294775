from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.runtime.fairline import FairLine


def drained(line: FairLine[str]) -> list[str]:
    return [line.pop() for _ in range(len(line))]


def test_flows_take_turns() -> None:
    line: FairLine[str] = FairLine()
    for item in ("a1", "a2", "a3", "a4", "b1", "b2", "c1"):
        line.push(item[0], item)
    assert drained(line) == ["a1", "b1", "c1", "a2", "b2", "a3", "a4"]
    with pytest.raises(IndexError):
        line.pop()


def test_a_newcomer_waits_for_one_turn_of_each() -> None:
    line: FairLine[int] = FairLine()
    for number in range(100):
        line.push("bulk", number)
    assert line.ahead("pipeline") == 1 and line.ahead("bulk") == 100
    line.push("pipeline", -1)
    assert line.pop() == 0 and line.pop() == -1 and line.pop() == 1


def test_what_is_said_to_be_ahead_is_served_before() -> None:
    line: FairLine[str] = FairLine()
    for flow, count in (("a", 5), ("b", 2), ("c", 1)):
        for number in range(count):
            line.push(flow, f"{flow}{number}")
    said = line.ahead("b")
    line.push("b", "last")
    assert drained(line).index("last") <= said == 6


def test_leaving_early() -> None:
    line: FairLine[str] = FairLine()
    line.push("a", "x")
    line.push("a", "y")
    assert line.discard("a", "x") and not line.discard("a", "x") and not line.discard("b", "y")
    assert len(line) == 1 and drained(line) == ["y"]
    line.push("a", "z")
    assert line.discard("a", "z") and len(line) == 0 and line.ahead("a") == 0
    line.push("b", "w")
    assert line.pop() == "w", "a flow that left has no turn"


@given(st.lists(st.sampled_from("abcd-"), max_size=80))
def test_who_waits_sees_each_other_flow_served_once_before_its_own_turn(moves: list[str]) -> None:
    """A letter joins its flow, a dash serves the next one."""
    line: FairLine[str] = FairLine()
    waiting: Counter[str] = Counter()
    since: dict[str, Counter[str]] = {}
    for move in moves + ["-"] * len(moves):
        if move != "-":
            line.push(move, move)
            since.setdefault(move, Counter())
            waiting[move] += 1
        elif len(line):
            served = line.pop()
            waiting[served] -= 1
            since[served] = Counter()
            for flow, seen in since.items():
                seen[served] += flow != served
                if waiting[flow]:
                    assert seen[served] <= 1
                else:
                    seen.clear()
    assert len(line) == 0 and not +waiting
