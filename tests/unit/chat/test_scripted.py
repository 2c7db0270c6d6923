"""The generator that answers from a script."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from backend.chat.metre import Metre
from backend.errors import QueueFullError, RequestError, SettingsError
from backend.prosody.checker import check
from backend.scripted import END_TOKEN, Answer, Script, ScriptedGenerator, character_vocabulary
from backend.types import Finished, GenerationRequest, Message, Queued, Sampling, TokenEvent

SCRIPT = Script(
    answers=(
        Answer(when="秋", adapter="du_fu", text="{adapter} {temperature} {seed}"),
        Answer(when="秋", adapter=None, text="base"),
        Answer(when="满", error="QueueFullError"),
        Answer(when="等", text="好", queue=(2, 1), queue_delay=0),
    )
)


def request(text: str, adapter: str | None = None, **given: object) -> GenerationRequest:
    return GenerationRequest(messages=(Message("user", text),), adapter=adapter, **given)  # type: ignore[arg-type]


async def test_the_first_answer_that_fits_is_given_and_filled_in() -> None:
    generator = ScriptedGenerator(SCRIPT)
    sampling = (Sampling(temperature=0.5),)
    events = [e async for e in generator.stream(request("秋", "du_fu", samplings=sampling, seeds=(3,)))]
    assert "".join(e.text for e in events if isinstance(e, TokenEvent)) == "du_fu 0.5 3"
    events = [e async for e in generator.stream(request("秋"))]
    assert "".join(e.text for e in events if isinstance(e, TokenEvent)) == "base"


async def test_candidates_limits_queue_and_errors() -> None:
    generator = ScriptedGenerator(SCRIPT)
    two = request("秋", "du_fu", samplings=(Sampling(), Sampling()), seeds=(1, 2), max_new_tokens=5)
    finished = [e for e in [e async for e in generator.stream(two)] if isinstance(e, Finished)]
    assert [(e.candidate, e.reason, e.usage.completion_tokens) for e in finished] == [
        (0, "length", 5),
        (1, "length", 5),
    ]
    assert [e async for e in generator.stream(request("等"))][:2] == [Queued(2), Queued(1)]
    with pytest.raises(QueueFullError):
        [e async for e in generator.stream(request("满"))]
    with pytest.raises(RequestError):
        [e async for e in generator.stream(request("无"))]


async def test_the_record_has_one_line_a_candidate(tmp_path: Path) -> None:
    generator = ScriptedGenerator(SCRIPT, tmp_path / "record.jsonl")
    [e async for e in generator.stream(request("秋", "du_fu", seeds=(9,)))]
    (line,) = (tmp_path / "record.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["seed"] == 9
    assert json.loads(line)["reason"] == "stop"


@pytest.mark.parametrize("text", ["", "{", '{"answer": []}', '{"answers": [{"delay": "x"}]}'])
def test_a_script_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "script.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError):
        ScriptedGenerator(path)


@pytest.mark.parametrize("form", ["五绝", "七律", "水调歌头"])
def test_under_a_constraint_characters_are_drawn_by_the_seed_and_the_form_is_kept(form: str) -> None:
    constraint = Metre(character_vocabulary(), END_TOKEN).constrain(form)

    async def poem(seed: int) -> str:
        request = GenerationRequest(messages=(Message("user", "诗"),), constraint=constraint, seeds=(seed,))
        events = [event async for event in ScriptedGenerator(Script(metre=True)).stream(request)]
        assert isinstance(events[-1], Finished)
        assert events[-1].reason == "stop"
        return "".join(event.text for event in events if isinstance(event, TokenEvent))

    first, same, other = (asyncio.run(poem(seed)) for seed in (1, 1, 2))
    assert check(first, form).fits
    assert first == same != other
