"""How an adapter is trained, in one typed TOML file. ``recipes/default.toml`` explains every value."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from backend.errors import TrainingError

HUB_NAMES = {  # what other tools call a base
    "embedded": "Qwen/Qwen2.5-Coder-1.5B-Instruct",
    "qwen2.5-7b": "Qwen/Qwen2.5-7B-Instruct",
}
RECIPES = Path(__file__).with_name("recipes")


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Mix(_Strict):
    """How often poems are asked for by what; the shares needn't add up to 1."""

    title: float = Field(0.35, ge=0)
    theme: float = Field(0.45, ge=0)
    form: float = Field(0.1, ge=0)
    couplet: float = Field(0.1, ge=0)
    rhyme: float = Field(0.4, ge=0, le=1)

    @model_validator(mode="after")
    def _asks_at_all(self) -> Mix:
        if self.title + self.theme + self.form + self.couplet <= 0:
            raise ValueError("one of title, theme, form and couplet must be above 0")
        return self


class Recipe(_Strict):
    """All settings of one training; see the default recipe for the reasons."""

    base: str = "embedded"
    start: str | None = None
    rank: int = Field(8, ge=1, le=64)
    alpha: int = Field(16, ge=1)
    dropout: float = Field(0.0, ge=0, lt=1)
    learning_rate: float = Field(2e-4, gt=0, lt=1)
    warmup: float = Field(0.05, ge=0, lt=1)
    weight_decay: float = Field(0.0, ge=0)
    max_gradient: float = Field(1.0, gt=0)
    passes: float = Field(2.0, gt=0, le=100)
    tokens_a_step: int = Field(640, ge=64)
    max_tokens: int = Field(256, ge=32)
    max_lines: int = Field(16, ge=4)
    seed: int = Field(0, ge=0)
    precision: Literal["auto", "bf16", "nf4"] = "auto"
    optimizer: Literal["auto", "adamw_torch", "paged_adamw_8bit"] = "auto"
    gradient_checkpointing: bool = False
    minutes: float = Field(75.0, gt=0)
    memory_gb: float = Field(16.0, gt=0)
    checkpoint_minutes: float = Field(5.0, gt=0)
    evaluate_every: int = Field(40, ge=1)
    patience: int = Field(3, ge=1)
    mix: Mix = Field(default_factory=lambda: Mix.model_validate({}))


def read_recipe(path: Path) -> Recipe:
    """The recipe in a TOML file.

    Raises:
        TrainingError: the file isn't there, isn't TOML, or has an unknown key or a value out of its range.
    """
    try:
        return Recipe.model_validate(tomllib.loads(path.read_text("utf-8")))
    except FileNotFoundError as error:
        raise TrainingError(f"There is no recipe {path}.", f"没有配方 {path}。") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TrainingError(f"{path} is no TOML file ({error}).", f"{path} 不是 TOML 文件（{error}）。") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "recipe"
        if first["type"] == "extra_forbidden":
            fields = ", ".join([*Recipe.model_fields, *(f"mix.{name}" for name in Mix.model_fields)])
            raise TrainingError(
                f"{path}: {key} is no key of a recipe; the keys are {fields}.",
                f"{path}：配方里没有 {key} 这一项；可用的有 {fields}。",
            ) from error
        raise TrainingError(
            f"{path}: {key} = {first['input']!r} can't be used: {first['msg']}.",
            f"{path}：{key} = {first['input']!r} 不能用：{first['msg']}。",
        ) from error
