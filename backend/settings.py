"""The settings of a process: the only module that reads the environment.

Every setting is a variable ``MOYUN_<NAME>``; one that doesn't exist is refused, so that a typing error is heard.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from backend.errors import SettingsError

PREFIX = "MOYUN_"
ROOT = Path(__file__).resolve().parent.parent


def _default_cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "moyun"


class Settings(BaseModel):
    """Frozen; built once by :func:`load_settings` and handed down."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cache: Path = Field(default_factory=_default_cache, description="folder of prepared models and the corpus")
    model: str | None = Field(None, description="preset, hub id or folder; empty chooses by the machine")
    adapters: Path = Field(ROOT / "adapters", description="folder of styles")
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=1, le=65535, description="port to listen on")
    allowed_hosts: str = Field("", description="further host names that browsers may use, comma separated")
    threads: int = Field(0, ge=0, description="threads of the model; 0 takes the physical cores")
    context: int = Field(4096, ge=256, le=131072, description="tokens of a prompt and its answer together")
    slots: int = Field(16, ge=1, le=64, description="candidates that decode at the same time")
    queue: int = Field(16, ge=0, le=1000, description="requests that may wait; past that they are refused")
    max_new_tokens: int = Field(1024, ge=1, description="tokens of one answer at most")
    max_candidates: int = Field(8, ge=1, le=64, description="candidates of one request at most")
    max_message_chars: int = Field(20000, ge=1, description="characters of one message at most")
    request_seconds: float = Field(600.0, gt=0, description="wall time of one request at most, seconds")
    cache_bytes: int = Field(512 << 20, ge=0, description="memory for the sessions' keys and values, bytes")
    fast_prefill: bool = Field(
        True, description="on a CPU, keep a second copy of the 4-bit codes (0.7 GB for 1.5B) for faster prompts"
    )
    native_kernels: bool = Field(
        True, description="on a CPU, compute with Moyun's own kernels in the place of bitsandbytes' and torch's"
    )
    record: Path | None = Field(None, description="file that gets one JSON line for each finished candidate")
    scripted: Path | None = Field(None, description="answer from this script in the place of a model (tests)")


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Settings from ``MOYUN_*`` variables.

    Raises:
        SettingsError: an unknown variable, or a value out of its range.
    """
    source = os.environ if environment is None else environment
    given = {key[len(PREFIX) :].lower(): value for key, value in source.items() if key.startswith(PREFIX)}
    try:
        return Settings.model_validate({key: value for key, value in given.items() if value != ""})
    except ValidationError as error:
        first = error.errors()[0]
        name = PREFIX + "_".join(str(part) for part in first["loc"]).upper()
        known = ", ".join(PREFIX + field.upper() for field in Settings.model_fields)
        if first["type"] == "extra_forbidden":
            raise SettingsError(
                f"{name} is not a setting; the settings are {known}.",
                f"没有 {name} 这个设置；可用的设置有 {known}。",
            ) from error
        raise SettingsError(
            f"{name}={first['input']!r} can't be used: {first['msg']}.",
            f"{name}={first['input']!r} 不能用：{first['msg']}。",
        ) from error
