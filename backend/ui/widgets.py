"""Chainlit's widgets, commands and starters, built in the writer's language from the option schema and the styles."""

from __future__ import annotations

from collections.abc import Mapping

import chainlit as cl
from chainlit.input_widget import InputWidget, Select, Slider, Switch, TextInput
from chainlit.types import CommandDict

from backend.chat import setting as schema_of
from backend.chat.intent import CHECK_COMMAND, POEM_COMMAND, QUESTION_COMMAND
from backend.chat.options import Options, OptionSchema
from backend.errors import Language
from backend.types import Style
from backend.ui.texts import say, style_name

SAMPLING = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "max_new_tokens", "seed", "system_prompt")


def make_widgets(
    schema: OptionSchema, options: Options, styles: Mapping[str, Style], language: Language, longest: int
) -> list[InputWidget]:
    """One widget for each setting, showing ``options``; ``longest`` is the process's limit of an answer, tokens."""
    values = options.as_widget_values()
    widgets: list[InputWidget] = []
    for name in type(schema).model_fields:
        setting = getattr(schema, name)
        label = setting.label.say(language)
        hint = setting.hint.say(language) if setting.hint else None
        if isinstance(setting, schema_of.Picks):
            items = {choice.say(language): value for value, choice in setting.choices.items()}
            widgets.append(Select(id=name, label=label, items=items, initial_value=values[name], description=hint))
        elif isinstance(setting, schema_of.Switch):
            widgets.append(Switch(id=name, label=label, initial=values[name], description=hint))
        elif isinstance(setting, schema_of.Choice):
            items = {style_name(style, language): id for id, style in styles.items()}
            note = styles[options.style].note
            described = f"{hint} {note}" if hint and note else hint
            widgets.append(Select(id=name, label=label, items=items, initial_value=values[name], description=described))
        elif isinstance(setting, schema_of.Slider):
            maximum = min(setting.maximum, longest) if name == "max_new_tokens" else setting.maximum
            widgets.append(
                Slider(
                    id=name,
                    label=label,
                    initial=values[name],
                    min=setting.minimum,
                    max=maximum,
                    step=setting.step,
                    description=hint,
                )
            )
        elif isinstance(setting, schema_of.Picks):
            items = {choice.say(language): value for value, choice in setting.choices.items()}
            widgets.append(Select(id=name, label=label, items=items, initial_value=values[name], description=hint))
        elif isinstance(setting, schema_of.Switch):
            widgets.append(Switch(id=name, label=label, initial=values[name], description=hint))
        else:
            placeholder = setting.placeholder.say(language) if setting.placeholder else None
            widgets.append(
                TextInput(
                    id=name,
                    label=label,
                    initial=values[name],
                    placeholder=placeholder,
                    multiline=setting.multiline,
                    description=hint,
                )
            )
    return widgets


def sampling_labels(schema: OptionSchema, language: Language) -> dict[str, str]:
    """What the settings other than the style are called."""
    return {name: getattr(schema, name).label.say(language) for name in SAMPLING}


def make_commands(language: Language) -> list[CommandDict]:
    """The two commands that force a poem or an answer."""
    return [
        _command(POEM_COMMAND, say(language, "command_poem"), "feather"),
        _command(CHECK_COMMAND, say(language, "command_check"), "scan-text"),
        _command(QUESTION_COMMAND, say(language, "command_question"), "messages-square"),
    ]


def _command(id: str, description: str, icon: str) -> CommandDict:
    return {
        "id": id,
        "description": description,
        "icon": icon,
        "button": True,
        "persistent": False,
        "selected": False,
    }


_STARTERS: dict[Language, tuple[tuple[str, str], ...]] = {
    "zh": (
        ("杜甫 · 秋夜泊舟", "请杜甫以《秋夜泊舟》为题写一首七言律诗"),
        ("苏轼 · 雨后登楼", "请苏轼以《雨后登楼》为题写一首七言绝句"),
        ("问 · 何为沉郁顿挫", "“沉郁顿挫”说的是什么？请举一联诗为例。"),
        ("改 · 白话入诗", "把这句话改写成两句七言诗：昨晚下了一夜的雨，早上推开窗，满地都是落花。"),
    ),
    "en": (
        ("Du Fu · moored on an autumn night", "Du Fu, write a seven-character regulated verse titled “秋夜泊舟”"),
        ("Su Shi · after the rain", "Su Shi, write a quatrain titled “雨后登楼”"),
        ("Ask · what makes a couplet parallel", "What makes two lines of a regulated verse a parallel couplet?"),
        (
            "Rewrite · prose into verse",
            "Rewrite as two lines of Chinese verse: it rained all night, and petals cover the court.",
        ),
    ),
}


def make_starters(language: Language) -> list[cl.Starter]:
    """A poem by each poet, a question and a rewriting task."""
    return [cl.Starter(label=label, message=message) for label, message in _STARTERS[language]]
