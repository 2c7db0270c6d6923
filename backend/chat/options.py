"""What a writer can set: defined once, by the ``[settings]`` table of ``chainlit.config.toml``.

The widgets on the page are built from this schema and every value that a client sends goes through it, so that a
range or a default is changed in one place.
"""

from __future__ import annotations

import secrets
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from backend.chat.setting import Choice, Picks, Slider, Switch, Text
from backend.errors import ProsodyError, RequestError, SettingsError
from backend.prosody.catalog import AUTO
from backend.prosody.tables import BOOKS, BookName, load_book
from backend.types import Sampling

MAX_SEED = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """One session's choices; always within the schema."""

    style: str
    form: str  # a form's name, or "auto": as the message says
    rhyme: str  # as a writer names it; empty leaves it to the poem
    strict: bool  # whether poems keep their form at every character
    book: BookName  # pingshui (for ci: cilin) or tongyun
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

    def draw_seed(self, used: int | None = None) -> int:
        """The seed that is set, or a new one where none is, or where that one was ``used``."""
        if self.seed is not None and self.seed != used:
            return self.seed
        return secrets.randbelow(MAX_SEED + 1)

    @property
    def chosen_form(self) -> str | None:
        """The form for messages that name none; None takes the default."""
        return None if self.form == AUTO else self.form

    def as_widget_values(self) -> dict[str, Any]:
        """The values that the page's widgets show."""
        return asdict(self) | {"seed": "" if self.seed is None else str(self.seed)}


class OptionSchema(BaseModel):
    """The ``[settings]`` table, checked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    style: Choice
    form: Picks
    rhyme: Text
    strict: Switch
    book: Picks
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
            form=self.form.default,
            rhyme="",
            strict=self.strict.default,
            book=cast("BookName", self.book.default),
            temperature=self.temperature.default,
            top_p=self.top_p.default,
            top_k=int(self.top_k.default),
            min_p=self.min_p.default,
            repetition_penalty=self.repetition_penalty.default,
            max_new_tokens=int(self.max_new_tokens.default),
            seed=None,
            system_prompt="",
        )
        texts = {
            "seed": self.seed.default,
            "system_prompt": self.system_prompt.default,
            "rhyme": self.rhyme.default,
        }
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
        form, complaint = _pick(self.form, values.get("form", options.form), options.form)
        if complaint:
            refused.append(complaint)
        book, complaint = _pick(self.book, values.get("book", options.book), options.book)
        if complaint:
            refused.append(complaint)
        rhyme, complaint = _read_rhyme(values.get("rhyme", options.rhyme), options.rhyme, self.rhyme.max_chars)
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
            form=form,
            rhyme=rhyme,
            strict=self.strict.read(values.get("strict", options.strict), options.strict),
            book=cast("BookName", book),
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


def _pick(setting: Picks, value: object, current: str) -> tuple[str, RequestError | None]:
    """The choice that ``value`` names, by itself or by its label."""
    wanted = value.strip() if isinstance(value, str) else ""
    for choice, label in setting.choices.items():
        if wanted in (choice, label.zh, label.en):
            return choice, None
    shown = str(value)[:20]
    known = list(setting.choices)
    stays = setting.choices[current]
    return current, RequestError(
        f"{setting.label.en}: {shown!r} is not offered; it stays {stays.en}. Offered are {', '.join(known)}.",
        f"{setting.label.zh}没有“{shown}”这一项，仍用{stays.zh}。可选：{'、'.join(known)}。",
    )


def _read_rhyme(value: object, current: str, longest: int) -> tuple[str, RequestError | None]:
    """A rhyme that one of the books knows; whether a form can keep it is said when one is written."""
    if value is None or not str(value).strip():
        return "", None
    wanted = str(value).strip()
    if isinstance(value, str | int) and not isinstance(value, bool) and len(wanted) <= longest:
        for name in BOOKS:
            try:
                load_book(cast("BookName", name)).find_rhyme(wanted)
            except ProsodyError:
                continue
            return wanted, None
    shown = wanted[:20]
    return current, RequestError(
        f"No rhyme book has a rhyme {shown!r}; name it by its heading, such as 尤, 东 or 第七部. "
        f"The rhyme stays {current or 'free'}.",
        f"各韵书都没有“{shown}”这个韵；请用韵目的名字，如“尤”“东”“第七部”。"
        f"仍旧{f'押{current}' if current else '不限韵'}。",
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
