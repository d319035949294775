"""What statistics need: counts by day, the random sample of unflagged photos, and photos by the time of judgement."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, the columns and the index."""
    op.create_table(
        "tallies",
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("source", sa.String(length=256), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("category", sa.String(length=64), nullable=False),
        sa.Column("bin", sa.Integer(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "channel", "source", "kind", "category", "bin"),
    )
    op.add_column("reviews", sa.Column("sampled", sa.Double(), nullable=True))
    op.add_column("reviews", sa.Column("sampled_as", sa.String(length=64), nullable=True))
    op.add_column("reviews", sa.Column("candidate", sa.Text(), nullable=True))
    # it holds all that is counted, because an item's row is long
    op.create_index("items_judged", "items", ["judged_at", "rank", "state", "batch_id", "probability"], unique=False)


def downgrade() -> None:
    """Drop them."""
    op.drop_index("items_judged", table_name="items")
    for name in ("candidate", "sampled_as", "sampled"):
        op.drop_column("reviews", name)
    op.drop_table("tallies")
