"""Queue and claims, on SQLite and PostgreSQL."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from alembic import command
from sqlalchemy import select

from service.answer import Answer
from service.store.batches import Batches, Entry, NewBatch
from service.store.claims import Claims
from service.store.database import Database, migrations, open_database
from service.store.decisions import Decisions, Moderator
from service.store.kinds import Kind
from service.store.outcomes import Outcome, Sample
from service.store.queues import Wanted
from service.store.reviews import ReviewItem, Reviews
from service.store.tables import Item, Review, ReviewCategory
from tests.service.store.conftest import NAMES, Clock, migrated_anew


def names(items: list[ReviewItem]) -> list[str]:
    return [item.result.name for item in items]


def pressing(answers: list[Answer]) -> list[str]:
    """The files with findings, by their verdict and then the strongest probability, whatever the weights are."""
    found = {name: answer for name, answer in zip(NAMES, answers, strict=True) if answer.findings}
    ranks = {"priority": 0, "review": 1}
    return sorted(found, key=lambda name: (ranks[found[name].verdict], -found[name].findings[0].probability))


def test_the_most_pressing_comes_first_and_what_is_clear_never(found: Database, answers: list[Answer]) -> None:
    queue = Reviews(found, 60).queue(Wanted(), 10)
    assert names(queue) == pressing(answers) and len(queue) == 3 and queue[0].result.name == "tusk-single.jpg"
    assert [item.fields["verdict"] for item in queue] == ["priority", "review", "review"]
    assert queue[0].fields["listing_id"] == "L-1" and queue[0].fields["source"] == "uploads"
    assert names(Reviews(found, 60).queue(Wanted(), 1, 1)) == pressing(answers)[1:2]


def test_the_gravest_then_the_most_probable_then_the_oldest_come_first(
    database: Database, answers: list[Answer], clock: Clock
) -> None:
    review, priority = answers[0], answers[1]
    assert (review.verdict, priority.verdict) == ("review", "priority")
    low = priority.model_copy(
        update={"findings": (priority.findings[0].model_copy(update={"probability": 0.01}), *priority.findings[1:])}
    )
    came = {"b-review": review, "c-review": review, "low": low, "d-high": priority, "a-high": priority}
    Batches(database).add(NewBatch("", "sensitive"), [Entry(name) for name in came])
    claims = Claims(database, 60)
    while claimed := claims.take():
        clock.moment += 1
        claims.finish(claimed, Outcome(came[claimed.name]))
    wanted = ["d-high", "a-high", "low", "b-review", "c-review"]
    assert names(Reviews(database, 60).queue(Wanted(), 10)) == wanted
    taken = [names(Reviews(database, 60).claim(str(number), Wanted(), 1)) for number in range(5)]
    assert taken == [[name] for name in wanted]


def test_filters(found: Database, answers: list[Answer]) -> None:
    reviews = Reviews(found, 60)
    for category in {finding.category for answer in answers for finding in answer.findings}:
        chosen = names(reviews.queue(Wanted(category=category, source="uploads"), 10))
        having = (category in {finding.category for finding in answer.findings} for answer in answers)
        assert sorted(chosen) == sorted(name for name, has in zip(NAMES, having, strict=True) if has)
    moment = time.time()
    assert len(reviews.queue(Wanted(since=moment - 60, until=moment + 60), 10)) == 3
    assert names(reviews.queue(Wanted(listing_id="L-1"), 10)) == ["tusk-single.jpg"]
    assert reviews.queue(Wanted(since=moment + 60), 10) == reviews.queue(Wanted(until=moment - 60), 10) == []
    for nothing in (Wanted(category="coral"), Wanted(source="x"), Wanted(batch_id="x"), Wanted(state="decided")):
        assert reviews.queue(nothing, 10) == []


def test_a_batch_is_narrowed_down_to(found: Database, answers: list[Answer]) -> None:
    other, claims, reviews = NewBatch("", "sensitive", source="drop"), Claims(found, 60), Reviews(found, 60)
    Batches(found).add(other, [Entry("other.jpg", "L-1")])
    while claimed := claims.take():
        claims.finish(claimed, Outcome(answers[1]))
    first = next(item.result.batch_id for item in reviews.queue(Wanted(), 10) if item.result.name != "other.jpg")
    whole = [name for name in names(reviews.queue(Wanted(), 10)) if name != "other.jpg"]
    assert names(reviews.queue(Wanted(batch_id=first), 10)) == whole and len(whole) == 3
    assert names(reviews.queue(Wanted(batch_id=other.id, source="drop"), 10)) == ["other.jpg"]
    assert names(reviews.queue(Wanted(batch_id=first, listing_id="L-1"), 10)) == ["tusk-single.jpg"]
    assert reviews.queue(Wanted(batch_id=first, source="drop"), 10) == []
    [taken] = reviews.claim("a", Wanted(batch_id=other.id), 5)
    Decisions(found).decide(taken.id, Moderator("a"), Kind.REJECT)
    assert reviews.claim("a", Wanted(batch_id=other.id), 5) == []
    assert names(reviews.queue(Wanted("decided", batch_id=other.id), 5)) == ["other.jpg"]


def test_a_batch_that_is_cancelled_keeps_what_was_found(database: Database, answers: list[Answer]) -> None:
    new, claims = NewBatch("", "sensitive"), Claims(database, 60)
    Batches(database).add(new, [Entry("a.jpg"), Entry("b.jpg")])
    claimed = claims.take()
    assert claimed is not None
    claims.finish(claimed, Outcome(answers[0], keep=60))
    [before] = Reviews(database, 60).queue(Wanted(), 10)
    assert Batches(database).cancel(new.id)
    with database.reading() as session:
        assert session.scalars(select(Item.state).order_by(Item.position)).all() == ["judged", "cancelled"]
    assert Reviews(database, 60).queue(Wanted(), 10) == [before]


def test_a_span_has_its_first_moment_and_not_its_end(found: Database) -> None:
    with found.reading() as session:
        moment = session.scalars(select(Review.judged_at).order_by(Review.judged_at)).first()
    reviews = Reviews(found, 60)
    assert len(reviews.queue(Wanted(since=moment), 10)) == 3
    assert reviews.queue(Wanted(until=moment), 10) == []


def test_the_random_sample_is_found_by_what_it_is_shown_as(database: Database, answers: list[Answer]) -> None:
    clear = next(answer for answer in answers if not answer.findings)
    candidate = next(answer for answer in answers if answer.findings).findings[0]
    Batches(database).add(NewBatch("", "sensitive"), [Entry("sampled.jpg")])
    claims = Claims(database, 60)
    claimed = claims.take()
    assert claimed is not None
    claims.finish(claimed, Outcome(clear, sample=Sample(0.5, candidate, 0.3)))
    reviews = Reviews(database, 60)
    assert names(reviews.queue(Wanted(category=candidate.category), 10)) == ["sampled.jpg"]
    assert reviews.queue(Wanted(category="coral"), 10) == []


def test_a_category_is_found_in_whatever_state_its_photos_are(found: Database) -> None:
    reviews, decisions, moderator = Reviews(found, 60), Decisions(found), Moderator("a")
    [first, *_] = reviews.queue(Wanted(), 1)
    category = first.fields["findings"][0]["category"]

    def there(state: str) -> bool:
        wanted = (Wanted(state, category), Wanted(state, category, source="uploads"))
        return all(first.id in [item.id for item in reviews.queue(one, 10)] for one in wanted)

    assert there("open") and not there("decided")
    decisions.decide(first.id, moderator, Kind.ESCALATE)
    assert there("escalated") and not there("open")
    decisions.decide(first.id, moderator, Kind.CONFIRM)
    assert there("decided") and not there("escalated")
    decisions.undo_last(moderator)
    assert there("escalated") and not there("decided")
    assert not reviews.queue(Wanted("escalated", category, source="elsewhere"), 10)


def test_two_moderators_never_get_the_same(found: Database) -> None:
    reviews = Reviews(found, 60)
    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(lambda name: names(reviews.claim(name, Wanted(), 1)), ("a", "b", "c", "d")))
    assert sorted(name for some in taken for name in some) == ["ivory-bangles.jpg", "tusk-single.jpg", "tusks.jpg"]
    assert reviews.claim("e", Wanted(), 5) == []


def test_a_claim_ends_by_itself_or_by_hand(found: Database, clock: Clock) -> None:
    short = Reviews(found, 30)
    assert len(short.claim("a", Wanted(), 5)) == 3
    assert len(short.claim("a", Wanted(), 5)) == 3, "one's own come again"
    clock.moment += 31
    long = Reviews(found, 60)
    assert len(long.claim("b", Wanted(), 5)) == 3 and long.claim("a", Wanted(), 5) == []
    assert long.release("b") == 3 and len(long.claim("a", Wanted(), 5)) == 3


def test_what_is_not_wanted_is_not_taken_and_given_back(found: Database) -> None:
    reviews = Reviews(found, 30)
    first, *rest = reviews.claim("a", Wanted(), 5)
    assert [item.id for item in reviews.claim("a", Wanted(), 5, without=[first.id])] == [item.id for item in rest]
    assert reviews.claim("a", Wanted(), 5, without=[first.id]) and names(reviews.claim("b", Wanted(), 5)) == names(
        [first]
    )


def test_after_a_clock_was_put_back_no_claim_lasts_longer(found: Database, clock: Clock) -> None:
    reviews = Reviews(found, 30)
    assert len(reviews.claim("a", Wanted(), 2)) == 2
    clock.moment -= 3600
    assert len(reviews.claim("a", Wanted(), 2)) == 2 and len(reviews.claim("b", Wanted(), 5)) == 1
    clock.moment -= 3600
    assert len(reviews.claim("c", Wanted(), 5)) == 3


def test_what_was_found_before_the_queue_was_there_is_in_it(
    found: Database, answers: list[Answer], tmp_path: Path
) -> None:
    with found.engine.begin() as connection:
        config = migrations(connection)
        command.downgrade(config, "0001")
    url = found.engine.url.render_as_string(hide_password=False)
    again = open_database(url if url.startswith("postgresql") else None, tmp_path)
    assert names(Reviews(again, 60).queue(Wanted(), 10)) == pressing(answers)
    again.close()


def test_photos_of_an_older_store_are_found_by_category_batch_and_source(
    found: Database, answers: list[Answer]
) -> None:
    clear = next(answer for answer in answers if not answer.findings)
    candidate = next(answer for answer in answers if answer.findings).findings[0]
    Batches(found).add(NewBatch("", "sensitive", source="sampled"), [Entry("sampled.jpg")])
    claims = Claims(found, 60)
    claimed = claims.take()
    assert claimed is not None
    claims.finish(claimed, Outcome(clear, sample=Sample(0.5, candidate, 0.3)))
    decided = Reviews(found, 60).queue(Wanted(), 1)[0]
    Decisions(found).decide(decided.id, Moderator("a"), Kind.REJECT)
    before = _places(found)
    migrated_anew(found, "0009")
    assert _places(found) == before and len(before) == 2 and len(before[0]) == 4


def _places(database: Database) -> list[list[tuple[object, ...]]]:
    """By what photos are found in the queue."""
    of_reviews = select(Review.item_id, Review.batch_id, Review.source).order_by(Review.item_id)
    columns = ReviewCategory.__table__.columns
    with database.reading() as session:
        return [
            [tuple(row) for row in session.execute(query)]
            for query in (of_reviews, select(*columns).order_by(ReviewCategory.item_id, ReviewCategory.category))
        ]
