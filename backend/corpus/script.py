"""One script for all texts: simplified characters, variant forms unified."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import opencc

HAN = "\u3005\u3007\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # 々〇 and the ideographs
NOT_HAN = re.compile(f"[^{HAN}]")
# 乾 is 干 (dry) to OpenCC but for a few words; here it is mostly 乾 (heaven), in the names of reigns and rites.
_HEAVEN = re.compile("乾(?=[坤德安道元符興封陵祐化寧健象清綱剛維光貞統])")
_HELD = "\x1e"
_SEPARATOR = "\x1f"  # cannot occur in a text: JSON texts of the corpus hold no control characters


@lru_cache(maxsize=1)
def _converter() -> opencc.OpenCC:
    return opencc.OpenCC("t2s")


@lru_cache(maxsize=1)
def variants() -> dict[int, str]:
    """What OpenCC leaves to do, as ``str.translate`` wants it: variant forms, and rare simplifications undone.

    OpenCC simplifies by analogy even where the result is a character that hardly a font or a table of tones
    has (湋 to U+23CB2); modern editions print the full form there.
    """
    lines = Path(__file__).with_name("variants.tsv").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("\t") for line in lines if line and not line.startswith("#"))
    table = {ord(variant): standard for variant, standard in pairs}
    common = "".join(map(chr, range(0x4E00, 0xA000)))
    simple = str(_converter().convert(common))
    rare = {ord(after): before for before, after in zip(common, simple, strict=True) if ord(after) > 0xFFFF}
    return {**rare, **table, ord(_HELD): "乾"}


def simplify(text: str) -> str:
    """``text`` in simplified characters with variant forms unified."""
    return simplify_all([text])[0].translate(variants())


def simplify_all(texts: Iterable[str]) -> list[str]:
    """Many texts in one call of the converter, which is far quicker; :func:`variants` are still to be applied."""
    joined = _HEAVEN.sub(_HELD, _SEPARATOR.join(text.replace(_SEPARATOR, "") for text in texts))
    composed = unicodedata.normalize("NFC", joined)  # compatibility ideographs become the ordinary ones
    return str(_converter().convert(composed)).split(_SEPARATOR)


def only_han(text: str) -> str:
    """The Chinese characters of ``text``, without punctuation, spaces and anything else."""
    return NOT_HAN.sub("", text)
