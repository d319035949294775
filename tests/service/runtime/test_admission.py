from dataclasses import dataclass

import pytest

from service.errors import ErrorCode, FaunalensError
from service.runtime.admission import Admission, Ticket
from service.runtime.fairline import FairLine


@dataclass
class Clock:
    """A clock that stands until it is told to go on, seconds."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def door(
    queue: int = 64, max_wait: float = 0.5, max_ratio: float = 1e6, clock: Clock | None = None
) -> tuple[Admission, FairLine[Ticket], Clock]:
    line: FairLine[Ticket] = FairLine()
    clock = clock or Clock()
    admission = Admission(2, queue, max_wait, max_ratio, lambda flow: line.ahead(flow) + admission.running, clock)
    return admission, line, clock


def refused(admission: Admission, flow: str, seconds: float = 30) -> FaunalensError:
    with pytest.raises(FaunalensError) as caught:
        admission.enter(flow, seconds)
    assert caught.value.code is ErrorCode.OVERLOADED
    return caught.value


def test_one_flow_gets_half_and_a_newcomer_finds_room() -> None:
    admission, _, _ = door(queue=10)
    held = [admission.enter("bulk", 30) for _ in range(6)]
    assert refused(admission, "bulk").details["inside"] == 6
    newcomers = [admission.enter(f"pipeline-{i}", 30) for i in range(4)]
    assert admission.inside == 10
    assert refused(admission, "another").details["inside"] == 10
    for ticket in (*newcomers, held.pop(), held.pop()):
        admission.leave(ticket)
    held += [admission.enter("bulk", 30) for _ in range(2)]
    refused(admission, "bulk")
    for ticket in held:
        admission.leave(ticket)
    assert admission.inside == 0
    assert admission.enter("bulk", 30).flow == "bulk"


def test_the_line_is_bounded_by_time_not_by_number() -> None:
    lengths = {}
    for seconds in (0.01, 0.1, 10.0):
        admission, line, _ = door(queue=1000)
        admission.running, admission.service_seconds = 2, seconds
        count = 0
        while True:
            try:
                line.push("a", admission.enter("a", 30))
            except FaunalensError as error:
                assert error.retry_after == max(1, -(-int((count + 1) * seconds * 5) // 10))
                break
            count += 1
        lengths[seconds] = count
    # 0.5 s of waiting on two threads: 100 pictures of 10 ms, 10 of 100 ms, and one round of very slow ones
    assert lengths == {0.01: 100, 0.1: 10, 10.0: 2}


@pytest.mark.parametrize(("ratio", "most"), [(0.5, 2), (1, 2), (2, 4), (10, 20)])
def test_the_line_is_bounded_by_the_time_of_a_picture(ratio: float, most: int) -> None:
    admission, line, _ = door(queue=1000, max_wait=1e6, max_ratio=ratio)
    admission.running = 2
    for _ in range(most):
        line.push("a", admission.enter("a", 30))
    refused(admission, "a")
    # two threads: the last one waits for `ratio` pictures, and one round is always allowed


def test_a_long_line_of_one_does_not_shut_out_another() -> None:
    admission, line, _ = door()
    admission.running = 2
    while True:
        try:
            line.push("bulk", admission.enter("bulk", 30))
        except FaunalensError:
            break
    assert len(line) == 10
    assert admission.enter("pipeline", 30).flow == "pipeline"
    assert admission.wait("pipeline") == pytest.approx(0.1) and admission.wait("bulk") == pytest.approx(0.55)


def test_a_wait_longer_than_the_deadline_is_refused_at_the_door() -> None:
    admission, line, _ = door()
    admission.running = 2
    for _ in range(4):
        line.push("a", admission.enter("a", 30))
    assert admission.wait("a") == pytest.approx(0.25)
    refused(admission, "a", seconds=0.2)
    admission.enter("a", 0.3)


def test_a_refusal_says_how_long_the_wait_would_be() -> None:
    admission, line, _ = door()
    admission.running, admission.service_seconds = 2, 1.5
    for _ in range(2):
        line.push("a", admission.enter("a", 30))
    error = refused(admission, "a")
    assert (error.retry_after, error.details["expected_wait_ms"]) == (3, 2250)
    full, line, _ = door(queue=4)
    for flow in ("a", "b", "c", "d"):
        line.push(flow, full.enter(flow, 30))
    full.service_seconds = 3.0
    told = refused(full, "e")
    assert (told.retry_after, told.details["expected_wait_ms"]) == (5, 4500), "no place, and a round and a half before"
    full.service_seconds = 0.01
    assert refused(full, "e").retry_after == 1


def test_the_line_is_asked_again_once_and_the_deadline_each_time() -> None:
    admission, line, clock = door()
    early, late = admission.enter("a", 30), admission.enter("a", 30)
    admission.sit(early)
    admission.running = 2
    for _ in range(20):
        line.push("a", Ticket("a", 30))
    admission.sit(early)
    with pytest.raises(FaunalensError) as caught:
        admission.sit(late)
    assert caught.value.code is ErrorCode.OVERLOADED
    clock.now = 30.0
    with pytest.raises(FaunalensError) as caught:
        admission.sit(early)
    assert caught.value.code is ErrorCode.DEADLINE_EXCEEDED


def test_what_is_left_of_the_deadline_bounds_the_wait() -> None:
    admission, line, clock = door(max_wait=1e6)
    early, late = admission.enter("a", 1), admission.enter("a", 1)
    admission.running = 2
    for _ in range(10):
        line.push("a", Ticket("a", 30))
    clock.now = 0.4
    admission.sit(early)
    clock.now = 0.5
    with pytest.raises(FaunalensError) as caught:
        admission.sit(late)
    assert caught.value.code is ErrorCode.OVERLOADED, "its turn would come in 0.55 s"


def test_the_mean_follows_the_pictures() -> None:
    admission, _, _ = door()
    for _ in range(60):
        admission.learn(0.02)
    assert admission.service_seconds == pytest.approx(0.02, abs=1e-3)
    admission.learn(1.0)
    assert admission.service_seconds == pytest.approx(0.118, abs=1e-3), "one slow picture is not all of them"


def test_readiness_turns_before_the_line_is_full_and_does_not_flutter() -> None:
    admission, line, _ = door()
    admission.running = 2
    seen = []
    for _ in range(10):
        line.push("a", admission.enter("a", 30))
        seen.append(admission.ready(len(line)))
    assert seen == [True] * 6 + [False] * 4
    back = []
    while len(line):
        line.pop()
        back.append(admission.ready(len(line)))
    # an expected wait of 0.4 s of 0.5 s turns it off, below 0.25 s on
    assert back == [False] * 6 + [True] * 4


def test_readiness_goes_by_the_nearer_bound_and_always_allows_a_round() -> None:
    by_ratio, _, _ = door(max_wait=1e6, max_ratio=5)
    slow, _, _ = door()
    by_ratio.running = slow.running = 2
    slow.service_seconds = 10
    assert [by_ratio.ready(waiting) for waiting in range(9)] == [True] * 7 + [False] * 2
    assert [slow.ready(waiting) for waiting in range(4)] == [True] * 2 + [False] * 2


def test_readiness_counts_requests_whose_bodies_are_still_coming() -> None:
    admission, _, _ = door(queue=11)
    assert admission.ready(0)
    admission.enter("b", 30)
    tickets = []
    seen = []
    for _ in range(6):
        tickets.append(admission.enter("a", 30))
        seen.append(admission.ready(0))
    assert seen == [True] * 4 + [False] * 2
    for ticket in tickets[:3]:
        admission.leave(ticket)
    assert admission.ready(0)
    for flow in "cdefghi":
        admission.enter(flow, 30)
    assert admission.inside == 11 and not admission.ready(0), "no place is left"


def test_a_burst_meets_the_bounds_before_a_thread_has_seen_it() -> None:
    admission, line, _ = door(max_ratio=3)
    for _ in range(8):
        line.push("a", admission.enter("a", 30))
    assert refused(admission, "a").details["expected_wait_ms"] == 350
    assert not admission.ready(len(line)), "of the eight the threads will take two"
    admission.running, _ = 1, line.pop()
    refused(admission, "a")
    assert not admission.ready(len(line))
    idle, _, _ = door(queue=1)
    idle.enter("a", 30)
    assert refused(idle, "b").details["expected_wait_ms"] == 0
