"""The kinds of setting that a configuration can describe, each with what it accepts from a client."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from backend.errors import Language

_ON = ("on", "true", "yes", "1", "开", "是")
_OFF = ("off", "false", "no", "0", "关", "否")


class Label(BaseModel):
    """One text in both interface languages."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    zh: str
    en: str

    def say(self, language: Language) -> str:
        """The text for a writer who reads ``language``."""
        return self.zh if language == "zh" else self.en


class _Setting(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    label: Label
    hint: Label | None = None


class Choice(_Setting):
    """One of the registered styles."""

    widget: Literal["select"]
    default: str


class Slider(_Setting):
    """A number within a range, on steps counted from its minimum."""

    widget: Literal["slider"]
    default: float
    minimum: float
    maximum: float
    step: float = Field(gt=0)

    @model_validator(mode="after")
    def _ordered(self) -> Slider:
        if not self.minimum <= self.default <= self.maximum:
            raise ValueError(f"default {self.default} is not within {self.minimum} to {self.maximum}")
        return self

    def clamp(self, value: object, otherwise: float) -> float:
        """The nearest allowed number; ``otherwise`` where ``value`` is no finite number at all."""
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            return otherwise
        try:
            number = float(value)
        except (ValueError, OverflowError):
            return otherwise
        if not math.isfinite(number):
            return otherwise
        number = min(max(number, self.minimum), self.maximum)
        stepped = self.minimum + round((number - self.minimum) / self.step) * self.step
        return round(min(stepped, self.maximum), 10)


class Switch(_Setting):
    """On or off."""

    widget: Literal["switch"]
    default: bool

    @staticmethod
    def read(value: object, otherwise: bool) -> bool:
        """What a client or a terminal says; ``otherwise`` where it says neither."""
        if isinstance(value, bool):
            return value
        word = value.strip().lower() if isinstance(value, str) else ""
        return True if word in _ON else False if word in _OFF else otherwise


class Picks(_Setting):
    """One of a few fixed values, each with its label, in the order of the file."""

    widget: Literal["picks"]
    default: str
    choices: dict[str, Label] = Field(min_length=1)

    @model_validator(mode="after")
    def _known(self) -> Picks:
        if self.default not in self.choices:
            raise ValueError(f"default {self.default!r} is not among the choices")
        return self


class Text(_Setting):
    """A line, or several, of text."""

    widget: Literal["text"]
    default: str = ""
    multiline: bool = False
    max_chars: int = Field(4000, ge=1)
    placeholder: Label | None = None
