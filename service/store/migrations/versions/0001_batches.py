"""Batches, items, findings and webhooks."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "batches",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("owner", sa.String(length=32), nullable=False),
        sa.Column("policy", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=256), nullable=False),
        sa.Column("webhook", sa.String(length=2048), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("finished", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("turn_at", sa.Double(), nullable=False),
        sa.Column("finished_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("batches_created", "batches", ["created_at"], unique=False)
    op.create_index("batches_turn", "batches", ["state", "turn_at"], unique=False)
    op.create_index(op.f("ix_batches_owner"), "batches", ["owner"], unique=False)
    op.create_table(
        "deliveries",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("batch_id", sa.String(length=32), nullable=False),
        sa.Column("event", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=32), nullable=False),
        sa.Column("url", sa.String(length=2048), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("batch_id", "event", "subject"),
    )
    op.create_index("deliveries_due", "deliveries", ["state", "next_at"], unique=False)
    op.create_table(
        "items",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("batch_id", sa.String(length=32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=500), nullable=False),
        sa.Column("listing_id", sa.String(length=256), nullable=True),
        sa.Column("url", sa.String(length=2048), nullable=True),
        sa.Column("refusal", sa.Text(), nullable=True),
        sa.Column("photo", sa.Boolean(), nullable=False),
        sa.Column("purge_at", sa.Double(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("not_before", sa.Double(), nullable=False),
        sa.Column("lease_owner", sa.String(length=32), nullable=True),
        sa.Column("lease_until", sa.Double(), nullable=True),
        sa.Column("seq", sa.Integer(), nullable=True),
        sa.Column("rank", sa.Integer(), nullable=True),
        sa.Column("probability", sa.Double(), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("record", sa.Text(), nullable=True),
        sa.Column("judged_at", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("batch_id", "position"),
        sa.UniqueConstraint("batch_id", "seq"),
    )
    op.create_index("items_claim", "items", ["batch_id", "state", "attempts", "position"], unique=False)
    op.create_index("items_lease", "items", ["state", "lease_until"], unique=False)
    op.create_index("items_purge", "items", ["photo", "purge_at"], unique=False)
    op.create_index("items_queue", "items", ["rank", "probability", "judged_at"], unique=False)
    op.create_index(op.f("ix_items_listing_id"), "items", ["listing_id"], unique=False)
    op.create_index(op.f("ix_items_sha256"), "items", ["sha256"], unique=False)
    op.create_table(
        "findings",
        sa.Column("item_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("category", sa.String(length=64), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("probability", sa.Double(), nullable=False),
        sa.Column("threshold", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("item_id", "category"),
    )
    op.create_index("findings_category", "findings", ["category", "probability"], unique=False)


def downgrade() -> None:
    """Drop the tables."""
    op.drop_index("findings_category", table_name="findings")
    op.drop_table("findings")
    op.drop_index(op.f("ix_items_sha256"), table_name="items")
    op.drop_index(op.f("ix_items_listing_id"), table_name="items")
    op.drop_index("items_queue", table_name="items")
    op.drop_index("items_purge", table_name="items")
    op.drop_index("items_lease", table_name="items")
    op.drop_index("items_claim", table_name="items")
    op.drop_table("items")
    op.drop_index("deliveries_due", table_name="deliveries")
    op.drop_table("deliveries")
    op.drop_index(op.f("ix_batches_owner"), table_name="batches")
    op.drop_index("batches_turn", table_name="batches")
    op.drop_index("batches_created", table_name="batches")
    op.drop_table("batches")
