"""``moyun generate``: poems to the terminal, or one JSON object a line."""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from backend.errors import RequestError
from backend.settings import load_settings

if TYPE_CHECKING:
    from backend.chat.commission import Commission
    from backend.chat.metre import Metre
    from backend.prosody.original import Known
    from backend.startup import Studio
    from backend.types import Finished, GenerationRequest, Style


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--style", default="general", help="id of a style, such as du_fu (default: general)")
    parser.add_argument("--topic", required=True, help="what the poem is about; a title stands in 《》")
    parser.add_argument("--form", default="七律", help="form or tune; `moyun forms` lists them (default: 七律)")
    parser.add_argument("--lines", type=int, help="lines of a form that leaves them open, such as 五排 or 七古")
    parser.add_argument("--rhyme", help="rhyme to keep, such as 尤; default: the poem's first rhyme word fixes it")
    parser.add_argument("--acrostic", help="characters for the heads of the lines, or of the couplets")
    parser.add_argument("--opening", choices=("平起", "仄起"), help="how regulated verse opens; default: either way")
    parser.add_argument("--book", choices=("pingshui", "tongyun"), default="pingshui", help="rhyme book")
    parser.add_argument("--free", action="store_true", help="let the model break the form")
    parser.add_argument("--temperature", type=float, default=0.7, help="0 is greedy; low is steady, high is bolder")
    parser.add_argument("--top-p", type=float, default=0.95, help="keep the most probable tokens up to this share")
    parser.add_argument("--top-k", type=int, default=0, help="keep this many tokens; 0 keeps all")
    parser.add_argument("--min-p", type=float, default=0.0, help="drop tokens below this share of the best one's")
    parser.add_argument("--repetition-penalty", type=float, default=1.0, help="over 1 discourages repetition")
    parser.add_argument("--seed", type=int, help="of the first candidate, the next ones count on; default: random")
    parser.add_argument("-n", "--number", type=int, default=1, help="candidates, written together (default: 1)")
    parser.add_argument("--max-new-tokens", type=int, default=256, help="tokens of one poem at most, if it is free")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def run(options: argparse.Namespace) -> int:
    """Write the poems."""
    return asyncio.run(_run(options))


async def _run(options: argparse.Namespace) -> int:
    from backend.startup import start

    studio = start(load_settings())
    try:
        style = _style(studio, options.style)
        commission = make_commission(options)
        request = make_request(options, commission, style, studio.metre, studio.known_lines(style))
        for poem in await _write(studio, request, style):
            if options.json:
                print(json.dumps(_as_object(poem, request, style, commission), ensure_ascii=False), flush=True)
            else:
                print(f"{poem.text}\n{_as_line(poem, request, style, commission)}\n", flush=True)
    finally:
        await studio.close()
    return 0


@dataclass(slots=True)
class Poem:
    """One candidate as it is written."""

    seed: int
    pieces: list[str] = field(default_factory=list)
    finished: Finished | None = None

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self.pieces).strip()


def make_commission(options: argparse.Namespace) -> Commission:
    """The poem that the options ask for.

    Raises:
        ProsodyError: there is no such form, not with that many lines, or no such rhyme.
    """
    from backend.chat.commission import Commission
    from backend.chat.metre import book_for
    from backend.prosody.catalog import find_form
    from backend.prosody.tables import load_book

    form = find_form(options.form, options.lines)
    book = book_for(form, options.book)
    if options.rhyme:
        load_book(book).find_rhyme(options.rhyme)
    titled = options.topic.startswith("《") and options.topic.endswith("》")
    return Commission(
        form=form,
        title=options.topic[1:-1] if titled else None,
        theme=None if titled else options.topic,
        rhyme=options.rhyme,
        book=book,
        strict=not options.free,
        acrostic=options.acrostic,
        opening=options.opening,
    )


def make_request(
    options: argparse.Namespace,
    commission: Commission,
    style: Style,
    metre: Metre | None,
    known: Known | None = None,
) -> GenerationRequest:
    """The request for what the options ask. ``known`` lines are not to come again.

    Raises:
        RequestError: a number that can't be used.
        ProsodyError: a rhyme or an acrostic that the form can't keep.
    """
    from backend.chat.metre import tokens_of
    from backend.types import GenerationRequest, Sampling

    if options.number < 1 or options.temperature < 0 or not 0 < options.top_p <= 1 or options.repetition_penalty <= 0:
        raise RequestError(
            "-n must be 1 or more, --temperature 0 or more, --top-p over 0 and at most 1, --repetition-penalty over 0.",
            "-n 至少为 1，--temperature 不小于 0，--top-p 大于 0 且不超过 1，--repetition-penalty 大于 0。",
        )
    sampling = Sampling(
        temperature=options.temperature,
        top_p=options.top_p,
        top_k=options.top_k,
        min_p=options.min_p,
        repetition_penalty=options.repetition_penalty,
    )
    constraint = commission.constraint(metre, known) if metre is not None and commission.strict else None
    seed = random.randrange(2**31) if options.seed is None else options.seed
    return GenerationRequest(
        messages=commission.messages(style),
        adapter=style.id if style.adapter is not None else None,
        samplings=(sampling,) * options.number,
        seeds=tuple(range(seed, seed + options.number)),
        max_new_tokens=options.max_new_tokens if constraint is None else tokens_of(commission.form),
        constraint=constraint,
    )


async def _write(studio: Studio, request: GenerationRequest, style: Style) -> list[Poem]:
    """Every candidate, complete; those with a line that the adapter copied are written again, a few times."""
    from backend.chat.copies import MAX_ATTEMPTS, copied_lines

    known = studio.known_lines(style)
    poems = await _candidates(studio, request)
    for _ in range(1, MAX_ATTEMPTS):
        copies = [number for number, poem in enumerate(poems) if copied_lines(known, poem.text)]
        if not copies:
            break
        seeds = tuple(poems[number].seed + len(poems) for number in copies)
        again = replace(request, samplings=request.samplings[: len(copies)], seeds=seeds, id=uuid.uuid4().hex)
        for number, poem in zip(copies, await _candidates(studio, again), strict=True):
            poems[number] = poem
    return poems


async def _candidates(studio: Studio, request: GenerationRequest) -> list[Poem]:
    from backend.types import Finished, TokenEvent

    poems = [Poem(seed) for seed in request.seeds]
    async for event in studio.generator.stream(request):
        if isinstance(event, TokenEvent):
            poems[event.candidate].pieces.append(event.text)
        elif isinstance(event, Finished):
            poems[event.candidate].finished = event
    return poems


def _as_object(poem: Poem, request: GenerationRequest, style: Style, commission: Commission) -> dict[str, Any]:
    from backend.chat.outcome import Outcome

    assert poem.finished is not None
    verdict = Outcome.of(commission, poem.text).verdict
    usage = poem.finished.usage
    return {
        "text": poem.text,
        "style": style.id,
        "adapter": request.adapter,
        "seed": poem.seed,
        "tokens": usage.completion_tokens,
        "first_token_seconds": round(usage.first_token_seconds, 3),
        "seconds": round(usage.seconds, 3),
        "tokens_per_second": round(usage.tokens_per_second, 1),
        "verdict": verdict.to_json(),
    }


def _as_line(poem: Poem, request: GenerationRequest, style: Style, commission: Commission) -> str:
    from backend.chat.outcome import Outcome

    shown = _as_object(poem, request, style, commission)
    kept = Outcome.of(commission, poem.text).kept("zh")
    return (
        f"[{style.name['zh']} · {kept} · T={request.samplings[0].temperature:g} · seed {shown['seed']}"
        f" · {shown['tokens']} tokens · first {shown['first_token_seconds']} s · {shown['tokens_per_second']} tokens/s]"
    )


def _style(studio: Studio, name: str) -> Style:
    style = studio.styles.styles.get(name)
    if style is None:
        known = ", ".join(studio.styles.styles)
        raise RequestError(
            f"There is no style {name!r}; choose from {known}.", f"没有 {name!r} 这个风格；可选：{known}。"
        )
    return style
