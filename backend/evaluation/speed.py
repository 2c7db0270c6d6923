"""How fast the engine is, as ratios within one run: machines differ and drift, ratios hold.

What is compared is measured in turn, round after round; a figure is the median of the rounds' ratios.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

import torch

from backend.engine.detokenizer import Detokenizer, TokenBytes
from backend.engine.engine import Engine
from backend.engine.linear import PackedLinear
from backend.engine.native_layers import TiledLinear
from backend.engine.sequence import Sequence as Row
from backend.types import GenerationRequest, Sampling

ROW_COUNTS = (1, 2, 4, 8, 16)
PROMPT, STEPS = 32, 8  # tokens of a short prompt; steps of one block
HISTORY, NEW, LONG = 1000, 24, 1500  # tokens of a session's history, of its next message, of an intruding prompt
WARM = Sampling(temperature=0.7, top_p=0.95)

Block = Callable[[], float]


class Bench:
    """Steps an engine by hand and takes the time.

    Args:
        engine: with two adapters or more; its answers never end by themselves while it is measured.
    """

    def __init__(self, engine: Engine, tokenizer: Any) -> None:
        self.engine = engine
        self.adapters = list(engine.runner.lora.ranks)[:2]
        self._bytes = TokenBytes(tokenizer)
        engine.end_tokens = frozenset()

    def ask(
        self, num_tokens: int, adapter: str | None = None, session: str | None = None, background: bool = False
    ) -> Row:
        """Queue a request with a prompt of this many tokens; longer prompts begin with the shorter ones."""
        tokens = [1000 + (7 * index) % 5000 for index in range(num_tokens)]
        row = Row(
            request=GenerationRequest(messages=(), adapter=adapter, samplings=(WARM,), session=session),
            candidate=0,
            tokens=tokens,
            num_prompt=num_tokens,
            max_new_tokens=2048,
            deadline=time.monotonic() + 3600,
            emit=lambda event: None,
            detokenizer=Detokenizer(self._bytes),
            background=background,
        )
        self.engine.add(row)
        return row

    def until(self, done: Callable[[], bool]) -> list[float]:
        """Step until something holds; the seconds of each step."""
        times = []
        while not done():
            times.append(seconds_of(self.engine.step))
        return times

    def writers(self, adapters: Sequence[str | None]) -> list[Row]:
        """One row for each adapter, all of them writing."""
        rows = [self.ask(PROMPT, adapter) for adapter in adapters]
        self.until(lambda: all(row.num_written >= 2 for row in rows))
        return rows

    def end(self, *rows: Row) -> None:
        """Cancel requests."""
        for row in rows:
            self.engine.cancel(row.request.id)

    def decode(self, *adapters: str | None) -> float:
        """Seconds a step while one row for each adapter writes."""
        rows = self.writers(adapters)
        times = [seconds_of(self.engine.step) for _ in range(STEPS)]
        self.end(*rows)
        return median(times)

    def first_token(self, num_tokens: int, adapter: str | None = None, session: str | None = None) -> list[float]:
        """The seconds of each step until a prompt's first token; the request is ended then."""
        row = self.ask(num_tokens, adapter, session)
        times = self.until(lambda: row.num_written >= 1)
        self.end(row)
        return times

    def second_turn(self) -> float:
        """Seconds until the first token of a turn whose history is kept."""
        self.first_token(HISTORY, session="bench")
        seconds = sum(self.first_token(HISTORY + NEW, session="bench"))
        self.engine.forget("bench")
        return seconds

    def switch_steps(self) -> int:
        """Steps until the first token after a change of the style that had time, less those without a change."""
        first, second = self.adapters
        self.first_token(HISTORY, first, "bench")
        stayed = len(self.first_token(HISTORY + NEW, first, "bench"))
        idle = self.ask(HISTORY, second, "bench", background=True)
        self.until(lambda: idle not in self.engine.scheduler.background)
        switched = len(self.first_token(HISTORY + NEW, second, "bench"))
        self.engine.forget("bench")
        return switched - stayed

    def worst_gap(self) -> float:
        """The longest step of three writers while a long prompt is computed, over their usual step."""
        rows = self.writers([*self.adapters, None])
        usual = median(seconds_of(self.engine.step) for _ in range(STEPS))
        intruder = self.ask(LONG)
        worst = max(self.until(lambda: intruder.num_written >= 1))
        self.end(intruder, *rows)
        return worst / usual


def measure(bench: Bench, rounds: int, peft: Block | None = None, peer: Block | None = None) -> dict[str, Any]:
    """Every figure.

    Args:
        rounds: how often everything is measured.
        peft: seconds of one step of PEFT's mixed batch, or None to leave it out.
        peer: seconds of one token of another engine, or None to leave it out.
    """
    first, second = bench.adapters
    blocks: dict[str, Block] = {
        **{f"rows {n}": lambda n=n: bench.decode(*[None] * n) for n in ROW_COUNTS},  # type: ignore[misc]
        "adapter": lambda: bench.decode(first),
        "mixed": lambda: bench.decode(first, second, None, first),
        "read": lambda: bytes_per_token(bench.engine) / bandwidth(),
        "recomputed": lambda: sum(bench.first_token(HISTORY + NEW)),
        "second turn": bench.second_turn,
        "gap": bench.worst_gap,
    }
    blocks |= {name: block for name, block in (("peft", peft), ("peer", peer)) if block is not None}
    seconds = interleave(blocks, rounds)
    return {
        "decode_tok_s": {n: round(n / median(seconds[f"rows {n}"]), 2) for n in ROW_COUNTS},
        "adapter_ratio": ratio(seconds["rows 1"], seconds["adapter"]),
        "mixed_step_ratio": ratio(seconds["mixed"], seconds["rows 4"]),
        "peft_step_ratio": ratio(seconds["peft"], seconds["mixed"]) if peft else None,
        "aggregate_ratio": ratio([4 * one for one in seconds["rows 1"]], seconds["rows 4"]),
        "roofline_fraction": ratio(seconds["read"], seconds["rows 1"]),
        "turn2_ttft_ratio": ratio(seconds["second turn"], seconds["recomputed"]),
        "prefill_tok_s": round((HISTORY + NEW) / median(seconds["recomputed"]), 1),
        "switch_extra_steps": bench.switch_steps(),
        "worst_gap_steps": round(median(seconds["gap"]), 2),
        "peer_ratio": ratio(seconds["peer"], seconds["rows 1"]) if peer else None,
    }


def interleave(blocks: Mapping[str, Block], rounds: int) -> dict[str, list[float]]:
    """Every block once a round, in turn."""
    found: dict[str, list[float]] = {name: [] for name in blocks}
    for _ in range(rounds):
        for name, block in blocks.items():
            found[name].append(block())
    return found


def ratio(over: Sequence[float], under: Sequence[float]) -> float:
    """The median of the rounds' ratios."""
    return round(median(a / b for a, b in zip(over, under, strict=True)), 3)


def bytes_per_token(engine: Engine) -> int:
    """Bytes of weights that one decoding row reads: every 4-bit matrix with its scales."""
    layers = [*engine.runner.model.modules(), engine.runner.head.whole]
    return sum(layer.num_bytes for layer in layers if isinstance(layer, PackedLinear | TiledLinear))


def bandwidth() -> float:
    """Bytes a second at which all threads together read memory: the median of five sums over 512 MiB."""
    block = torch.ones(128 << 20, dtype=torch.float32)
    return block.nbytes / median(seconds_of(block.sum) for _ in range(5))


def seconds_of(act: Callable[[], object]) -> float:
    """How long something takes."""
    begin = time.perf_counter()
    act()
    return time.perf_counter() - begin
