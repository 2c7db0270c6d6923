"""How probable a poem is to the base model: nats a Chinese character, so that tokenizers don't matter."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from backend.types import Message

if TYPE_CHECKING:
    from backend.models.dense import DenseModel

_HAN = re.compile("[〇㐀-䶿一-鿿\U00020000-\U0003ffff]")

Task = tuple[tuple[Message, ...], str]  # what was asked, and the poem


def count_characters(text: str) -> int:
    """Chinese characters; marks and line breaks are not counted."""
    return len(_HAN.findall(text))


class Scorer:
    """Teacher-forced scores under one model.

    Args:
        dense: the base without an adapter: the weights that serve.
    """

    def __init__(self, dense: DenseModel) -> None:
        from backend.engine.prompt import PromptRenderer

        self._dense = dense
        self._prompts = PromptRenderer(dense.tokenizer)

    def nats(self, messages: Sequence[Message], text: str) -> float:
        """Minus the log-probability of the text's tokens, marks included, as the answer to the messages."""
        import torch

        prompt = self._prompts.render(messages)
        answer = self._dense.tokenizer.encode(text, add_special_tokens=False)
        ids = torch.tensor([prompt + answer])
        with torch.inference_mode():
            hidden = self._dense.model.model(ids).last_hidden_state[0, len(prompt) - 1 : -1]
            logits = self._dense.model.lm_head(hidden).float()
            chosen = torch.log_softmax(logits, dim=-1).gather(1, ids[0, len(prompt) :, None])
        return -float(chosen.sum())


def load_scorer() -> Scorer:
    """The base of this machine, dense. Call it when nothing else holds the model.

    Raises:
        ModelError: the model can't be had.
    """
    import torch

    from backend.models.dense import load_dense
    from backend.models.machine import physical_cores
    from backend.models.progress import Bars
    from backend.models.sources import resolve
    from backend.settings import load_settings

    settings = load_settings()
    torch.set_num_threads(settings.threads or physical_cores())
    with Bars() as bars:
        prepared = resolve(settings, bars)
    return Scorer(load_dense(prepared, torch.bfloat16))


def score(
    tasks: Iterable[Task], path: Path, note: Callable[[int, int], None], load: Callable[[], Scorer] = load_scorer
) -> list[float | None]:
    """Nats a character of each poem, None where it has no characters; what the file has is not computed again."""
    tasks = list(tasks)
    known: dict[str, float] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            known.update(json.loads(line))
        except json.JSONDecodeError:  # cut off
            continue
    keys = [_key(*task) for task in tasks]
    missing = {key: task for key, task in zip(keys, tasks, strict=True) if key not in known}
    if missing:
        scorer = load()
        with path.open("a", encoding="utf-8") as file:
            file.write("\n" if path.stat().st_size else "")
            for number, (key, (messages, text)) in enumerate(missing.items(), 1):
                known[key] = scorer.nats(messages, text) if count_characters(text) else 0.0
                file.write(json.dumps({key: known[key]}) + "\n")
                file.flush()
                note(number, len(missing))
    return [
        known[key] / count_characters(text) if count_characters(text) else None
        for key, (_, text) in zip(keys, tasks, strict=True)
    ]


def _key(messages: Sequence[Message], text: str) -> str:
    said = json.dumps([[m.role, m.content] for m in messages] + [text], ensure_ascii=False)
    return hashlib.sha256(said.encode()).hexdigest()[:24]
