"""Where a decision takes a photo."""

import pytest

from service.store.kinds import STATES, Kind, SecondOpinion, standing, state_after, state_before

FIRST = {"decision": "confirm", "category": "ivory"}


@pytest.mark.parametrize(
    ("kind", "second", "before", "wanted"),
    [
        (Kind.CONFIRM, "off", "open", "decided"),
        (Kind.CONFIRM, "confirm", "open", "second"),
        (Kind.REJECT, "confirm", "open", "decided"),
        (Kind.REJECT, "all", "open", "second"),
        (Kind.CONFIRM, "all", "unsure", "second"),
        (Kind.CONFIRM, "all", "escalated", "decided"),
        (Kind.UNSURE, "all", "open", "unsure"),
        (Kind.ESCALATE, "all", "open", "escalated"),
    ],
)
def test_the_first_opinion(kind: Kind, second: SecondOpinion, before: str, wanted: str) -> None:
    assert state_after(before, kind, None, None, second) == wanted


@pytest.mark.parametrize(
    ("kind", "category", "wanted"),
    [
        (Kind.CONFIRM, "ivory", "decided"),
        (Kind.CONFIRM, "coral", "escalated"),
        (Kind.REJECT, None, "escalated"),
        (Kind.UNSURE, None, "unsure"),
    ],
)
def test_the_second_opinion(kind: Kind, category: str | None, wanted: str) -> None:
    assert state_after("second", kind, category, FIRST, "confirm") == wanted


def test_what_stands_was_not_taken_back() -> None:
    entries = [{"decision": kind} for kind in ("undo", "unsure", "unsure", "reject", "undo", "escalate")]
    assert [one["decision"] for one in standing(entries)] == ["unsure", "unsure", "escalate"]


def test_an_undoing_leads_back() -> None:
    assert state_before({**FIRST, "before": "unsure"}) == "unsure"
    assert state_before(FIRST) == state_before(None) == STATES[Kind.UNDO] == "open"
