"""The settings of batches, part of :class:`service.settings.Settings`."""

import base64
import binascii
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from service.errors import FaunalensError
from service.outbound.locations import is_pattern, parse

SecondOpinion = Literal["off", "confirm", "all"]
_SECRET_PREFIX = "whsec_"  # noqa: S105 - a prefix, not a secret
_KEY_BYTES = 32
_BUCKET = re.compile(r"(s3|gs)://[^/@]+")
_SCHEME = re.compile(r"[a-z][a-z0-9+]+:")


class BatchSettings(BaseModel):
    """See ``docs/batches.md``."""

    batches: Literal["on", "off"] = Field("off", description="Whether bulk jobs are taken; needs the extra review")
    store: Path = Field(Path("faunalens-store"), description="Folder of the batches: database and photos")
    database: SecretStr | None = Field(None, description="postgresql:// URL; by default SQLite in the store's folder")
    photos: str | None = Field(
        None, description="s3://, gs:// or az:// address that photos are kept at; by default a folder in the store"
    )
    photo_key: SecretStr | None = Field(None, description="Base64 of 32 bytes by which stored photos are sealed")
    retention_hours: Annotated[float, Field(ge=0, le=1_000_000)] = Field(
        0.0, description="How long photos with findings are kept after judgement, hours; 0: not at all"
    )
    evidence_hours: Annotated[float, Field(ge=0, le=1_000_000)] = Field(
        0.0, description="How long the photo of what is confirmed or escalated is kept from then on, hours, if longer"
    )
    batch_buckets: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="s3:// and gs:// buckets whose objects the manifests of batches may name"
    )
    batch_files: Annotated[int, Field(gt=0, le=1_000_000)] = Field(10_000, description="Most pictures of one batch")
    batch_bytes: Annotated[int, Field(gt=0)] = Field(
        5_000_000_000, description="Most bytes of one batch, as sent and as unpacked"
    )
    batch_upload_seconds: Annotated[float, Field(gt=0)] = Field(
        3_600.0, description="Longest time for a batch to come in, seconds"
    )
    batch_threads: Annotated[int, Field(ge=0, le=256)] = Field(
        0, description="Pictures of batches worked on at once, at the lowest priority; 0: one per core"
    )
    batch_lease_seconds: Annotated[float, Field(ge=1, le=3600)] = Field(
        10.0, description="After which a picture that a dead process had taken is taken by another, seconds"
    )
    review_claim_seconds: Annotated[float, Field(gt=0, le=86_400)] = Field(
        300.0, description="How long a photo is kept for the moderator who has taken it, seconds"
    )
    evidence_key: Path | None = Field(
        None, description="PEM file of the Ed25519 key that signs evidence packages; by default in the store"
    )
    review_break_minutes: Annotated[int, Field(ge=0, le=480)] = Field(
        45, description="After how long at work the review page reminds of a break, minutes; 0: never"
    )
    second_opinion: SecondOpinion = Field(
        "off", description="Which decisions count only when a second moderator says the same; needs keys"
    )
    webhook_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Hosts that webhooks may be sent to: names, or *.suffix"
    )
    decision_webhook: str | None = Field(
        None, description="https:// URL that is told every decision, beside the webhook of its batch"
    )
    notice_languages: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Languages of the notices that webhooks of decisions carry"
    )
    webhook_secret: SecretStr | None = Field(None, description="whsec_ and base64 of 24 to 64 bytes: signs webhooks")

    @field_validator("batch_buckets", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return listed(value)

    @field_validator("webhook_hosts", "notice_languages", mode="before")
    @classmethod
    def _split_names(cls, value: object) -> object:
        return listed(value, str.lower)

    @model_validator(mode="after")
    def _check_batches(self) -> Self:
        wrong = [pattern for pattern in self.webhook_hosts if not is_pattern(pattern)]
        if wrong:
            raise ValueError(f"webhook_hosts: {', '.join(wrong)} is neither a host name nor *.suffix")
        strange = [name for name in self.batch_buckets if not _BUCKET.fullmatch(name)]
        if strange:
            raise ValueError(f"batch_buckets: {', '.join(strange)} is not s3://bucket or gs://bucket")
        if self.store.parts and _SCHEME.fullmatch(self.store.parts[0]):
            raise ValueError("store is a folder; the address of a database is the setting database")
        if self.photos and not self.photos.startswith(("s3://", "gs://", "az://")):
            raise ValueError("photos must begin with s3://, gs:// or az://")
        if self.webhook_hosts and not self.webhook_secret:
            raise ValueError("webhook_hosts is set, but there is no webhook_secret to sign by")
        if self.decision_webhook:
            try:
                parse(self.decision_webhook, self.webhook_hosts)
            except FaunalensError as error:
                raise ValueError("decision_webhook is not an https URL of a host in webhook_hosts") from error
        if self.webhook_secret and not 24 <= len(self.webhook_bytes) <= 64:
            raise ValueError("webhook_secret must be whsec_ and base64 of 24 to 64 bytes")
        if self.photo_key and len(_decoded(self.photo_key.get_secret_value())) != _KEY_BYTES:
            raise ValueError("photo_key must be base64 of 32 bytes")
        return self

    @property
    def database_url(self) -> str | None:
        """The URL in ``database``; None: SQLite in the store's folder."""
        return self.database.get_secret_value() if self.database else None

    @property
    def webhook_bytes(self) -> bytes:
        """The secret by which webhooks are signed; empty without one, or when it has not the right shape."""
        text = self.webhook_secret.get_secret_value() if self.webhook_secret else ""
        return _decoded(text.removeprefix(_SECRET_PREFIX)) if text.startswith(_SECRET_PREFIX) else b""

    @property
    def photo_bytes(self) -> bytes | None:
        """The key by which stored photos are sealed."""
        return _decoded(self.photo_key.get_secret_value()) if self.photo_key else None


def parts(text: str) -> list[str]:
    """The parts of a text between its commas, less empty ones."""
    return [part.strip() for part in text.split(",") if part.strip()]


def listed(value: object, change: Callable[[str], str] = str) -> object:
    """The :func:`parts` of a text, each after ``change``; what is no text stays as it is."""
    return [change(part) for part in parts(value)] if isinstance(value, str) else value


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""
