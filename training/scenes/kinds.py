"""The table of scene kinds, by name: every product next to its harmless twin."""

from __future__ import annotations

from training.scenes.raw_goods import RAW
from training.scenes.worked_goods import WORKED

KINDS = {kind.name: kind for kind in [*RAW, *WORKED]}
