"""The table of docs/keys.md, and what is next to its addresses."""

import pytest

from service.api.rules import is_open, scopes_for
from service.keys.key import Scope

DETECT, REVIEW, ADMIN = Scope.DETECT, Scope.REVIEW, Scope.ADMIN


@pytest.mark.parametrize(
    ("path", "scopes"),
    [
        ("/v1/detect", {DETECT}), ("/v1/heatmap", {DETECT, REVIEW}),
        ("/v1/batches", {DETECT, REVIEW}), ("/v1/batches/b/results", {DETECT, REVIEW}),
        ("/v1/review/claims", {REVIEW}), ("/v1/decisions", {REVIEW}), ("/v1/stats", {REVIEW}),
        ("/v1/categories", set()), ("/v1/model", set()), ("/v1/notices/ivory", set()),
        ("/metrics", {ADMIN}), ("/v1/model:reload", {ADMIN}),
    ],
)  # fmt: skip
def test_one_of_these_scopes_is_needed(path: str, scopes: set[Scope]) -> None:
    assert scopes_for(path) == scopes and not is_open(path)


@pytest.mark.parametrize(
    "path",
    ["/", "", "/v1/detect/", "/V1/detect", "/v1/batchesx", "/v1/decisions/x", "/v1/review", "/v1/notices", "/livez/",
     "/statsx", "/stats/", "/reviewx", "/docs/", "/openapi.json/", "//livez", "/metrics/livez"],
)  # fmt: skip
def test_what_only_looks_like_an_address_needs_admin(path: str) -> None:
    assert scopes_for(path) == {ADMIN} and not is_open(path)


@pytest.mark.parametrize(
    "path",
    ["/livez", "/readyz", "/docs", "/redoc", "/openapi.json", "/review", "/stats", "/review-assets/main.js",
     "/stats-assets/stats.js", "/docs-assets/x"],
)  # fmt: skip
def test_open_addresses(path: str) -> None:
    assert is_open(path)
