"""Results counted by day, and what was decided in an index: a report read every picture of its span."""

import json
from collections import defaultdict
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_AT_ONCE = 1_000
# days since 1970, UTC: PostgreSQL's cast rounds, SQLite's cuts off
_DAY = {"sqlite": "CAST(judged_at / 86400 AS INTEGER)", "postgresql": "CAST(floor(judged_at / 86400) AS INTEGER)"}
_COUNTING = (
    "INSERT INTO day_counts (batch_id, day, kind, category, count) SELECT batch_id, DAY, CASE WHEN state = 'failed' "
    "THEN 'failed' WHEN rank = 0 THEN 'clear' WHEN rank = 1 THEN 'review' ELSE 'priority' END, '', count(*) FROM items "
    "WHERE judged_at IS NOT NULL AND (state = 'failed' OR rank IS NOT NULL) GROUP BY 1, 2, 3",
    "INSERT INTO day_counts (batch_id, day, kind, category, count) SELECT batch_id, DAY, 'finding', category, count(*) "
    "FROM findings JOIN items ON items.id = item_id WHERE rank > 0 GROUP BY 1, 2, 4",
    "INSERT INTO day_counts (batch_id, day, kind, category, count) SELECT batch_id, DAY, 'strongest', category, "
    "count(*) FROM (SELECT item_id, min(category) AS category FROM findings JOIN items ON items.id = item_id AND "
    "items.probability = findings.probability WHERE rank > 0 GROUP BY item_id) AS top JOIN items ON items.id = item_id "
    "GROUP BY 1, 2, 4",
)
_DECIDED: dict[str, Any] = {f"{kind}_where": sa.text("state = 'decided'") for kind in _DAY}
_COLUMNS = ["state", "judged_at", "source", "sampled", "strongest", "answer", "judge"]


def upgrade() -> None:
    """Make the table, the columns and the index, and fill them from what is there."""
    op.create_table(
        "day_counts",
        sa.Column("batch_id", sa.String(length=32), nullable=False),
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("category", sa.String(length=64), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("batch_id", "day", "kind", "category"),
    )
    for name in ("strongest", "answer", "judge"):
        op.add_column("reviews", sa.Column(name, sa.String(length=64), nullable=True))
    for counting in _COUNTING:
        op.execute(counting.replace("DAY", _DAY[op.get_context().dialect.name]))
    op.execute(
        "UPDATE reviews SET strongest = (SELECT min(category) FROM findings WHERE findings.item_id = reviews.item_id "
        "AND findings.probability = reviews.probability) WHERE sampled IS NULL"
    )
    _tell_decided(op.get_bind())
    op.create_index("ix_day_counts_day", "day_counts", ["day"], unique=False)
    op.create_index("reviews_decided", "reviews", _COLUMNS, unique=False, **_DECIDED)
    op.drop_index("items_judged", table_name="items")


def _tell_decided(connection: sa.Connection) -> None:
    """What the log says of each decided photo."""
    reviews, decisions = (
        sa.table("reviews", *map(sa.column, ("item_id", "state", "last_seq", "answer", "judge"))),
        sa.table("decisions", *map(sa.column, ("seq", "entry"))),
    )
    query = (
        sa.select(reviews.c.item_id, reviews.c.state, decisions.c.entry)
        .outerjoin_from(reviews, decisions, decisions.c.seq == reviews.c.last_seq)
        .order_by(reviews.c.item_id)
        .limit(_AT_ONCE)
    )
    after = -1
    while rows := connection.execute(query.where(reviews.c.item_id > after)).all():
        after = rows[-1].item_id
        told = defaultdict[tuple[str | None, str], list[int]](list)
        for item_id, state, entry in rows:
            if state == "decided" and entry is not None:
                told[_said(json.loads(entry))].append(item_id)
        for (answer, judge), ids in told.items():
            update = sa.update(reviews).where(reviews.c.item_id.in_(ids)).values(answer=answer, judge=judge)
            connection.execute(update)


def _said(entry: dict[str, Any]) -> tuple[str | None, str]:
    model, policy = entry.get("model", {}), entry.get("policy", {})
    judge = f"{str(model.get('sha256'))[:16]} {str(policy.get('sha256') or policy.get('version'))[:40]}"
    return entry.get("category") if entry["decision"] == "confirm" else None, judge


def downgrade() -> None:
    """And back."""
    op.create_index("items_judged", "items", ["judged_at", "rank", "state", "batch_id", "probability"], unique=False)
    op.drop_index("reviews_decided", table_name="reviews")
    for name in ("judge", "answer", "strongest"):
        op.drop_column("reviews", name)
    op.drop_table("day_counts")
