"""Webhooks for the OpenAPI document; what sends them is :mod:`service.bulk.webhooks`."""

from typing import Any

from pydantic import BaseModel

from service.api.records import BatchEnd, BatchFailure, BatchResult, NoticedEntry, ToldEntry
from service.store.decisions import MADE, UNDONE
from service.store.outbox import FINDING, FINISHED

_EVENTS: dict[str, tuple[type[BaseModel], str]] = {
    FINDING: (BatchResult, "A picture of a batch has a finding"),
    FINISHED: (BatchEnd, "A batch has ended"),
    MADE: (ToldEntry, "A decision was made"),
    UNDONE: (ToldEntry, "A decision was taken back"),
}
MODELS: tuple[type[BaseModel], ...] = (BatchFailure, NoticedEntry, *(model for model, _ in _EVENTS.values()))
"""What the document needs beside what the routes answer with: what webhooks tell, and lines of long answers."""
_HEADERS = {
    "webhook-id": "The same whenever it is sent again",
    "webhook-timestamp": "Seconds since 1970, when it was sent",
    "webhook-signature": "`v1,` and the base64 of its HMAC-SHA256, see docs/batches.md",
}


def described() -> dict[str, Any]:
    """The webhooks, as OpenAPI has them."""
    return {event: {"post": _described(event, model, words)} for event, (model, words) in _EVENTS.items()}


def _described(event: str, model: type[BaseModel], words: str) -> dict[str, Any]:
    body = {
        "type": "object",
        "properties": {
            "type": {"const": event},
            "timestamp": {"type": "string", "format": "date-time"},
            "data": {"$ref": f"#/components/schemas/{model.__name__}"},
        },
        "required": ["type", "timestamp", "data"],
    }
    return {
        "tags": ["webhooks"],
        "summary": words,
        "operationId": f"webhook_{event.replace('.', '_')}",
        "security": [],
        "parameters": [
            {"name": name, "in": "header", "required": True, "description": what, "schema": {"type": "string"}}
            for name, what in _HEADERS.items()
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {"2XX": {"description": "It was taken; anything else is a refusal, and it is sent again"}},
    }
