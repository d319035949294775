"""Every setting of the service: environment variables ``FAUNALENS_*``, or a TOML file named by ``FAUNALENS_CONFIG``.

The environment wins over the file. ``docs/settings.md`` lists them all; a test fails when one is missing there.
"""

import ipaddress
import os
import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from service.batch_settings import BatchSettings, listed, parts
from service.errors import StartError, problems
from service.imaging import MAX_VIEW_SIDE, Limits
from service.outbound.locations import is_pattern
from service.settings_sources import LIST, Environment, File, named_file
from service.statistics_settings import StatisticsSettings

# Read elsewhere: where settings are, and where the photo collection and the torture corpora are.
_OTHER_VARIABLES = {"FAUNALENS_CONFIG", "FAUNALENS_DATA", "FAUNALENS_TORTURE"}
_LIMITS = Limits()
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]+)?")
_LINKS = "a Kubernetes Service whose name begins so makes them: set enableServiceLinks: false"
Positive = Annotated[int, Field(gt=0)]
Seconds = Annotated[float, Field(gt=0)]
Provider = Literal["cpu", "openvino", "cuda", "tensorrt"]


class Settings(BatchSettings, StatisticsSettings, BaseSettings):
    """Checked at start; an unknown key in the file or a value out of range stops the service with its name."""

    model_config = SettingsConfigDict(env_prefix="FAUNALENS_", extra="forbid", frozen=True, allow_inf_nan=False)

    model: Path | None = Field(None, description="The model contract, weights/<name>.json; the shipped one by default")
    catalog: Path | None = Field(None, description="A catalogue that replaces the shipped service/catalog.toml")
    policies: Path | None = Field(None, description="A policy file that replaces the shipped service/policies.toml")
    policy: str = Field("default", description="The policy used when a request names none")
    host: str = Field("127.0.0.1", description="Address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 lets the system choose")
    auth: Literal["on", "off", "off-and-exposed"] = Field(
        "on", description="API keys required; off: nobody is asked, on a loopback address only, or wherever exposed"
    )
    keys: Path = Field(Path("faunalens-keys.db"), description="The store of API keys")
    cors_origins: str = Field("", description="Web origins whose pages may call this service, separated by commas")
    max_connections: Positive = Field(
        2_000, description="Open connections; requests on further ones get 503 overloaded"
    )
    threads: Annotated[int, Field(ge=0, le=256)] = Field(
        0,
        description="Pictures worked on at once; 0: one per core, by CPU affinity and cgroup quota, more beside a GPU",
    )
    providers: Annotated[tuple[Provider, ...], NoDecode, Field(min_length=1)] = Field(
        ("cpu",), description="Where the network runs, the preferred one first: cpu, openvino, cuda, tensorrt"
    )
    max_bytes: Annotated[int, Field(gt=0, le=2_000_000_000)] = Field(
        _LIMITS.max_bytes, description="Largest image, bytes"
    )
    max_pixels: Positive = Field(_LIMITS.max_pixels, description="Largest image, pixels, from its header")
    max_frames: Positive = Field(_LIMITS.max_frames, description="Most frames of an animated image")
    decoders: Annotated[int, Field(ge=0, le=256)] = Field(
        0, description="Processes that decode what its header does not prove cheap; 0: one per core"
    )
    decode_seconds: Annotated[float, Field(gt=0, le=3600)] = Field(
        10.0, description="Longest time to decode one image, seconds"
    )
    decoder_bytes: Annotated[int, Field(ge=100_000_000, le=10**15)] = Field(
        1_500_000_000, description="Memory a decoder process may take for one image, bytes"
    )
    max_files: Positive = Field(32, description="Most files in one multipart request")
    read_seconds: Seconds = Field(
        10.0, description="Longest wait for the head of a request, the next piece of a body, or a client to read on"
    )
    body_seconds: Seconds = Field(30.0, description="Longest time for a whole body to come in, seconds")
    keep_alive_seconds: Annotated[int, Field(ge=1, le=86_400)] = Field(
        5, description="How long an idle connection stays open for the next request, seconds"
    )
    max_head_bytes: Annotated[int, Field(ge=1024)] = Field(
        32_768, description="Longest request line and headers together, bytes"
    )
    max_held_bytes: Positive = Field(500_000_000, description="Bytes of bodies that all requests may hold together")
    trusted_proxies: str = Field(
        "", description="Addresses of proxies whose X-Forwarded-For and -Proto are believed, separated by commas"
    )
    max_request_bytes: Positive = Field(100_000_000, description="Largest multipart request, bytes")
    queue: Positive = Field(64, description="Requests for a judgement that may be inside; more get 503 overloaded")
    max_wait_ms: Positive = Field(
        1_000, description="Longest expected wait for a thread, milliseconds; beyond it requests get 503 overloaded"
    )
    max_wait_ratio: Annotated[float, Field(gt=0)] = Field(
        3.0, description="Longest expected wait for a thread, in mean times of a picture; beyond it 503 overloaded"
    )
    cache: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        0, description="Pictures whose scores are kept for a while, in case they come again; 0: none"
    )
    cache_seconds: Seconds = Field(300.0, description="How long their scores are kept, seconds")
    deadline_ms: Positive = Field(
        30_000, description="Milliseconds after which work that has not begun is dropped with 503 deadline_exceeded"
    )
    heatmap_side: Annotated[int, Field(ge=64, le=MAX_VIEW_SIDE)] = Field(
        768, description="Longer side of a heat map, pixels"
    )
    url_input: Literal["on", "off"] = Field("off", description="Whether pictures may be named by URL")
    url_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Hosts that pictures may be fetched from: names, or *.suffix"
    )
    url_seconds: Annotated[float, Field(gt=0, le=60)] = Field(
        10.0, description="Time to fetch one picture, redirects and all, seconds"
    )
    shadow_model: Path | None = Field(None, description="Contract of a second model that answers nothing")
    shadow_share: Annotated[float, Field(ge=0, le=1)] = Field(
        0.01, description="Share of the pictures that the shadow model sees too"
    )
    drain_seconds: Annotated[float, Field(ge=0, le=300)] = Field(
        1.0, description="After SIGTERM: time between not ready and closed to new connections, seconds"
    )
    shutdown_seconds: Annotated[int, Field(ge=1, le=3600)] = Field(
        30, description="Then: time for requests under way to end, seconds"
    )
    log_format: Literal["json", "text"] = Field("json", description="How log lines are written")
    tracing: Literal["on", "off"] = Field("off", description="OpenTelemetry traces; needs the extra otel")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least severe log line written")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then environment, then the file named by ``FAUNALENS_CONFIG``."""
        file = named_file()
        extra = (File(settings_cls, Path(file)),) if file else ()
        return (init_settings, Environment(settings_cls), *extra)

    @field_validator("url_hosts", "providers", mode="before")
    @classmethod
    def _split_own_names(cls, value: object) -> object:
        return listed(value, str.lower)

    @field_validator("cors_origins")
    @classmethod
    def _check_origins(cls, value: str) -> str:
        """A browser never names an origin that is written otherwise, so nobody would be let in."""
        wrong = [part for part in parts(value) if part != "*" and not _ORIGIN.fullmatch(part)]
        if wrong:
            raise ValueError(f"{', '.join(wrong)} is not an origin: scheme, host and perhaps port, without a path")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _check_proxies(cls, value: str) -> str:
        """uvicorn takes what it cannot read for a name that no proxy ever has."""
        for part in parts(value) if value != "*" else ():
            try:
                ipaddress.ip_network(part)
            except ValueError as error:
                raise ValueError(f"not an address or a network: {error}") from error
        return value

    @model_validator(mode="after")
    def _check_second_opinion(self) -> Self:
        if self.second_opinion != "off" and self.auth != "on":
            raise ValueError("second_opinion needs auth=on: without keys nobody knows who decided first")
        return self

    @model_validator(mode="after")
    def _check_sample(self) -> Self:
        if self.audit_rate and not self.retention_hours:
            raise ValueError("audit_rate is set, but retention_hours is 0: there would be no photo to look at")
        return self

    @model_validator(mode="after")
    def _check_hosts(self) -> Self:
        wrong = [pattern for pattern in self.url_hosts if not is_pattern(pattern)]
        if wrong:
            raise ValueError(f"url_hosts: {', '.join(wrong)} is neither a host name nor *.suffix")
        if self.url_input == "on" and not self.url_hosts:
            raise ValueError("url_input is on, but url_hosts names no host that pictures may be fetched from")
        return self

    @property
    def limits(self) -> Limits:
        """The limits on one image."""
        return Limits(self.max_bytes, self.max_pixels, self.max_frames)


def load_settings(**changes: object) -> Settings:
    """Settings from environment and file; ``changes`` that are not None win. Raises :class:`StartError`."""
    file = named_file()
    if file and not Path(file).is_file():
        raise StartError(f"FAUNALENS_CONFIG names {file}, which is not a file")
    _refuse_unknown_variables()
    try:
        return Settings(**{key: value for key, value in changes.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        raise StartError(f"invalid settings: {problems(error)}") from error
    except (OSError, ValueError) as error:
        raise StartError(f"FAUNALENS_CONFIG names {file}, which cannot be read: {error}") from error


def _refuse_unknown_variables() -> None:
    """Settings may be written in any case, the others not."""
    known = {f"FAUNALENS_{name}".upper() for name in Settings.model_fields}
    ours = {name for name in os.environ if name.upper().startswith("FAUNALENS_")}
    unknown = sorted(name for name in ours - _OTHER_VARIABLES if name.upper() not in known)
    if unknown:
        raise StartError(f"unknown settings: {', '.join(unknown)} ({_LINKS if _is_linked(unknown) else LIST})")


def _is_linked(unknown: list[str]) -> bool:
    return any(name.endswith("_SERVICE_HOST") for name in unknown)
