"""Questions and adapters, on a real engine of the tiny model: answers are the same, poems under an adapter are not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from backend.engine.generator import LocalGenerator
from backend.evaluation.answers import answers, compare
from backend.models.adapters import StyleRegistry, read_weights
from backend.settings import Settings
from backend.types import GenerationRequest, Style
from tests import tiny

ASKED = ["春江潮水连海平？", "明月何时有？", "Who are you?", "什么是平仄？"]


@pytest.fixture
async def studio(tiny_model: Any, tiny_adapters: Path) -> AsyncIterator[Any]:
    """The tiny model with both adapters in its engine."""
    generator = LocalGenerator(tiny_model, Settings(context=1024))
    registry = StyleRegistry.discover(tiny_adapters, tiny.NAME, None)
    for style in registry.styles.values():
        if style.adapter is not None:
            generator.add_adapter(style.id, read_weights(style)).result()
    yield SimpleNamespace(generator=generator, styles=registry, metre=None)
    await generator.close()


def trained(studio: Any) -> list[Style]:
    return [style for style in studio.styles.styles.values() if style.adapter is not None]


async def test_adapters_in_the_engine_leave_every_answer_as_it_is(studio: Any) -> None:
    found = await compare(studio, trained(studio), ASKED)
    assert found == {"questions": 4, "identical": 4, "adapters": ["east", "west"]}


async def test_answers_under_an_adapter_would_be_found_out(studio: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = await answers(studio, trained(studio), ASKED)

    def with_adapter(**fields: Any) -> GenerationRequest:
        return GenerationRequest(adapter="west", **fields)

    monkeypatch.setattr("backend.evaluation.answers.GenerationRequest", with_adapter)
    changed = await answers(studio, trained(studio), ASKED)
    assert all(one != other for one, other in zip(plain, changed, strict=True))
