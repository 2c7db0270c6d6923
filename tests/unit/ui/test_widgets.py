"""The sidebar's widgets come from the table and the styles, in the writer's language."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backend.chat.options import load_schema
from backend.errors import Language
from backend.settings import ROOT
from backend.ui.widgets import make_commands, make_starters, make_widgets, sampling_labels
from tests.unit.chat.conftest import STYLES

SCHEMA = load_schema(ROOT / "chainlit.config.toml")
OPTIONS = SCHEMA.defaults(list(STYLES))


@pytest.mark.parametrize(("language", "label", "poet"), [("zh", "诗人", "杜甫"), ("en", "Poet", "Du Fu")])
def test_there_is_one_widget_a_setting_in_the_writers_language(language: Language, label: str, poet: str) -> None:
    widgets = {widget.id: widget.to_dict() for widget in make_widgets(SCHEMA, OPTIONS, STYLES, language, 1024)}
    assert list(widgets) == list(type(SCHEMA).model_fields)
    style = widgets["style"]
    assert style["label"] == label
    assert {"label": poet, "value": "du_fu"} in style["items"]
    assert style["initial"] == "du_fu"
    temperature = widgets["temperature"]
    assert (temperature["min"], temperature["max"], temperature["step"]) == (0.1, 1.5, 0.05)
    assert all(widget["description"] for widget in widgets.values())
    assert (widgets["strict"]["type"], widgets["strict"]["initial"]) == ("switch", True)
    assert {"label": "五绝", "value": "五绝"} in widgets["form"]["items"] or language == "en"
    assert widgets["form"]["initial"] == "auto"


def test_the_widgets_show_what_holds() -> None:
    options = replace(OPTIONS, temperature=1.2, seed=0, system_prompt="短")
    shown = {widget.id: widget.to_dict()["initial"] for widget in make_widgets(SCHEMA, options, STYLES, "zh", 1024)}
    assert (shown["temperature"], shown["seed"], shown["system_prompt"]) == (1.2, "0", "短")


def test_the_processes_limit_ends_the_slider_of_the_longest_answer() -> None:
    widgets = make_widgets(SCHEMA, OPTIONS, STYLES, "zh", 256)
    assert next(widget for widget in widgets if widget.id == "max_new_tokens").to_dict()["max"] == 256


def test_a_style_without_its_weights_says_so() -> None:
    styles = STYLES | {"du_fu": replace(STYLES["du_fu"], adapter=None, note="没有适配器。")}
    style = make_widgets(SCHEMA, OPTIONS, styles, "zh", 1024)[0].to_dict()
    assert "没有适配器。" in style["description"]


def test_commands_starters_and_labels() -> None:
    assert [command["id"] for command in make_commands("en")] == ["诗", "检", "问"]
    assert len(make_starters("zh")) == len(make_starters("en")) == 4
    assert "style" not in sampling_labels(SCHEMA, "zh")
