"""Notices: words for whoever uploaded a photo, in the languages of the catalogue."""

import json
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from service.catalog import Catalog


class NoticeText(BaseModel):
    """What to tell the uploader about a category, in one language. Information, not an accusation."""

    model_config = ConfigDict(frozen=True)

    category: str
    notice_key: str
    language: str
    name: str = Field(description="Name of the category")
    why: str = Field(description="Why the listing was looked at")
    instead: str = Field(description="What the uploader may do")


def notice(catalog: Catalog, category: str, language: str) -> NoticeText:
    """The notice about ``category``; raises ``unknown_category`` and ``unknown_language``."""
    entry, language = catalog[category], catalog.check_language(language)
    words = entry.notice[language]
    return NoticeText(
        category=category, notice_key=entry.notice_key, language=language, name=words.name, why=words.why,
        instead=catalog.instead[language],
    )  # fmt: skip


def as_json(catalog: Catalog, languages: Sequence[str]) -> dict[str, str]:
    """By category, the notices in ``languages`` as one JSON object; nothing without languages."""
    if not languages:
        return {}
    return {
        entry.id: json.dumps(
            {one: notice(catalog, entry.id, one).model_dump() for one in languages}, ensure_ascii=False
        )
        for entry in catalog.category
    }
