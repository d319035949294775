"""The catalogue: what each category is, its CITES listing as information, notices for uploaders in nine languages."""

import datetime
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from service.contract import Contract, Maturity
from service.errors import ErrorCode, FaunalensError, StartError, problems

SHIPPED = Path(__file__).parent / "catalog.toml"
DEFAULT_LANGUAGE = "en"


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Listing(_Frozen):
    """The CITES listing of one taxon on a date. Information about trade rules, never a statement about an item."""

    taxon: str
    appendix: str
    note: str
    as_of: datetime.date
    source: str
    verified: bool


class Notice(_Frozen):
    """Words for the uploader in one language."""

    name: str
    why: str


class CatalogCategory(_Frozen):
    """One category of the catalogue."""

    id: str
    maturity: Maturity
    description: str
    taxa: tuple[str, ...]
    lookalikes: tuple[str, ...]
    lookalike_hints: str
    cites: tuple[Listing, ...]
    notice: dict[str, Notice]

    @property
    def name(self) -> str:
        """Plain English name."""
        return self.notice[DEFAULT_LANGUAGE].name

    @property
    def notice_key(self) -> str:
        """Key of the notice, stable over catalogue versions."""
        return f"notice.{self.id}"


class Catalog(_Frozen):
    """The whole catalogue file."""

    version: str
    languages: tuple[Annotated[str, Field(pattern="^[a-z]+$")], ...]
    instead: dict[str, str]
    category: tuple[CatalogCategory, ...]

    @model_validator(mode="after")
    def _speaks(self) -> "Catalog":
        """Raises :class:`ValueError` where words lack one of the languages, or these English, which answers are in."""
        words: dict[str, Iterable[str]] = {"languages": self.languages, "instead": self.instead}
        words |= {f"the notice of {entry.id}": entry.notice for entry in self.category}
        needed = {DEFAULT_LANGUAGE, *self.languages}
        lacks = [f"{what} lacks {one}" for what, spoken in words.items() for one in sorted(needed - set(spoken))]
        if lacks:
            raise ValueError("; ".join(lacks))
        return self

    @model_validator(mode="after")
    def _names_each_once(self) -> "Catalog":
        """Raises :class:`ValueError` where a category comes twice: nobody would read the second."""
        names = [entry.id for entry in self.category]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"{', '.join(twice)} comes more than once")
        return self

    def __getitem__(self, category: str) -> CatalogCategory:
        for entry in self.category:
            if entry.id == category:
                return entry
        known = {"categories": [entry.id for entry in self.category]}
        raise FaunalensError(ErrorCode.UNKNOWN_CATEGORY, f"There is no category {category!r}.", known)

    def check_language(self, language: str) -> str:
        """The language that a tag such as ``pt-BR`` or ``zh_CN`` begins with; raises ``unknown_language``."""
        spoken = language.replace("_", "-").partition("-")[0].lower()
        if spoken not in self.languages:
            raise FaunalensError(
                ErrorCode.UNKNOWN_LANGUAGE,
                f"The catalogue does not speak {language!r}.",
                {"languages": list(self.languages)},
            )
        return spoken


def load_catalog(contract: Contract, path: Path | None = None) -> Catalog:
    """Read the catalogue ``path``, by default the shipped one.

    Raises :class:`StartError` when it is broken or lacks a category of the model.
    """
    path = path or SHIPPED
    try:
        catalog = Catalog.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise StartError(f"the catalogue {path} cannot be used: {problems(error)}") from error
    except (OSError, ValueError) as error:
        raise StartError(f"the catalogue {path} cannot be used: {error}") from error
    missing = set(contract.ids) - {entry.id for entry in catalog.category}
    if missing:
        raise StartError(
            f"the catalogue {path} lacks the categories {sorted(missing)}: add them to a copy of the shipped one, and "
            "name it in FAUNALENS_CATALOG"
        )
    return catalog
