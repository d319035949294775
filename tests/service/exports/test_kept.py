from service.exports.kept import suffix
from service.imaging import ENDINGS, FORMATS


def test_every_format_has_an_ending_by_which_it_is_found_again() -> None:
    assert {suffix(kind) for kind in FORMATS} <= set(ENDINGS)
