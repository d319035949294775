"""schemathesis against the API page of a real server: every operation answers as documented, whatever is asked."""

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from service.api.door import DEADLINE_HEADER
from tests.process import running

load_all_checks()
CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BaseSchema]:
    """The schema of a running service, batches and review too."""
    with running(
        FAUNALENS_LOG_LEVEL="error", FAUNALENS_DRAIN_SECONDS="0", FAUNALENS_BATCHES="on",
        FAUNALENS_STORE=str(tmp_path_factory.mktemp("store")),
    ) as (port, _):  # fmt: skip
        yield schemathesis.openapi.from_url(f"http://127.0.0.1:{port}/openapi.json")


def test_every_operation(api: BaseSchema) -> None:
    operations = [result.ok() for result in api.get_all_operations()]
    assert len(operations) >= 25
    for operation in operations:

        @settings(max_examples=15, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def check(case: schemathesis.Case) -> None:
            # one of a millisecond passes, which is 503
            case.headers.pop(DEADLINE_HEADER, None)
            case.call_and_validate(checks=CHECKS, timeout=120)

        check()
