import datetime
import re
from pathlib import Path

import pytest

from service.catalog import SHIPPED, load_catalog
from service.detector import Detector
from service.errors import FaunalensError, StartError
from service.notices import notice
from service.settings import Settings

LANGUAGES = ("en", "zh", "fr", "es", "pt", "vi", "th", "id", "sw")
WORDS = ("illegal", "illégal", "ilegal", "非法", "bất hợp pháp", "ผิดกฎหมาย", "haramu", "criminal", "trafficker")


def test_every_category_speaks_every_language(detector: Detector) -> None:
    catalog = detector.catalog
    assert catalog.languages == LANGUAGES
    assert set(catalog.instead) == set(catalog.languages)
    assert {entry.id for entry in catalog.category} == set(detector.contract.ids)
    for entry in catalog.category:
        assert set(entry.notice) == set(catalog.languages)
        assert all(words.name and words.why for words in entry.notice.values())
        assert len({words.why for words in entry.notice.values()}) == len(catalog.languages)


def test_maturity_agrees_with_the_model(detector: Detector) -> None:
    for category in detector.contract.categories:
        assert detector.catalog[category.id].maturity == category.maturity


def test_listings_are_information_with_date_and_source(detector: Detector) -> None:
    for entry in detector.catalog.category:
        assert entry.cites and entry.lookalikes and entry.taxa
        for listing in entry.cites:
            assert listing.source and listing.as_of.year >= 2010
            assert set(listing.appendix.replace("/", " ").split()) <= {"I", "II", "III", "not", "listed"}
    mammoth = [item for item in detector.catalog["ivory"].cites if "Mammuthus" in item.taxon]
    assert mammoth and mammoth[0].appendix == "not listed" and not mammoth[0].verified


def test_what_is_from_memory_is_marked_unverified(detector: Detector) -> None:
    listings = {item.taxon: item for entry in detector.catalog.category for item in entry.cites}
    unverified = {taxon for taxon, item in listings.items() if not item.verified}
    assert unverified == {"Mammuthus primigenius", "Nautilidae spp.", "Carcharhinidae spp.", "Sphyrnidae spp."}
    for taxon, item in listings.items():
        assert item.verified != item.source.startswith("Faunalens maintainers"), taxon
        assert item.verified != ("to be checked against checklist.cites.org" in item.source), taxon
        assert item.verified or re.search("as far as the maintainers recall|covers only the committee", item.note), (
            taxon
        )


def test_what_a_conference_changed_counts_from_the_day_it_is_in_force(detector: Detector) -> None:
    """90 days after its end, which was 5 December 2025."""
    changed = [
        item
        for entry in detector.catalog.category
        for item in entry.cites
        if re.search(r"(moved|added) to Appendix I+ at CoP20", item.note)
    ]
    assert len(changed) == 4
    for item in changed:
        assert item.as_of == datetime.date(2026, 3, 5) and "in force 5 March 2026" in item.note, item.taxon


def test_a_taxon_is_listed_alike_in_every_category(detector: Detector) -> None:
    listings: dict[str, set[str]] = {}
    for entry in detector.catalog.category:
        for item in entry.cites:
            listings.setdefault(item.taxon, set()).add(f"{item.appendix} {item.as_of} {item.verified}")
    assert {taxon: ways for taxon, ways in listings.items() if len(ways) > 1} == {}


def test_where_trade_may_be_lawful_every_language_says_so_of_the_same_categories(detector: Detector) -> None:
    """What has no listing in Appendix I may be traded with permits."""
    catalog = detector.catalog
    lawful = {entry.id for entry in catalog.category if "lawful with permits" in entry.notice["en"].why}
    assert lawful >= {
        entry.id for entry in catalog.category if not any("I" in item.appendix.split("/") for item in entry.cites)
    }
    for language in catalog.languages:
        ends = {entry.id: entry.notice[language].why[-25:] for entry in catalog.category}
        assert len(set(ends.values())) == 2, language
        assert {entry for entry, end in ends.items() if end == ends["coral"]} == lawful, language


def test_angles_that_tell_mammoth_from_elephant_have_a_source(detector: Detector) -> None:
    hints = detector.catalog["ivory"].lookalike_hints
    assert "115" in hints and "https://" in hints


@pytest.mark.parametrize("language", LANGUAGES)
def test_notices_are_in_their_language_and_name_the_rule(detector: Detector, language: str) -> None:
    script = {"zh": "[\u4e00-\u9fff]", "th": "[\u0e00-\u0e7f]", "vi": "[\u1ea0-\u1ef9\u0111]"}.get(language, "[a-z]")
    for entry in detector.catalog.category:
        found = notice(detector.catalog, entry.id, language)
        assert found.language == language
        assert "CITES" in found.why and "CITES" in found.instead
        assert re.search(script, found.why) and re.search(script, found.instead)
        assert language == "en" or found.name != entry.name or found.name == "Coral"
        if language not in ("zh", "th"):
            assert not re.search("[\u4e00-\u9fff\u0e00-\u0e7f]", found.name + found.why + found.instead)


def test_nobody_is_accused(detector: Detector) -> None:
    text = detector.catalog.model_dump_json().lower()
    assert [word for word in WORDS if word in text] == []


@pytest.mark.parametrize(
    ("tag", "language"),
    [("en", "en"), ("EN", "en"), ("pt-BR", "pt"), ("zh-Hans-CN", "zh"), ("zh_TW", "zh"), ("id-ID", "id")],
)
def test_a_tag_with_a_region_gets_its_language(detector: Detector, tag: str, language: str) -> None:
    assert notice(detector.catalog, "ivory", tag).language == language


def test_the_uploader_is_asked_for_the_material(detector: Detector) -> None:
    """In Swahili "kwa nini" is "why", also where "of what" was meant."""
    assert "kwa nini" not in detector.catalog.instead["sw"] and "nyenzo gani" in detector.catalog.instead["sw"]


def test_unknown_language_and_category(detector: Detector) -> None:
    for tag in ("xx", "", "-en", "eng", "french"):
        with pytest.raises(FaunalensError, match="does not speak"):
            detector.catalog.check_language(tag)
    with pytest.raises(FaunalensError, match="no category"):
        detector.catalog["unicorn"]


@pytest.mark.parametrize(
    ("shipped", "instead", "why"),
    [
        ('version = "', "version = ", "cannot be used: Expected newline"),
        ('maturity = "core"', 'maturity = "sure"', "maturity"),
        ('id = "ivory"', 'id = "tusks"', r"lacks the categories \['ivory'\]"),
        ('id = "rhino_horn"', 'id = "ivory"', "cannot be used: ivory comes more than once$"),
        ('"id", "sw"]', '"id", "sw", "de"]', "instead lacks de; the notice of ivory lacks de"),
        ("[category.notice.fr]", "[category.notice.de]", "cannot be used: the notice of ivory lacks fr$"),
        ('["en", ', "[", "cannot be used: languages lacks en$"),
        ('"pt", ', '"pt-BR", ', r"languages\.4: String should match"),
    ],
)
def test_a_catalogue_that_cannot_be_used_is_named(
    detector: Detector, tmp_path: Path, shipped: str, instead: str, why: str
) -> None:
    text = SHIPPED.read_text(encoding="utf-8")
    assert shipped in text
    path = tmp_path / "catalog.toml"
    path.write_text(text.replace(shipped, instead, 1), encoding="utf-8")
    with pytest.raises(StartError, match=why):
        load_catalog(detector.contract, path)
    with pytest.raises(StartError, match="cannot be used"):
        load_catalog(detector.contract, tmp_path / "none.toml")


def test_a_catalogue_of_ones_own_speaks_in_answers(tmp_path: Path, tusk: bytes) -> None:
    path = tmp_path / "mine.toml"
    text = SHIPPED.read_text(encoding="utf-8")
    entry = text.index('id = "ivory"')
    name = text.index('name = "', entry) + len('name = "')
    path.write_text(f"{text[:name]}Tusks and so on: {text[name:]}", encoding="utf-8")
    own = Detector(Settings(catalog=path))
    finding = own.answer(tusk, "r", own.policy(None)).findings[0]
    assert finding.category == "ivory" and finding.name.startswith("Tusks and so on: ")
