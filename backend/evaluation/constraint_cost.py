"""What a constraint costs: the time of a mask, and of a token against free decoding, in pairs within one run."""

from __future__ import annotations

import time
from dataclasses import replace
from statistics import mean, median
from typing import TYPE_CHECKING, Any

import numpy as np

from backend.evaluation.poems import Order, make_request, texts_of
from backend.evaluation.topics import TOPICS
from backend.prosody.catalog import all_forms

if TYPE_CHECKING:
    from backend.chat.metre import Metre
    from backend.prosody.original import Known
    from backend.startup import Studio
    from backend.types import Finished

PAIR_FORMS = ("七律", "水调歌头", "五排")
PAIR_TOKENS = 40  # of each poem; fewer than these forms have, so that all rows write to the last
TEMPERATURE = 0.7
STYLE = "du_fu"  # its adapter and the lines that it may not copy are part of the cost


def time_masks(metre: Metre, end: int, known: Known | None) -> dict[str, float]:
    """Milliseconds of ``mask`` and of ``advance``, over one poem written by chance in each form and tune.

    Args:
        end: the token that ends an answer.
        known: lines that are not to come again.
    """
    rng = np.random.default_rng(0)
    masks, advances = [], []
    for form in all_forms():
        constraint = metre.constrain(form.name, known=known)
        ended = False
        while not ended:
            began = time.perf_counter()
            mask = constraint.mask()
            between = time.perf_counter()
            token = int(constraint.vocabulary[int(rng.choice(np.flatnonzero(mask)))])
            chosen = time.perf_counter()
            constraint.advance(token)
            advances.append(time.perf_counter() - chosen)
            masks.append(between - began)
            ended = token == end
    return {
        "mask_ms": round(1000 * mean(masks), 3),
        "mask_p99_ms": round(1000 * float(np.quantile(masks, 0.99)), 3),
        "advance_ms": round(1000 * mean(advances), 3),
    }


async def time_tokens(studio: Studio, pairs: int, rows: int) -> dict[str, Any]:
    """Seconds a token under the constraint over seconds a token without it, the beginnings of poems written in turn.

    The first pair warms up and is not counted.
    """
    ratios, rates = [], []
    for number in range(pairs + 1):
        form = PAIR_FORMS[number % len(PAIR_FORMS)]
        seconds = {}
        for constrained in (True, False) if number % 2 else (False, True):
            order = Order(form, STYLE, TEMPERATURE, TOPICS[number], number, constrained)
            request = replace(make_request(order, studio, candidates=rows), max_new_tokens=PAIR_TOKENS)
            seconds[constrained] = _seconds_a_token((await texts_of(studio, request))[1])
        if number:
            ratios.append(seconds[True] / seconds[False])
            rates.append(1 / seconds[True])
    return {
        "ratio": round(median(ratios), 3),
        "lowest": round(min(ratios), 3),
        "highest": round(max(ratios), 3),
        "tokens_per_second": round(median(rates), 1),
        "pairs": pairs,
        "rows": rows,
    }


def _seconds_a_token(ends: list[Finished]) -> float:
    """Seconds after the first token over all rows' tokens."""
    began = min(end.usage.first_token_seconds for end in ends)
    return (max(end.usage.seconds for end in ends) - began) / sum(end.usage.completion_tokens - 1 for end in ends)
