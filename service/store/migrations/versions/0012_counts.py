"""Results of a batch, counted by what they are as they are written."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_COUNTS = ("clear", "review", "priority", "failed")


def upgrade() -> None:
    """Make the columns; what is there is counted once."""
    for name in _COUNTS:
        op.add_column("batches", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
    op.execute(
        "UPDATE batches SET clear = counted.clear, review = counted.review, priority = counted.priority, "
        "failed = counted.failed FROM (SELECT batch_id, SUM(CASE WHEN rank = 0 THEN 1 ELSE 0 END) AS clear, "
        "SUM(CASE WHEN rank = 1 THEN 1 ELSE 0 END) AS review, SUM(CASE WHEN rank = 2 THEN 1 ELSE 0 END) AS priority, "
        "SUM(CASE WHEN rank IS NULL THEN 1 ELSE 0 END) AS failed FROM items WHERE seq IS NOT NULL GROUP BY batch_id) "
        "AS counted WHERE counted.batch_id = batches.id"
    )


def downgrade() -> None:
    """Drop them."""
    for name in _COUNTS:
        op.drop_column("batches", name)
