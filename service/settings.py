"""Every setting of the service: environment variables ``FAUNALENS_*``, or a TOML file named by ``FAUNALENS_CONFIG``.

The environment wins over the file. ``docs/settings.md`` lists them all; a test fails when one is missing there.
"""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from service.errors import StartError
from service.imaging import Limits

# Read elsewhere: where settings are, where the photo collection is, and whether tests may go without it.
_OTHER_VARIABLES = {"FAUNALENS_CONFIG", "FAUNALENS_DATA", "FAUNALENS_REQUIRE_DATA"}
Positive = Annotated[int, Field(gt=0)]


class Settings(BaseSettings):
    """Checked at start; an unknown key in the file or a value out of range stops the service with its name."""

    model_config = SettingsConfigDict(env_prefix="FAUNALENS_", extra="forbid", frozen=True)

    model: Path | None = Field(None, description="The model contract, weights/<name>.json; the shipped one by default")
    policies: Path | None = Field(None, description="A policy file that replaces the shipped service/policies.toml")
    policy: str = Field("default", description="The policy used when a request names none")
    host: str = Field("127.0.0.1", description="Address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 lets the system choose")
    threads: Annotated[int, Field(ge=0, le=256)] = Field(
        0, description="Pictures worked on at once; 0: one per core, by CPU affinity and cgroup quota"
    )
    max_bytes: Positive = Field(20_000_000, description="Largest image, bytes")
    max_pixels: Positive = Field(50_000_000, description="Largest image, pixels, from its header")
    max_frames: Positive = Field(1_000, description="Most frames of an animated image")
    max_files: Positive = Field(32, description="Most files in one multipart request")
    max_request_bytes: Positive = Field(100_000_000, description="Largest multipart request, bytes")
    queue: Positive = Field(64, description="Pictures that may wait or run; beyond it requests get 503 overloaded")
    heatmap_side: Annotated[int, Field(ge=64, le=2048)] = Field(768, description="Longer side of a heat map, pixels")
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
        file = os.environ.get("FAUNALENS_CONFIG")
        extra = (TomlConfigSettingsSource(settings_cls, Path(file)),) if file else ()
        return (init_settings, env_settings, *extra)

    @property
    def limits(self) -> Limits:
        """The limits on one image."""
        return Limits(self.max_bytes, self.max_pixels, self.max_frames)


def load_settings(**changes: object) -> Settings:
    """Settings from environment and file; ``changes`` that are not None win. Raises :class:`StartError`."""
    file = os.environ.get("FAUNALENS_CONFIG")
    if file and not Path(file).is_file():
        raise StartError(f"FAUNALENS_CONFIG names {file}, which is not a file")
    _refuse_unknown_variables()
    try:
        return Settings(**{key: value for key, value in changes.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise StartError(f"invalid settings: {problems}") from error


def _refuse_unknown_variables() -> None:
    known = {f"FAUNALENS_{name}".upper() for name in Settings.model_fields} | _OTHER_VARIABLES
    unknown = sorted(name for name in os.environ if name.startswith("FAUNALENS_") and name.upper() not in known)
    if unknown:
        raise StartError(f"unknown settings: {', '.join(unknown)} (docs/settings.md lists them all)")
