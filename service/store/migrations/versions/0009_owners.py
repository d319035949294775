"""The batches of a key by age, so that a page of them is read without sorting all of them."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One index in the place of another."""
    op.create_index("batches_owner", "batches", ["owner", "created_at"], unique=False)
    op.drop_index(op.f("ix_batches_owner"), table_name="batches")


def downgrade() -> None:
    """And back."""
    op.create_index(op.f("ix_batches_owner"), "batches", ["owner"], unique=False)
    op.drop_index("batches_owner", table_name="batches")
