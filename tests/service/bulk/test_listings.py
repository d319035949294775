import pytest

from service.bulk.listings import folder_listing


@pytest.mark.parametrize(
    ("name", "listing"),
    [("L-1/a.jpg", "L-1"), ("day/L-2/a.jpg", "L-2"), ("a.jpg", None), ("\\day\\L-3\\a.jpg", "L-3"), ("../a.jpg", ".."),
     ("x" * 300 + "/a.jpg", "x" * 256)],
)  # fmt: skip
def test_the_folder_names_the_listing(name: str, listing: str | None) -> None:
    assert folder_listing(name) == listing
