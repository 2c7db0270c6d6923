"""A user's own poems: txt, md, JSON or JSONL. What can't be used is reported by line number, all of it at once.

Text and Markdown: poems stand apart by an empty line; a first line without a mark at its end, or a Markdown heading, is
the title; ``词牌·题`` or a tune's name as the title makes it a ci. JSON is a list, JSONL a line each, of objects with
``text`` (or ``paragraphs``, or LLaMA-Factory's ``output``), and ``title`` and ``tune`` if there are any.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.corpus.script import only_han, simplify
from backend.errors import TrainingError
from backend.prosody.catalog import find_tune
from backend.training.verse import Verse, read_verse

KINDS = (".txt", ".md", ".json", ".jsonl")
_MOST_BYTES = 100 * 10**6
_MOST_NAMED = 20  # bad rows in one message
_ENDS = "，。？！；：,.?!;:…"
_STOP = re.compile(r"[·・.\s]+")


@dataclass(frozen=True, slots=True)
class _Row:
    line: int  # of the file, from 1
    title: str
    text: str
    tune: str | None


class _BadRow(Exception):
    """Why a row can't be used, in English and Chinese."""


def read_poems(path: Path, max_lines: int) -> list[Verse]:
    """The poems of a file. Each is a version of its own; the same words twice are an error.

    Raises:
        TrainingError: the file can't be read, or some rows can't be used: it names each by its line.
    """
    verses: dict[str, Verse] = {}
    bad: list[tuple[int, str, str]] = []
    for line, row in _rows(path):
        try:
            if not isinstance(row, _Row):
                raise _BadRow(*row)
            verse = _verse(row, max_lines)
            if verse.digest in verses:
                first = verses[verse.digest].source
                raise _BadRow(f"the same poem as in line {first}", f"与第 {first} 行是同一首")
            verses[verse.digest] = verse
        except _BadRow as reason:
            bad.append((line, *reason.args))
    if bad:
        en = "; ".join(f"line {line}: {reason}" for line, reason, _ in bad[:_MOST_NAMED])
        zh = "；".join(f"第 {line} 行：{reason}" for line, _, reason in bad[:_MOST_NAMED])
        more = len(bad) - _MOST_NAMED
        raise TrainingError(
            f"{path}: {len(bad)} rows can't be used. {en}{f'; and {more} more' if more > 0 else ''}.",
            f"{path}：有 {len(bad)} 处不能用。{zh}{f'；另有 {more} 处' if more > 0 else ''}。",
        )
    return list(verses.values())


def _verse(row: _Row, max_lines: int) -> Verse:
    verse = read_verse(row.title, row.text, row.tune, source=row.line, group=row.line)
    if verse is None and row.tune:
        raise _BadRow(f"no variant of {row.tune} has these lengths", f"{row.tune}没有这样的句式")
    if verse is None:
        raise _BadRow(
            "not in four or more lines of five or seven characters, in couplets, and no known tune",
            "不是四句以上、成双的五言或七言，也不是已知的词牌",
        )
    if row.tune is None and len(verse.lines) > max_lines:
        raise _BadRow(
            f"{len(verse.lines)} lines, and max_lines is {max_lines}", f"有 {len(verse.lines)} 句，超过 {max_lines} 句"
        )
    return verse


def _rows(path: Path) -> Iterator[tuple[int, _Row | tuple[str, str]]]:
    kind = path.suffix.lower()
    if kind not in KINDS:
        raise TrainingError(f"{path} is not one of {', '.join(KINDS)}.", f"{path} 不是 {'、'.join(KINDS)} 之一。")
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise TrainingError(f"{path} is larger than 100 MB.", f"{path} 超过 100 MB。")
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise TrainingError(
            f"{path} can't be read ({error.strerror}).", f"{path} 读不出来（{error.strerror}）。"
        ) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise TrainingError(
            f"{path} is not UTF-8: see line {line}.", f"{path} 不是 UTF-8 编码：见第 {line} 行。"
        ) from error
    if kind == ".json":
        yield from _json_rows(path, text)
    elif kind == ".jsonl":
        for number, row in enumerate(text.splitlines(), 1):
            if row.strip():
                yield number, _json_line(number, row)
    else:
        yield from _text_rows(text)


def _text_rows(text: str) -> Iterator[tuple[int, _Row]]:
    block: list[str] = []
    title, start = "", 0
    for number, raw in enumerate([*text.splitlines(), ""], 1):
        line = raw.strip()
        if line and not line.startswith("#"):
            start = start or number
            block.append(line)
            continue
        if block and only_han("".join(block)) and not (len(block) == 1 and block[0][-1] not in _ENDS):
            if not title and len(block) > 1 and block[0][-1] not in _ENDS:
                title, *block = block
            yield start, _row(start, title, "\n".join(block), None)
            title, block, start = "", [], 0
        elif block:  # a title that stands alone above its poem
            title, block, start = block[0], [], 0
        if line.startswith("#"):
            title = line.lstrip("# ").strip()


def _json_rows(path: Path, text: str) -> Iterator[tuple[int, _Row | tuple[str, str]]]:
    try:
        items = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TrainingError(f"{path} isn't JSON ({error}).", f"{path} 不是 JSON（{error}）。") from error
    if not isinstance(items, list):
        raise TrainingError(f"{path} holds no list of poems.", f"{path} 里不是诗的列表。")
    decoder, at = json.JSONDecoder(), text.index("[") + 1
    for item in items:
        at += len(text[at:]) - len(text[at:].lstrip(" \t\r\n,"))
        line = text.count("\n", 0, at) + 1
        yield line, _object_row(line, item)
        at = decoder.raw_decode(text, at)[1]


def _json_line(number: int, line: str) -> _Row | tuple[str, str]:
    try:
        return _object_row(number, json.loads(line))
    except (ValueError, RecursionError):
        return "not JSON", "不是 JSON"


def _object_row(line: int, item: Any) -> _Row | tuple[str, str]:
    if not isinstance(item, dict):
        return "no object", "不是对象"
    body = item.get("text") or item.get("paragraphs") or item.get("output")
    if isinstance(body, list) and all(isinstance(part, str) for part in body):
        body = "\n".join(body)
    if not isinstance(body, str) or not body.strip():
        return "no text, paragraphs or output", "没有 text、paragraphs 或 output"
    title, tune = item.get("title") or "", item.get("tune")
    if not isinstance(title, str) or not isinstance(tune, str | None):
        return "title or tune is no string", "title 或 tune 不是字符串"
    return _row(line, title, body, tune)


def _row(line: int, title: str, text: str, tune: str | None) -> _Row:
    title = simplify(title.strip().strip("《》"))
    if tune is None:
        head, *rest = _STOP.split(title, maxsplit=1)
        if find_tune(head) is not None:
            tune, title = head, (rest[0] if rest else head)
    return _Row(line, title, text, tune)
