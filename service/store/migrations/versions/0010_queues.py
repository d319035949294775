"""Photos to review by category, batch and source, each without a look at the others; indexes that nobody read go."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_PLACE = ["state", "rank", "probability", "judged_at"]
_UNREAD = (
    ("findings_category", "findings", ["category", "probability"]),
    ("items_queue", "items", ["rank", "probability", "judged_at"]),
    ("ix_items_sha256", "items", ["sha256"]),
)


def upgrade() -> None:
    """Make the columns, the table and the indexes; fill them from what is there."""
    op.add_column("reviews", sa.Column("batch_id", sa.String(length=32), nullable=False, server_default=""))
    op.add_column("reviews", sa.Column("source", sa.String(length=256), nullable=False, server_default=""))
    op.execute(
        "UPDATE reviews SET batch_id = batches.id, source = batches.source FROM items, batches "
        "WHERE items.id = reviews.item_id AND batches.id = items.batch_id"
    )
    op.create_index("reviews_batch", "reviews", ["batch_id", *_PLACE], unique=False)
    op.create_index("reviews_source", "reviews", ["source", *_PLACE], unique=False)
    op.create_table(
        "review_categories",
        sa.Column("item_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("category", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("probability", sa.Double(), nullable=False),
        sa.Column("judged_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["reviews.item_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("item_id", "category"),
    )
    op.execute(
        "INSERT INTO review_categories (item_id, category, state, rank, probability, judged_at) "
        "SELECT item_id, category, state, rank, reviews.probability, judged_at FROM reviews JOIN ("
        "SELECT item_id, category FROM findings UNION SELECT item_id, sampled_as FROM reviews "
        "WHERE sampled_as IS NOT NULL) AS shown USING (item_id)"
    )
    op.create_index("review_categories_queue", "review_categories", ["category", *_PLACE], unique=False)
    for name, table, _ in _UNREAD:
        op.drop_index(name, table_name=table)


def downgrade() -> None:
    """Drop them, and make the old indexes again."""
    for name, table, columns in _UNREAD:
        op.create_index(name, table, columns, unique=False)
    op.drop_table("review_categories")
    for name in ("source", "batch"):
        op.drop_index(f"reviews_{name}", table_name="reviews")
    for name in ("source", "batch_id"):
        op.drop_column("reviews", name)
