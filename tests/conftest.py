"""What tests of several parts share: a tiny model made on the fly, adapters for it, and the real model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import tiny

if TYPE_CHECKING:
    from backend.models.loading import LoadedModel
    from backend.models.sources import PreparedModel


@pytest.fixture(scope="session")
def make_tiny_model() -> Callable[..., LoadedModel]:
    """Make random Qwen2 models of two layers in float32; ``seed`` fixes the weights."""
    return tiny.make_model


@pytest.fixture
def tiny_model(make_tiny_model: Callable[..., LoadedModel]) -> LoadedModel:
    """A random Qwen2 of two layers in float32, fresh for each test."""
    return make_tiny_model()


@pytest.fixture(scope="session")
def tiny_adapters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of styles for the tiny model: ``general`` (a prompt), ``east`` (rank 4) and ``west`` (rank 8)."""
    folder = tmp_path_factory.mktemp("adapters")
    tiny.write_style(folder / "general")
    tiny.write_adapter(folder / "east", rank=4, seed=1)
    tiny.write_adapter(folder / "west", rank=8, seed=2)
    return folder


@pytest.fixture(scope="session")
def prepared_model() -> PreparedModel:
    """The embedded model in the user's cache (``MOYUN_CACHE``), fetched and prepared if it isn't there."""
    from backend.models.progress import Bars
    from backend.models.sources import resolve
    from backend.settings import load_settings

    with Bars() as bars:
        return resolve(load_settings().model_copy(update={"model": "embedded"}), bars)


@pytest.fixture(scope="session")
def loaded_model(prepared_model: PreparedModel) -> LoadedModel:
    """The embedded model itself, loaded once for the tests that only read it. Engines want one of their own."""
    from backend.models.loading import load

    return load(prepared_model, 0)
