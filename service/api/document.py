"""The OpenAPI document, beyond what the framework finds out: keys, headers, errors of any address, webhooks.

Generated clients are typed by it, so a test holds real answers against it.
"""

from collections.abc import Callable, Iterable
from typing import Any

from fastapi import FastAPI
from fastapi.encoders import jsonable_encoder
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from service.api import rules
from service.api.door import KEY_HEADER
from service.api.failures import error_docs
from service.api.observe import HEADER
from service.errors import ErrorCode

_REFERENCE = "#/components/schemas/{model}"
_REQUEST_ID = {HEADER: {"description": "The request's id", "schema": {"type": "string"}}}
_ANYWHERE = error_docs(ErrorCode.INTERNAL_ERROR, ErrorCode.OVERLOADED)


def complete(app: FastAPI, keys: bool, bench: bool) -> None:
    """Let the document of ``app`` say it all. ``keys``: whether they are asked for; ``bench``: whether batches are on.

    Made here where others reach the service, because it takes half a second; else when it is first asked for.
    """
    generated: Callable[[], dict[str, Any]] = app.openapi

    def whole() -> dict[str, Any]:
        if app.openapi_schema is None:
            _add(generated(), keys, bench)
        return generated()

    app.openapi = whole  # type: ignore[method-assign]
    if keys:
        app.openapi()


def _add(schema: dict[str, Any], keys: bool, bench: bool) -> None:
    components = schema["components"]
    if keys:
        components["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "header": {"type": "apiKey", "in": "header", "name": KEY_HEADER},
        }
        schema["security"] = [{"bearer": []}, {"header": []}]
    for path, methods in schema["paths"].items():
        is_open = rules.is_open(path)
        for operation in methods.values():
            if keys and is_open:
                operation["security"] = []
            _add_to_answers(operation["responses"], is_open)
    if bench:
        from service.api import webhooks

        components["schemas"] |= _definitions(webhooks.MODELS)
        schema["webhooks"] = webhooks.described()


def _add_to_answers(answers: dict[str, Any], is_open: bool) -> None:
    for status, anywhere in _ANYWHERE.items():
        if is_open and status == ErrorCode.OVERLOADED.status:
            continue
        reference = {"schema": {"$ref": _REFERENCE.format(model="ErrorAnswer")}}
        described = {**anywhere, "content": {"application/json": reference}}
        described.pop("model")
        answer = answers.setdefault(str(status), described)
        codes = dict.fromkeys(f"{answer['description']}, {anywhere['description']}".split(", "))
        answer["description"] = ", ".join(codes)
    for answer in answers.values():
        answer["headers"] = {**_REQUEST_ID, **answer.get("headers", {})}
        for content in answer.get("content", {}).values():
            # beside it the framework leaves what it found out by itself, which says less
            if "$ref" in (shape := content.get("schema", {})):
                content["schema"] = {"$ref": shape["$ref"]}


def _definitions(models: Iterable[type[BaseModel]]) -> dict[str, Any]:
    _, schema = models_json_schema([(model, "serialization") for model in models], ref_template=_REFERENCE)
    # as the framework has its own: generators take a default of null for a field that is always there
    found: dict[str, Any] = jsonable_encoder(schema["$defs"], exclude_none=True)
    return found
