"""Several perceptual hashes for a photo; the one that is there is that of the whole."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_BANDS = [f"band_{number}" for number in range(4)]


def upgrade() -> None:
    """The number of the hash becomes part of the key."""
    _remake([sa.Column("part", sa.Integer(), nullable=False)], ["item_id", "part"])


def downgrade() -> None:
    """Only the hash of the whole is left."""
    _remake([], ["item_id"])


def _remake(more: list[sa.Column[int]], key: list[str]) -> None:
    """A table of another key under the same name: SQLite changes no key."""
    for band in _BANDS:
        op.drop_index(op.f(f"ix_fingerprints_{band}"), "fingerprints")
    op.create_table(
        "fingerprints_next",
        sa.Column("item_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        *more,
        *(sa.Column(band, sa.Integer(), nullable=False) for band in _BANDS),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint(*key),
    )
    columns = ["item_id", *(column.name for column in more), *_BANDS]
    old = sa.table("fingerprints", sa.column("item_id"), sa.column("part"), *(sa.column(band) for band in _BANDS))
    taken: list[sa.ColumnElement[int]] = [
        old.c.item_id,
        *(sa.literal(0) for _ in more),
        *(old.c[band] for band in _BANDS),
    ]
    rows = sa.select(*taken)
    rows = rows if more else rows.where(old.c.part == 0)
    op.execute(sa.insert(sa.table("fingerprints_next", *map(sa.column, columns))).from_select(columns, rows))
    op.drop_table("fingerprints")
    op.rename_table("fingerprints_next", "fingerprints")
    for band in _BANDS:
        op.create_index(op.f(f"ix_fingerprints_{band}"), "fingerprints", [band], unique=False)
