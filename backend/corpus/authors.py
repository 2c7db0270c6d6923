"""One name for one author."""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from pathlib import Path

from backend.corpus.report import Report
from backend.corpus.script import HAN

UNKNOWN = "无名氏"

_UNNAMED = {"不详", "佚名", "缺名", "阙名", "失名", "无名", "无名氏", "无名氏作", "佚名氏", "未详", "无考", ""}
_TITLED = re.compile(r"^.{1,3}皇帝(?=.{2,3}$)")  # 太宗皇帝李世民
_NOTE = re.compile(r"（[^（）]*）|\([^()]*\)|\{[^{}]*\}")
_OTHER = re.compile(f"[^{HAN}、□]")


def _noted(match: re.Match[str]) -> str:
    """What a note in a name leaves: □ for a character described by its parts, nothing for a remark."""
    return "□" if match[0].startswith("{") else ""


@lru_cache(maxsize=1)
def aliases() -> dict[str, str]:
    """Names that the collections use for a person whom they name otherwise elsewhere."""
    table = tomllib.loads(Path(__file__).with_name("authors.toml").read_text(encoding="utf-8"))
    return {alias: name for name, entry in table.items() for alias in entry["aliases"]}


def unify(name: str, report: Report) -> str:
    """The author's usual name for a simplified ``name``; 无名氏 where there is none."""
    cleaned = _OTHER.sub("", _NOTE.sub(_noted, name.replace("[", "").replace("]", "")))
    cleaned = _TITLED.sub("", cleaned)
    if len(cleaned) == 1:
        cleaned += "□"  # the collection of ci lost the rarer characters of some names
    cleaned = UNKNOWN if cleaned.strip("□、") in _UNNAMED else aliases().get(cleaned, cleaned)
    if cleaned != name:
        report.add("authors")
    return cleaned
