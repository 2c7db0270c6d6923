"""Poems for an evaluation: ordered, written through the engine, and kept in a file so that a broken run goes on."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from backend.chat.metre import tokens_of
from backend.chat.prompts import poem_messages
from backend.models.known_lines import NAME
from backend.prosody.catalog import find_form
from backend.types import Finished, GenerationRequest, Message, Sampling, Style, TokenEvent

if TYPE_CHECKING:
    from backend.startup import Studio

TOP_P = 0.95  # the page's default
FREE_TOKENS = 48  # more than its form needs for a poem that may break it: a title, a longer line or two


@dataclass(frozen=True, slots=True)
class Order:
    """One poem to write."""

    form: str
    style: str  # its id
    temperature: float
    topic: str
    seed: int
    constrained: bool
    titled: bool = False  # the topic is a poem's title
    min_p: float = 0.0
    repetition_penalty: float = 1.0

    @property
    def sampling(self) -> Sampling:
        """How the poem is drawn."""
        return Sampling(
            temperature=self.temperature,
            top_p=TOP_P,
            min_p=self.min_p,
            repetition_penalty=self.repetition_penalty,
        )


@dataclass(frozen=True, slots=True)
class Written:
    """A poem as it was written. ``weights`` tells adapters apart that have had the same name."""

    order: Order
    weights: str
    text: str
    tokens: int


def weights_of(style: Style) -> str:
    """The beginning of the SHA-256 of a style's adapter and of the lines that it may not copy; "base" where it has
    none."""
    if style.adapter is None:
        return "base"
    digest = hashlib.sha256((style.adapter / "adapter_model.safetensors").read_bytes())
    if style.known_lines is not None:
        digest.update((style.known_lines / NAME).read_bytes())
    return digest.hexdigest()[:12]


def messages_of(order: Order, style: Style) -> tuple[Message, ...]:
    """What the model is asked."""
    if order.titled:
        return poem_messages(style, order.form, title=order.topic)
    return poem_messages(style, order.form, theme=order.topic)


def make_request(order: Order, studio: Studio, *, candidates: int = 1) -> GenerationRequest:
    """The request for an order; candidates have the seeds that follow."""
    style = studio.styles.styles[order.style]
    needed = tokens_of(find_form(order.form))
    constraint = None
    if studio.metre is not None and order.constrained:
        constraint = studio.metre.constrain(order.form, known=studio.known_lines(style))
    return GenerationRequest(
        messages=messages_of(order, style),
        adapter=style.id if style.adapter is not None else None,
        samplings=(order.sampling,) * candidates,
        seeds=tuple(range(order.seed, order.seed + candidates)),
        max_new_tokens=needed if order.constrained else needed + FREE_TOKENS,
        constraint=constraint,
    )


async def texts_of(studio: Studio, request: GenerationRequest) -> tuple[list[str], list[Finished]]:
    """Every candidate's text and end."""
    texts, ends = [""] * len(request.samplings), {}
    async for event in studio.generator.stream(request):
        if isinstance(event, TokenEvent):
            texts[event.candidate] += event.text
        elif isinstance(event, Finished):
            ends[event.candidate] = event
    return [text.strip() for text in texts], [ends[index] for index in range(len(texts))]


class PoemFile:
    """Poems that are written already, one JSON object a line; a last line that was cut off is dropped.

    Args:
        path: the file; it need not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self.poems: dict[tuple[Order, str], Written] = {}  # by order and weights
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_text(encoding="utf-8").split("\n") if path.exists() else [""]
        for line in lines[:-1]:
            fields = json.loads(line)
            poem = Written(Order(**fields["order"]), fields["weights"], fields["text"], fields["tokens"])
            self.poems[poem.order, poem.weights] = poem
        if lines[-1]:
            whole = path.with_suffix(".whole")
            whole.write_text("\n".join(lines[:-1]) + "\n" * (len(lines) > 1), encoding="utf-8")
            whole.replace(path)

    def add(self, poem: Written) -> None:
        """Keep a poem."""
        self.poems[poem.order, poem.weights] = poem
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(poem), ensure_ascii=False) + "\n")


async def write_poems(
    studio: Studio, orders: Sequence[Order], file: PoemFile, rows: int, note: Callable[[int, int], None]
) -> list[Written]:
    """Write what the file doesn't have, ``rows`` poems at a time, each to the file as soon as it is whole.

    Args:
        note: told how many of the poems there are, and of how many.
    """
    weights = {name: weights_of(style) for name, style in studio.styles.styles.items()}
    missing = [order for order in orders if (order, weights[order.style]) not in file.poems]
    queue = iter(missing)
    done = len(orders) - len(missing)

    async def work() -> None:
        nonlocal done
        for order in queue:
            (text,), (end,) = await texts_of(studio, make_request(order, studio))
            file.add(Written(order, weights[order.style], text, end.usage.completion_tokens))
            done += 1
            note(done, len(orders))

    await asyncio.gather(*(work() for _ in range(rows)))  # the first error is the one that is told
    return [file.poems[order, weights[order.style]] for order in orders]


def progress(what: str, every: int = 20) -> Callable[[int, int], None]:
    """Tells on the terminal, every few poems, how far it is."""

    def note(done: int, of: int) -> None:
        if done % every == 0 or done == of:
            print(f"{what}: {done} of {of}", file=sys.stderr, flush=True)

    return note


def share(hits: Iterable[bool]) -> float:
    """Percent."""
    items = list(hits)
    return round(100 * sum(items) / len(items), 1) if items else 0.0
