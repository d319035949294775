"""Kept photos by batch, and an index of theirs alone; webhooks by host."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_KEPT: dict[str, Any] = {"sqlite_where": sa.text("photo = 1"), "postgresql_where": sa.text("photo")}
# https://host, a port or nothing, and what begins with one of /?#
_REST = "lower(substr(url, 9))"
_ENDS = ", ".join(f"instr({_REST} || '{end}', '{end}')" for end in "/:?#")
_HOST = {
    "sqlite": f"substr({_REST}, 1, min({_ENDS}) - 1)",
    "postgresql": "lower(substring(url from '^https://([^/:?#]*)'))",
}


def upgrade() -> None:
    """Make the column and the indexes; one index in the place of another."""
    op.drop_index("items_purge", table_name="items")
    op.create_index("items_purge", "items", ["purge_at"], unique=False, **_KEPT)
    op.create_index("items_kept", "items", ["batch_id"], unique=False, **_KEPT)
    op.add_column("deliveries", sa.Column("host", sa.String(length=253), nullable=False, server_default=""))
    host: sa.ColumnElement[str] = sa.literal_column(_HOST[op.get_context().dialect.name])
    op.execute(sa.update(sa.table("deliveries", sa.column("host"))).values(host=host))
    op.create_index("deliveries_host", "deliveries", ["state", "host", "next_at"], unique=False)


def downgrade() -> None:
    """And back."""
    op.drop_index("deliveries_host", table_name="deliveries")
    op.drop_column("deliveries", "host")
    op.drop_index("items_kept", table_name="items")
    op.drop_index("items_purge", table_name="items")
    op.create_index("items_purge", "items", ["photo", "purge_at"], unique=False)
