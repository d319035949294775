"""Categories of photos to review by batch and source, so that two filters whose overlap is small need no long look."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_PLACE = ["category", "state", "rank", "probability", "judged_at"]


def upgrade() -> None:
    """Make the columns and the indexes; fill them from what is there."""
    op.add_column("review_categories", sa.Column("batch_id", sa.String(length=32), nullable=False, server_default=""))
    op.add_column("review_categories", sa.Column("source", sa.String(length=256), nullable=False, server_default=""))
    op.execute(
        "UPDATE review_categories SET batch_id = reviews.batch_id, source = reviews.source FROM reviews "
        "WHERE reviews.item_id = review_categories.item_id"
    )
    op.create_index("review_categories_batch", "review_categories", ["batch_id", *_PLACE], unique=False)
    op.create_index("review_categories_source", "review_categories", ["source", *_PLACE], unique=False)


def downgrade() -> None:
    """Drop them."""
    for name, column in (("source", "source"), ("batch", "batch_id")):
        op.drop_index(f"review_categories_{name}", table_name="review_categories")
        op.drop_column("review_categories", column)
