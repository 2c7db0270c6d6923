"""What a style is trained on: its poet's poems from the corpus or a user's own, parted, with the words to ask by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.corpus import store
from backend.errors import CorpusError, TrainingError
from backend.training import poets
from backend.training.batches import Batch, Plan, encode, fill
from backend.training.dataset import Pair, make_pairs
from backend.training.held_out import HeldOut, Split, read_list, split
from backend.training.own_poems import read_poems
from backend.training.recipe import Recipe
from backend.training.themes import Words
from backend.training.verse import Verse
from backend.types import Style

FEWEST = 30  # poems; an adapter of fewer learns them by heart
_PROOF, _VALIDATION = 60, 30  # held out of a new collection, or a tenth and a twentieth of a small one
_SCORING_TOKENS = 2048  # a batch without gradients


@dataclass(frozen=True, slots=True)
class Material:
    """Everything that a training reads."""

    parts: Split
    held_out: tuple[HeldOut, ...]
    words: Words
    left_out: Counter[str]


def gather(style: Style, recipe: Recipe, cache: Path, folder: Path, own: Path | None = None) -> Material:
    """The material of a style.

    Args:
        style: its ``poet`` says whose poems are taken.
        cache: where the corpus is.
        folder: the style's folder, whose list of held-out poems holds if there is one.
        own: a file of poems in place of the corpus'.

    Raises:
        TrainingError: too few poems, a bad row in the file, or held-out poems that the corpus lacks.
        CorpusError: there is no corpus and it is needed.
    """
    if own is not None:
        collection = poets.Collection(read_poems(own, recipe.max_lines))
        words = _words(cache, collection.verses)
    elif style.poet is None:
        raise TrainingError(
            f"Style {style.id} names no poet; give --poet or a file of poems with --poems.",
            f"风格 {style.id} 没有写明诗人；请用 --poet 指定，或用 --poems 给出诗文件。",
        )
    else:
        with store.opened(cache) as database:
            collection = poets.poems_of(database, style.poet, recipe.max_lines)
            words = poets.corpus_words(database)
    if len(collection.verses) < FEWEST:
        raise TrainingError(
            f"{len(collection.verses)} poems can be used and {FEWEST} are the fewest to train on.",
            f"可用的诗只有 {len(collection.verses)} 首，至少要 {FEWEST} 首才能训练。",
        )
    entries = read_list(folder) or tuple(_draw(collection.verses, recipe.seed))
    return Material(split(collection.verses, entries), entries, words, collection.left_out)


def _draw(verses: Sequence[Verse], seed: int) -> list[HeldOut]:
    return poets.choose_held_out(verses, min(_PROOF, len(verses) // 10), min(_VALIDATION, len(verses) // 20), seed)


def _words(cache: Path, verses: Sequence[Verse]) -> Words:
    """Key words as the corpus knows them; without a corpus, the poems' own that recur."""
    try:
        with store.opened(cache) as database:
            return poets.corpus_words(database)
    except CorpusError:
        return Words((line for verse in verses for line in verse.lines), least=3)


def passes_of(material: Material, recipe: Recipe) -> list[list[Pair]]:
    """The pairs of each pass, the last one cut where the recipe has a fraction of a pass."""
    whole = int(recipe.passes)
    passes = [make_pairs(material.parts.training, material.words, recipe.mix, recipe.seed, n) for n in range(whole)]
    if recipe.passes > whole:
        last = make_pairs(material.parts.training, material.words, recipe.mix, recipe.seed, whole)
        passes.append(last)
    return passes


def plan(material: Material, recipe: Recipe, style: Style, tokenizer: object) -> Plan:
    """The batches of the whole training, and those of the held-out loss (asked for as in the first pass)."""
    training: list[Batch] = []
    for number, pairs in enumerate(passes_of(material, recipe)):
        examples = encode(pairs, style.poem_prompt, tokenizer, recipe.max_tokens)
        batches = fill(examples, recipe.tokens_a_step, f"{recipe.seed} {number}")
        training += batches[: max(1, round(len(batches) * min(1.0, recipe.passes - number)))]
    held = make_pairs(material.parts.validation, material.words, recipe.mix, recipe.seed, 0)
    validation = fill(encode(held, style.poem_prompt, tokenizer, recipe.max_tokens), _SCORING_TOKENS)
    return Plan(training, validation)
