"""What the review page needs: who decided when, second opinions, perceptual hashes, preferences."""

import datetime
import json

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make tables, columns and indexes; entries that are there are counted too."""
    op.add_column("reviews", sa.Column("first_seq", sa.Integer(), nullable=True))
    op.create_index("reviews_claimed", "reviews", ["claimed_by", "claimed_until"], unique=False)
    op.create_table(
        "fingerprints",
        sa.Column("item_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        *(sa.Column(f"band_{number}", sa.Integer(), nullable=False) for number in range(4)),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("item_id"),
    )
    for number in range(4):
        op.create_index(op.f(f"ix_fingerprints_band_{number}"), "fingerprints", [f"band_{number}"], unique=False)
    op.create_table(
        "preferences",
        sa.Column("moderator", sa.String(length=32), nullable=False),
        sa.Column("blur", sa.Boolean(), nullable=False),
        sa.Column("grey", sa.Boolean(), nullable=False),
        sa.Column("shortcuts", sa.Boolean(), nullable=False),
        sa.Column("break_minutes", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("moderator"),
    )
    op.add_column("decisions", sa.Column("moderator", sa.String(length=32), nullable=False, server_default=""))
    op.add_column("decisions", sa.Column("decision", sa.String(length=16), nullable=False, server_default=""))
    op.add_column("decisions", sa.Column("decided_at", sa.Double(), nullable=False, server_default="0"))
    _fill()
    op.create_index("decisions_moderator", "decisions", ["moderator", "seq"], unique=False)
    op.create_index("decisions_time", "decisions", ["decided_at", "moderator", "decision"], unique=False)


def downgrade() -> None:
    """Drop them."""
    for name in ("decisions_moderator", "decisions_time"):
        op.drop_index(name, "decisions")
    for name in ("moderator", "decision", "decided_at"):
        op.drop_column("decisions", name)
    op.drop_table("preferences")
    op.drop_table("fingerprints")
    op.drop_index("reviews_claimed", "reviews")
    op.drop_column("reviews", "first_seq")


def _fill() -> None:
    log = op.get_bind()
    told = sa.text(
        "UPDATE decisions SET moderator = :moderator, decision = :decision, decided_at = :decided_at WHERE seq = :seq"
    )
    for seq, entry in log.execute(sa.text("SELECT seq, entry FROM decisions")).all():
        fields = json.loads(entry)
        moment = datetime.datetime.fromisoformat(fields["decided_at"]).timestamp()
        log.execute(
            told, {"seq": seq, "moderator": fields["moderator"], "decision": fields["decision"], "decided_at": moment}
        )
