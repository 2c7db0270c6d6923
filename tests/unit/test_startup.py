"""A running studio takes up styles that come, change and go."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from backend.engine.generator import LocalGenerator
from backend.errors import GenerationError
from backend.models.adapters import StyleRegistry
from backend.settings import Settings
from backend.startup import Studio
from backend.types import GenerationRequest, Message
from tests import tiny


@pytest.fixture
async def studio(tmp_path: Path) -> AsyncIterator[Studio]:
    """A studio on the tiny model whose folder holds a prompt alone."""
    folder = tmp_path / "adapters"
    tiny.write_style(folder / "general")
    made = Studio(
        LocalGenerator(tiny.make_model(), Settings(context=1024)), StyleRegistry.discover(folder, tiny.NAME, None)
    )
    yield made
    await made.close()


async def answer(studio: Studio, adapter: str | None) -> list[object]:
    request = GenerationRequest(messages=(Message("user", "春江"),), adapter=adapter, max_new_tokens=6)
    return [getattr(event, "text", "") async for event in studio.generator.stream(request)]


async def test_a_finished_adapter_writes_in_a_running_studio(studio: Studio, tmp_path: Path) -> None:
    folder = tmp_path / "adapters"
    assert not studio.refresh()
    plain = await answer(studio, None)
    tiny.write_adapter(tmp_path / "east", rank=4, seed=1)
    shutil.copytree(tmp_path / "east", folder / "east")
    assert await asyncio.to_thread(studio.refresh)
    assert list(studio.styles.styles) == ["general", "east"]
    first = await answer(studio, "east")
    assert first != plain
    shutil.rmtree(folder / "east")
    shutil.copytree(tiny.write_adapter(tmp_path / "other" / "east", rank=4, seed=5), folder / "east")
    assert await asyncio.to_thread(studio.refresh)
    assert await answer(studio, "east") != first
    shutil.rmtree(folder / "east")
    assert await asyncio.to_thread(studio.refresh)
    with pytest.raises(GenerationError):
        await answer(studio, "east")


async def test_an_adapter_that_doesnt_fit_is_left_out(studio: Studio, tmp_path: Path) -> None:
    style = tiny.write_adapter(tmp_path / "adapters" / "east", rank=4)
    (style / "adapter_model.safetensors").write_bytes(b"broken")
    assert studio.refresh()
    assert list(studio.styles.styles) == ["general"]
    assert "east" in studio.styles.rejected


async def test_a_folder_that_is_gone_leaves_the_styles(studio: Studio, tmp_path: Path) -> None:
    (tmp_path / "adapters").rename(tmp_path / "elsewhere")
    assert not studio.refresh()
    assert list(studio.styles.styles) == ["general"]
