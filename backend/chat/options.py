"""What a writer can set: defined once, by the ``[settings]`` table of ``chainlit.config.toml``.

The widgets on the page are built from this schema and every value that a client sends goes through it, so that a
range or a default is changed in one place.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from backend.errors import Language, RequestError, SettingsError
from backend.types import Sampling

MAX_SEED = 2**31 - 1


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


class Text(_Setting):
    """A line, or several, of text."""

    widget: Literal["text"]
    default: str = ""
    multiline: bool = False
    max_chars: int = Field(4000, ge=1)
    placeholder: Label | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """One session's choices; always within the schema."""

    style: str
    temperature: float
    top_p: float
    top_k: int
    min_p: float
    repetition_penalty: float
    max_new_tokens: int  # tokens
    seed: int | None  # None draws a new one for each answer
    system_prompt: str  # empty: the style's persona

    @property
    def sampling(self) -> Sampling:
        """These choices as the generator takes them."""
        return Sampling(
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=self.top_k,
            min_p=self.min_p,
            repetition_penalty=self.repetition_penalty,
        )

    def as_widget_values(self) -> dict[str, Any]:
        """The values that the page's widgets show."""
        return asdict(self) | {"seed": "" if self.seed is None else str(self.seed)}


class OptionSchema(BaseModel):
    """The ``[settings]`` table, checked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    style: Choice
    temperature: Slider
    top_p: Slider
    top_k: Slider
    min_p: Slider
    repetition_penalty: Slider
    max_new_tokens: Slider
    seed: Text
    system_prompt: Text

    def defaults(self, styles: Collection[str]) -> Options:
        """The choices of a new session. The first style stands in for a default that isn't there."""
        style = self.style.default if self.style.default in styles else next(iter(styles))
        blank = Options(
            style=style,
            temperature=self.temperature.default,
            top_p=self.top_p.default,
            top_k=int(self.top_k.default),
            min_p=self.min_p.default,
            repetition_penalty=self.repetition_penalty.default,
            max_new_tokens=int(self.max_new_tokens.default),
            seed=None,
            system_prompt="",
        )
        texts = {"seed": self.seed.default, "system_prompt": self.system_prompt.default}
        return self.apply(blank, texts, styles, max_new_tokens=blank.max_new_tokens)[0]

    def apply(
        self, options: Options, values: Mapping[str, object], styles: Collection[str], *, max_new_tokens: int
    ) -> tuple[Options, list[RequestError]]:
        """``options`` changed by what a client sent: clamped and whitelisted, unknown keys ignored.

        Returns the new options and what was refused, each with a sentence for the writer.
        """
        refused: list[RequestError] = []
        style = values.get("style", options.style)
        if not (isinstance(style, str) and style in styles):
            refused.append(
                RequestError(
                    f"There is no style {style!r}; the style stays {options.style}.",
                    f"没有“{style}”这种风格；仍用原来的。",
                )
            )
            style = options.style
        seed, complaint = _read_seed(values.get("seed", options.seed), options.seed)
        if complaint:
            refused.append(complaint)
        prompt = values.get("system_prompt", options.system_prompt)
        numbers: dict[str, float] = {}
        for name in ("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "max_new_tokens"):
            slider: Slider = getattr(self, name)
            current = float(getattr(options, name))
            numbers[name] = slider.clamp(values.get(name, current), current)
        changed = replace(
            options,
            style=style,
            temperature=numbers["temperature"],
            top_p=numbers["top_p"],
            top_k=int(numbers["top_k"]),
            min_p=numbers["min_p"],
            repetition_penalty=numbers["repetition_penalty"],
            max_new_tokens=max(1, min(int(numbers["max_new_tokens"]), max_new_tokens)),
            seed=seed,
            system_prompt=(prompt or "")[: self.system_prompt.max_chars] if isinstance(prompt, str | None) else "",
        )
        return changed, refused


def _read_seed(value: object, current: int | None) -> tuple[int | None, RequestError | None]:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None, None
    digits = str(value).strip() if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if digits.isascii() and digits.isdigit() and len(digits) <= 10 and int(digits) <= MAX_SEED:
        return int(digits), None
    shown = str(value)[:20]
    return current, RequestError(
        f"The seed {shown!r} is not a whole number from 0 to {MAX_SEED}; the seed stays as it was.",
        f"种子“{shown}”不是 0 到 {MAX_SEED} 的整数；仍用原来的。",
    )


class _File(BaseModel):
    """The file; its other tables are Chainlit's."""

    settings: OptionSchema


def load_schema(path: Path) -> OptionSchema:
    """The schema that the ``[settings]`` table of ``path`` defines.

    Raises:
        SettingsError: the file or its table can't be used.
    """
    try:
        with path.open("rb") as file:
            table = tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path} can't be read: {error}.", f"读不了 {path}：{error}。") from error
    try:
        return _File.model_validate(table).settings
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SettingsError(
            f"{path}: {where} can't be used: {first['msg']}.", f"{path}：{where} 不能用：{first['msg']}。"
        ) from error
