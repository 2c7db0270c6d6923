"""Recipes: typed, with nothing unknown in them, and the shipped ones explain themselves."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from backend.errors import TrainingError
from backend.training.recipe import RECIPES, Mix, Recipe, read_recipe


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_shipped_recipes_can_be_read(path: Path) -> None:
    assert read_recipe(path)


def test_the_default_recipe_names_every_key_with_its_default() -> None:
    text = (RECIPES / "default.toml").read_text("utf-8")
    assert read_recipe(RECIPES / "default.toml") == Recipe()
    unset = {"start"}
    assert set(tomllib.loads(text)) | unset == set(Recipe.model_fields)
    assert all(f"# {key} =" in text for key in unset)
    assert set(tomllib.loads(text)["mix"]) == set(Mix.model_fields)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("learning_rat = 1", "learning_rat is no key"),
        ("[mix]\ntitles = 1", "mix.titles is no key"),
        ("rank = 0", "rank = 0 can't be used"),
        ("passes = 'two'", "passes = 'two' can't be used"),
        ("[mix]\ntitle=0\ntheme=0\nform=0\ncouplet=0", "above 0"),
        ("rank =", "no TOML"),
    ],
)
def test_a_recipe_that_cant_be_used_says_why(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(TrainingError, match=said):
        read_recipe(path)


def test_a_missing_recipe_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="none"):
        read_recipe(tmp_path / "none.toml")
