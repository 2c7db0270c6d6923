"""How probable a poem is to the base model: nats a Chinese character, so that tokenizers don't matter."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from backend.types import Message

if TYPE_CHECKING:
    from backend.models.dense import DenseModel

BATCH, PROMPT = 1024, 40  # characters of texts that are scored together, and of a prompt, roughly

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

    def nats(self, tasks: Sequence[Task]) -> list[float]:
        """Minus the log-probability of each text's tokens, marks included, as the answer to its messages.

        The tasks are computed together, the shorter ones filled up at the end, which no token before can see.
        """
        import torch

        prompts = [self._prompts.render(messages) for messages, _ in tasks]
        answers = [self._dense.tokenizer.encode(text, add_special_tokens=False) for _, text in tasks]
        rows = [torch.tensor(prompt + answer) for prompt, answer in zip(prompts, answers, strict=True)]
        found = []
        with torch.inference_mode():
            hidden = self._dense.model.model(torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)).last_hidden_state
            for row, prompt, states in zip(rows, prompts, hidden, strict=True):
                logits = self._dense.model.lm_head(states[len(prompt) - 1 : len(row) - 1]).float()
                chosen = torch.log_softmax(logits, dim=-1).gather(1, row[len(prompt) :, None])
                found.append(-float(chosen.sum()))
        return found


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
    missing = {
        key: task for key, task in zip(keys, tasks, strict=True) if key not in known and count_characters(task[1])
    }
    if missing:
        scorer = load()
        with path.open("a", encoding="utf-8") as file:
            file.write("\n" if path.stat().st_size else "")
            done = 0
            for batch in batched(missing):
                found = dict(zip(batch, scorer.nats([missing[key] for key in batch]), strict=True))
                known |= found
                file.write("".join(json.dumps({key: value}) + "\n" for key, value in found.items()))
                file.flush()
                done += len(batch)
                note(done, len(missing))
    return [
        known[key] / count_characters(text) if count_characters(text) else None
        for key, (_, text) in zip(keys, tasks, strict=True)
    ]


def batched(tasks: Mapping[str, Task]) -> Iterator[list[str]]:
    """The keys of tasks of about one length, so many together that a matrix product is worth its while."""
    batch: list[str] = []
    for key in sorted(tasks, key=lambda key: len(tasks[key][1])):
        if batch and (len(batch) + 1) * (len(tasks[key][1]) + PROMPT) > BATCH:
            yield batch
            batch = []
        batch.append(key)
    if batch:
        yield batch


def _key(messages: Sequence[Message], text: str) -> str:
    said = json.dumps([[m.role, m.content] for m in messages] + [text], ensure_ascii=False)
    return hashlib.sha256(said.encode()).hexdigest()[:24]
