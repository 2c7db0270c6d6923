"""Checks a poem against its form: `check(text, form="auto", book="pingshui")`.

A reading that fits is enough; at a rhyme, the reading that rhymes is the one that counts. A character that the
book does not know never passes. The rules and their source: :mod:`backend.prosody.forms` and ``regulated``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial

from backend.errors import ProsodyError
from backend.prosody import wording
from backend.prosody.catalog import AUTO, Request, find_tune, understand
from backend.prosody.ci import tunes
from backend.prosody.forms import Form
from backend.prosody.judging import Judgement, Poem, cut, judge_old, judge_regulated, judge_tune
from backend.prosody.layout import MAX_CHARACTERS, Layout, read
from backend.prosody.presenting import bare_lines, line_verdicts
from backend.prosody.summary import summarize, summarize_nothing
from backend.prosody.tables import BOOKS, BookName, is_traditional, load_book
from backend.prosody.verdict import Finding, Verdict

Lines = Sequence[str]
DEMANDS: dict[str, tuple[str, str]] = {
    "绝": ("四句", "4 lines"),
    "律": ("八句", "8 lines"),
    "排": ("十句以上、句数成双", "10 lines or more, in couplets"),
    "古": ("两句以上", "2 lines or more"),
}


def check(text: str, form: str = AUTO, book: str = "pingshui") -> Verdict:
    """The verdict on a poem.

    Args:
        text: the poem, in either script, with or without title, author, preface and punctuation.
        form: a form's name (七律, 古风, 水调歌头), or "auto" to find it.
        book: pingshui, cilin or tongyun. Ci rhymes by the groups of cilin where pingshui is asked for: both have
            the same tones.

    Raises:
        ProsodyError: there is no such form or book.
    """
    if book not in BOOKS:
        load_book(book)  # says which books there are
    name: BookName = book  # type: ignore[assignment]
    request = None if form == AUTO else understand(form)
    if len(text) > MAX_CHARACTERS:
        return _refuse(request, Layout((), ()), name, _too_long(text))
    layout = read(text, partial(_has_shape, request=request))
    traditional = is_traditional(text)
    if request is None:
        tune = next(filter(None, map(_tune_in, layout.heading)), None)
        if tune is not None and not _is_regular(layout.lines):
            request = Request(tune.name, "ci", tune=tune)
    if request is None:
        judgement, judged_by = _judge_freely(layout, name, traditional)
    else:
        judgement, judged_by = _judge_as(request, layout, name, traditional)
    if judgement is None:
        return _refuse(request, layout, judged_by)
    return _put_into_words(judgement, layout, judged_by)


def _is_regular(lines: Lines) -> bool:
    return len(lines) >= 4 and {len(line) for line in lines} in ({5}, {7})


def _has_shape(lines: tuple[str, ...], request: Request | None) -> bool:
    if request is None:
        return (_is_regular(lines) and len(lines) % 2 == 0) or any(_fits_tune(lines, tune) for tune in tunes())
    if request.tune is not None:
        return _fits_tune(lines, request.tune)
    return _fits_request(lines, request)


def _fits_tune(lines: Lines, tune: Form) -> bool:
    return any(cut(lines, variant) is not None for variant in tune.variants)


def _fits_request(lines: Lines, request: Request) -> bool:
    lengths = {len(line) for line in lines}
    if lengths not in ({5}, {7}) or (request.length and lengths != {request.length}):
        return False
    if request.shape == "古":
        return len(lines) >= 2
    count = request.num_lines
    return len(lines) == count if count else len(lines) >= 10 and len(lines) % 2 == 0


def _tune_in(heading: str) -> Form | None:
    """The tune that a title names, alone or in front: 水调歌头, 水调歌头明月几时有."""
    return find_tune(heading) or next((tune for tune in tunes() if heading.startswith(tune.name)), None)


def _judge_as(request: Request, layout: Layout, book: BookName, traditional: bool) -> tuple[Judgement | None, BookName]:
    if request.tune is not None:
        book = "cilin" if book == "pingshui" else book
        return judge_tune(layout.lines, request.tune, load_book(book), traditional=traditional), book
    if not _fits_request(layout.lines, request):
        return None, book
    poem = Poem.read(layout.lines, load_book(book), traditional=traditional)
    try:
        return (judge_old if request.kind == "old" else judge_regulated)(poem), book
    except ProsodyError:  # a 排律 longer than any
        return None, book


def _judge_freely(layout: Layout, book: BookName, traditional: bool) -> tuple[Judgement | None, BookName]:
    """Regulated verse where it is that, or nearly; else a tune; else old-style verse."""
    lines = layout.lines
    if _is_regular(lines):
        poem = Poem.read(lines, load_book(book), traditional=traditional)
        strict = _try_regulated(poem)
        if strict and not strict.num_faults:
            return strict, book
        tune, tune_book = _best_tune(lines, book, traditional)
        if tune and not tune.num_faults:
            return tune, tune_book
        if strict and _is_nearly(strict):
            return strict, book
        if tune and not strict and _is_nearly(tune):
            return tune, tune_book
        return judge_old(poem), book
    return _best_tune(lines, book, traditional)


def _try_regulated(poem: Poem) -> Judgement | None:
    try:
        return judge_regulated(poem)
    except ProsodyError:
        return None


def _is_nearly(judgement: Judgement) -> bool:
    return judgement.num_faulty_lines * 2 < len(judgement.poem.lines)


def _best_tune(lines: Lines, book: BookName, traditional: bool) -> tuple[Judgement | None, BookName]:
    book = "cilin" if book == "pingshui" else book
    found = [judge_tune(lines, tune, load_book(book), traditional=traditional) for tune in tunes()]
    known = [judgement for judgement in found if judgement is not None]
    return min(known, key=lambda judgement: judgement.num_faults, default=None), book


def _put_into_words(judgement: Judgement, layout: Layout, book: BookName) -> Verdict:
    findings = sorted(judgement.findings, key=lambda f: (f.line or 0, f.position or 0))
    zh, en = summarize(judgement, book)
    return Verdict(
        form=judgement.form,
        kind=judgement.kind,
        variant=judgement.variant,
        book=book,
        heading=layout.heading,
        lines=line_verdicts(judgement),
        rhymes=judgement.rhymes,
        findings=tuple(findings),
        summary_zh=zh,
        summary_en=en,
    )


def _refuse(request: Request | None, layout: Layout, book: BookName, finding: Finding | None = None) -> Verdict:
    """The verdict on what hasn't the shape of the form, or of any."""
    finding = finding or _shape_finding(request, layout.lines)
    zh, en = summarize_nothing(request.name if request else None, finding)
    return Verdict(
        form=request.name if request else None,
        kind=request.kind if request else None,
        variant="",
        book=book,
        heading=layout.heading,
        lines=bare_lines(layout.lines, load_book(book)),
        findings=(finding,),
        summary_zh=zh,
        summary_en=en,
    )


def _too_long(text: str) -> Finding:
    return wording.wrong_length(
        f"文字太长（{len(text)}字），超过{MAX_CHARACTERS}字的不看；请只贴一首诗。",
        f"The text has {len(text):,} characters, and past {MAX_CHARACTERS:,} it is not read; paste one poem only.",
    )


def _shape_finding(request: Request | None, lines: Lines) -> Finding:
    lengths = "、".join(str(len(line)) for line in lines[:24]) + ("……" if len(lines) > 24 else "")
    seen_zh = f"此文有{len(lines)}句，字数为{lengths}" if lines else "此文没有汉字"
    seen_en = f"this text has {len(lines)} lines of {lengths} characters" if lines else "this text has no Chinese"
    if request is None:
        near = _nearly(lines)
        if near:
            return near
        return wording.wrong_length(
            f"看不出诗的样子：{seen_zh}；近体诗与古风每句五字或七字、至少四句，词要合某一词牌的句式。",
            f"This does not look like a poem: {seen_en}; regulated and old-style verse have at least 4 lines "
            "of 5 or 7 characters each, and a ci has the line lengths of its tune.",
        )
    if request.tune is not None:
        shapes = "；或".join("、".join(map(str, variant.lengths)) for variant in request.tune.variants[:4])
        return wording.wrong_length(
            f"{request.name}的句式是{shapes}；{seen_zh}。",
            f"{request.name} has lines of {shapes} characters; {seen_en}.",
        )
    odd = next((n for n, line in enumerate(lines, 1) if len(line) != (request.length or len(lines[0]))), None)
    each = str(request.length) if request.length else "5 or 7"
    zh, en = DEMANDS[request.shape]
    return wording.wrong_length(
        f"{request.name}应为{zh}，每句{each.replace(' or ', '或')}字；{seen_zh}。",
        f"{request.name} has {en} of {each} characters each; {seen_en}.",
        odd,
    )


def _nearly(lines: Lines) -> Finding | None:
    """What to say of verse in which a few lines have the wrong length."""
    usual, count = Counter(map(len, lines)).most_common(1)[0] if lines else (0, 0)
    if usual not in (5, 7) or len(lines) < 4 or count * 3 < len(lines) * 2:
        return None
    odd = [number for number, line in enumerate(lines, 1) if len(line) != usual]
    if not odd:
        return None
    places_zh = "、".join(f"第{number}句{len(lines[number - 1])}字" for number in odd)
    places_en = ", ".join(f"line {number} has {len(lines[number - 1])}" for number in odd)
    return wording.wrong_length(
        f"像是一首{usual}字一句的诗，但{places_zh}。",
        f"This looks like a poem in lines of {usual} characters, but {places_en}.",
        odd[0],
    )
