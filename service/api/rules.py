"""Which addresses are open, and which scope the others need."""

from service.keys.key import Scope

DETECT, HEATMAP = "/v1/detect", "/v1/heatmap"
BATCHES, NOTICES = "/v1/batches", "/v1/notices/"
REVIEW, DECISIONS, STATISTICS = "/v1/review/", "/v1/decisions", "/v1/stats"
LIVENESS, READINESS, METRICS = "/livez", "/readyz", "/metrics"
REVIEW_PAGE, REVIEW_ASSETS = "/review", "/review-assets/"
STATISTICS_PAGE, STATISTICS_ASSETS = "/stats", "/stats-assets/"
ASSETS = "/docs-assets/"
JUDGING = frozenset({DETECT, HEATMAP})
PROBES = frozenset({LIVENESS, READINESS, METRICS})
# a load balancer has no key, and the pages that explain the API tell nothing that is not in the repository
OPEN = frozenset({LIVENESS, READINESS, "/docs", "/redoc", "/openapi.json", REVIEW_PAGE, STATISTICS_PAGE})
_ANY_KEY: frozenset[Scope] = frozenset()
_SCOPES = {
    DETECT: frozenset({Scope.DETECT}),
    HEATMAP: frozenset({Scope.DETECT, Scope.REVIEW}),
    "/v1/categories": _ANY_KEY,
    "/v1/model": _ANY_KEY,
}
_OF_BATCHES = frozenset({Scope.DETECT, Scope.REVIEW})
_OF_REVIEW = frozenset({Scope.REVIEW})
_OTHERS = frozenset({Scope.ADMIN})


def is_open(path: str) -> bool:
    """Whether ``path`` needs no key."""
    return path in OPEN or path.startswith((ASSETS, REVIEW_ASSETS, STATISTICS_ASSETS))


def scopes_for(path: str) -> frozenset[Scope]:
    """One of these is needed for ``path``; empty: any key. What is not listed needs ``admin``, new addresses too."""
    if path == BATCHES or path.startswith(f"{BATCHES}/"):
        return _OF_BATCHES
    if path in (DECISIONS, STATISTICS) or path.startswith(REVIEW):
        return _OF_REVIEW
    if path.startswith(NOTICES):
        return _ANY_KEY
    return _SCOPES.get(path, _OTHERS)
