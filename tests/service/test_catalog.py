import pytest

from service.detector import Detector
from service.errors import FaunalensError

WORDS = ("illegal", "illégal", "ilegal", "非法", "bất hợp pháp", "ผิดกฎหมาย", "haramu", "criminal", "trafficker")


def test_every_category_speaks_every_language(detector: Detector) -> None:
    catalog = detector.catalog
    assert catalog.languages == ("en", "zh", "fr", "es", "pt", "vi", "th", "id", "sw")
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


def test_nobody_is_accused(detector: Detector) -> None:
    text = detector.catalog.model_dump_json().lower()
    assert [word for word in WORDS if word in text] == []


def test_unknown_language_and_category(detector: Detector) -> None:
    with pytest.raises(FaunalensError, match="does not speak"):
        detector.catalog.check_language("xx")
    with pytest.raises(FaunalensError, match="no category"):
        detector.catalog["unicorn"]
