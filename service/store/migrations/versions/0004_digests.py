"""The log of decisions is chained over digests of its entries, so that part of it can be checked without the rest."""

import hashlib

import sqlalchemy as sa
from alembic import op

from service.errors import StartError

revision = "0004"
down_revision = "0002"
branch_labels = None
depends_on = None
_BEGINNING = "0" * 64


def upgrade() -> None:
    """Chain what is there anew, if it fits the old chain; heads that were noted before are not found any more."""
    log, before, after = op.get_bind(), _BEGINNING, _BEGINNING
    for seq, entry, kept in log.execute(sa.text("SELECT seq, entry, hash FROM decisions ORDER BY seq")).all():
        before = _sha256(f"{before}\n{entry}")
        if before != kept:
            raise StartError(f"entry {seq} of the log of decisions was changed: put a backup in its place")
        after = _sha256(f"{after}\n{_sha256(entry)}")
        log.execute(sa.text("UPDATE decisions SET hash = :hash WHERE seq = :seq"), {"hash": after, "seq": seq})


def downgrade() -> None:
    """Chain over the entries themselves."""
    log, before = op.get_bind(), _BEGINNING
    for seq, entry in log.execute(sa.text("SELECT seq, entry FROM decisions ORDER BY seq")).all():
        before = _sha256(f"{before}\n{entry}")
        log.execute(sa.text("UPDATE decisions SET hash = :hash WHERE seq = :seq"), {"hash": before, "seq": seq})


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
