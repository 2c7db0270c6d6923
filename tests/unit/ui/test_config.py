"""The shipped configuration against Chainlit's own model, which drops what it doesn't know in silence."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from typing import Any, get_args, get_origin

import pytest
from pydantic import BaseModel

from backend.settings import ROOT
from backend.ui import page

TABLE = tomllib.loads((ROOT / "chainlit.config.toml").read_text(encoding="utf-8"))


def models_of(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models within ``Optional[Model]`` and the like."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) is not None:
        for part in get_args(annotation):
            yield from models_of(part)


def unknown_keys(table: dict[str, Any], model: type[BaseModel], place: str) -> list[str]:
    unknown = []
    for key, value in table.items():
        if key not in model.model_fields:
            unknown.append(f"{place}.{key}")
        elif isinstance(value, dict):
            for inner in models_of(model.model_fields[key].annotation):
                unknown += unknown_keys(value, inner, f"{place}.{key}")
    return unknown


def test_every_key_is_one_that_chainlit_reads() -> None:
    from chainlit.config import FeaturesSettings, ProjectSettings, UISettings

    assert set(TABLE) == {"project", "features", "UI", "meta", "settings"}
    models = {"project": ProjectSettings, "features": FeaturesSettings, "UI": UISettings}
    assert [key for name, model in models.items() for key in unknown_keys(TABLE[name], model, name)] == []


def test_the_check_for_unknown_keys_finds_one() -> None:
    from chainlit.config import FeaturesSettings

    wrong = {"latex": False, "letex": True, "audio": {"enabled": False, "volume": 1}}
    assert unknown_keys(wrong, FeaturesSettings, "features") == ["features.letex", "features.audio.volume"]


def test_chainlit_loaded_this_file() -> None:
    from chainlit.config import config

    assert config.ui.name == TABLE["UI"]["name"]
    assert config.project.session_timeout == TABLE["project"]["session_timeout"]
    assert config.project.allow_origins == []
    assert config.features.unsafe_allow_html is False
    assert config.features.spontaneous_file_upload is not None
    assert config.features.spontaneous_file_upload.enabled is False
    assert config.features.mcp.enabled is False


@pytest.mark.parametrize("tag", ["zh-CN", "en-US"])
def test_our_translations_replace_keys_that_chainlit_has(tag: str) -> None:
    from chainlit.config import TRANSLATIONS_DIR

    def leaves(table: dict[str, Any], place: str = "") -> Iterator[str]:
        for key, value in table.items():
            yield from leaves(value, f"{place}.{key}") if isinstance(value, dict) else [f"{place}.{key}"]

    with open(f"{TRANSLATIONS_DIR}/{tag}.json", encoding="utf-8") as file:
        theirs = set(leaves(json.load(file)))
    ours = json.loads((ROOT / "public" / "translations" / f"{tag}.json").read_text(encoding="utf-8"))
    assert set(leaves(ours)) <= theirs


def test_a_variable_cannot_change_the_configuration_behind_the_files_back() -> None:
    environment = {
        "UI": "x",
        "run": "x",
        "ROOT": "/",
        "CHAINLIT_ROOT_PATH": "/x",
        "SLACK_BOT_TOKEN": "x",
        "PATH": "kept",
        "MOYUN_PORT": "1",
    }
    page.scrub_environment(environment)
    assert environment == {"PATH": "kept", "MOYUN_PORT": "1"}


def test_the_scrubbed_names_are_the_fields_that_chainlit_reads_from_the_environment() -> None:
    from chainlit.config import ChainlitConfig

    assert {name.upper() for name in ChainlitConfig.model_fields} == set(page.BARE_NAMES)
