"""The form that a sentence names, in Chinese or English: 七言律诗, 填一首水调歌头, a five-character quatrain."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from backend.prosody.catalog import find_tune
from backend.prosody.ci import tunes
from backend.prosody.tables import to_simplified

ANY_CI = "词"  # a ci of whatever tune
DEFAULT_FORM = "七律"
DEFAULT_TUNE = "浣溪沙"  # the commonest of Song ci

_PER_LINE = r"[- ](?:character|syllable|word)s?\b"
_REGULATED = r"(?: (?:regulated verse|lüshi|lushi)\b)?"
_SHI: tuple[tuple[re.Pattern[str], str | None], ...] = (
    (re.compile(r"([五七57])\s*言?\s*(绝|律|排|古)(?:句|诗|体诗|风|律|体)?"), None),  # read from its groups
    (re.compile(r"五言诗?"), "五律"),
    (re.compile(r"七言诗?"), "七律"),
    (re.compile(r"排律"), "五排"),
    (re.compile(r"绝句"), "七绝"),
    (re.compile(r"律诗"), "七律"),
    (re.compile(r"古风|古体诗?"), "五古"),
    (re.compile(r"\bwu\s?jue\b", re.I), "五绝"),
    (re.compile(r"\bqi\s?jue\b", re.I), "七绝"),
    (re.compile(r"\bwu\s?l[üuv]\b", re.I), "五律"),
    (re.compile(r"\bqi\s?l[üuv]\b", re.I), "七律"),
    (re.compile(r"\b(?:five|5)" + _PER_LINE + r"[- ](?:quatrain|jueju)", re.I), "五绝"),
    (re.compile(r"\b(?:five|5)" + _PER_LINE + r"[- ](?:extended regulated verse|pail[üu])", re.I), "五排"),
    (re.compile(r"\b(?:five|5)" + _PER_LINE + r"[- ]old[- ]style(?: verse| poem)?", re.I), "五古"),
    (re.compile(r"\b(?:five|5)" + _PER_LINE + _REGULATED, re.I), "五律"),
    (re.compile(r"\b(?:seven|7)" + _PER_LINE + r"[- ](?:quatrain|jueju)", re.I), "七绝"),
    (re.compile(r"\b(?:seven|7)" + _PER_LINE + r"[- ](?:extended regulated verse|pail[üu])", re.I), "七排"),
    (re.compile(r"\b(?:seven|7)" + _PER_LINE + r"[- ]old[- ]style(?: verse| poem)?", re.I), "七古"),
    (re.compile(r"\b(?:quatrain|jueju)\b", re.I), "七绝"),
    (re.compile(r"\bextended regulated verse\b|\bpail[üu]\b", re.I), "五排"),
    (
        re.compile(r"\b(?:seven|7)" + _PER_LINE + _REGULATED + r"|\bregulated verse\b|\bl[üu]shi\b", re.I),
        DEFAULT_FORM,
    ),
    (re.compile(r"\bold[- ]style (?:verse|poem)", re.I), "五古"),
)
_DIGITS = {"5": "五", "7": "七"}

# Tunes that are asked for now and then and have no template yet: a wish for one is told so, not taken for a topic.
_MISSING = """
莺啼序 雨霖铃 声声慢 扬州慢 摸鱼儿 钗头凤 望海潮 桂枝香 武陵春 渔歌子 相见欢 乌夜啼 齐天乐 兰陵王 瑞鹤仙 风入松
祝英台近 洞仙歌 太常引 暗香 疏影 六丑 满路花 霜天晓角 眼儿媚 少年游 柳梢青 人月圆 最高楼 木兰花慢 喜迁莺 昭君怨
捣练子 荷叶杯 调笑令 望江东 烛影摇红 高阳台 解语花 琐窗寒 汉宫春 御街行 河传 唐多令 金人捧露盘 巫山一段云
"""
MISSING_TUNES = tuple(_MISSING.split())
_VERB = r"(?:填|谱|(?:写|作|赋|吟|来|题|要|做|创作)(?:上|个)?)\s*(?:[一两1]?\s*[首阕支篇])?\s*"
_NAMING = r"(?:词牌名?|曲牌|调名|调)(?:用|是|为|：|:)?\s*|调寄|[用以按依照]\s*"
_AFTER_TUNE = r"(?=$|[\s·・:：,，。.!！？?、；;《（(的吧]|[写咏以题押用填作赋](?!的)|词(?![牌人句])|关于|送|赠|献给)"
_TO_THE_TUNE = re.compile(r"\bto the tune(?: of)?\s+[《“\"']?([A-Za-z ]{3,30}|[一-鿿]{2,6})[》”\"']?", re.I)
_FILLED = re.compile(r"填[一1两]?\s*[首阕支]\s*((?!词)[一-鿿]{3,6}?)(?=$|[\s·:：,，。!！]|吧$)")
_NO_TUNE = re.compile(r"词$|关于|的|[写咏]")
_A_CI = re.compile(r"((?:[首阕]|填)[^，。；：]{0,20}?)词(?![语典汇牌人句组])")
_CI_ENGLISH = re.compile(r"\b(?:song )?(?:ci|lyrics?)(?: poem)?\b", re.I)


def take_form(text: str) -> tuple[str | None, str]:
    """The form that is named, and the text with 诗 (or ``poem``) in its place. A tune that the catalogue lacks is
    given as it was named; :data:`ANY_CI` is a ci without a tune."""
    for take in (take_ordered_tune, _take_shi, _take_bare_tune, _take_any_ci):
        form, rest = take(text)
        if form is not None:
            return form, rest
    return None, text


def take_ordered_tune(text: str) -> tuple[str | None, str]:
    """A tune that is ordered, in its marks or without: 填一首水调歌头, 用《念奴娇》写中秋, to the tune Shui Diao Ge
    Tou; and 填一首 with a name that no tune has."""
    found = _TO_THE_TUNE.search(text)
    if found:
        spelled = _patterns().spelled.match(found[1])
        end = found.start(1) + spelled.end() if spelled else found.end()
        rest = _CI_ENGLISH.sub(" poem ", f"{text[: found.start()]} {text[end:]}")
        named = _by_pinyin(spelled[0]) if spelled else _canonical(found[1].strip())
        return named, rest if " poem " in rest else f"{rest} poem "
    found = _patterns().ordered.search(text)
    if found and (found["verb"] or "").startswith(("填", "谱")):
        return _canonical(found["verb_tune"]), _put(text, found.start("quoted"), found.end(), "诗")
    if found and not _names_shi(text):
        if found["verb"]:
            return _canonical(found["verb_tune"]), _put(text, found.start("quoted"), found.end(), "诗")
        rest = _A_CI.sub(r"\1诗", text[: found.start()] + text[found.end() :].removeprefix("的"))
        return _canonical(found["named"]), rest if "诗" in rest else f"填一首诗，{rest}"
    found = _FILLED.search(text)
    if found and not _NO_TUNE.search(found[1]) and not _names_shi(text):
        return _canonical(found[1]), _put(text, found.start(1), found.end(1), "诗")
    return None, text


def _names_shi(text: str) -> bool:
    return "诗" in text or _take_shi(text)[0] is not None


def _take_shi(text: str) -> tuple[str | None, str]:
    for pattern, form in _SHI:
        found = pattern.search(text)
        if found:
            return form or _DIGITS.get(found[1], found[1]) + found[2], _put(text, found.start(), found.end(), found[0])
    return None, text


def _take_bare_tune(text: str) -> tuple[str | None, str]:
    """A tune at the head of a text, or at its end behind a topic; or one in Pinyin, anywhere."""
    found = _patterns().bare.search(text)
    if found and "诗" not in text:
        return _canonical(found[1] or found[2]), _put(text, found.start(), found.end(), "诗")
    found = _patterns().spelled.search(text)
    if found:
        return _by_pinyin(found[0]), _put(text, found.start(), found.end(), "poem")
    return None, text


def _take_any_ci(text: str) -> tuple[str | None, str]:
    found = _A_CI.search(text)
    if found and "诗" not in text:
        return ANY_CI, text[: found.start()] + found[1] + "诗" + text[found.end() :]
    found = _CI_ENGLISH.search(text)
    return (ANY_CI, _put(text, found.start(), found.end(), "poem")) if found else (None, text)


def _put(text: str, start: int, end: int, named: str) -> str:
    """The text with the word for poem between two places, in the language of ``named``."""
    generic = " poem " if named.isascii() or "ü" in named.lower() else "诗"
    return text[:start] + generic + text[end:]


@dataclass(frozen=True, slots=True)
class _Patterns:
    ordered: re.Pattern[str]
    bare: re.Pattern[str]
    spelled: re.Pattern[str]  # in Pinyin


@cache
def _patterns() -> _Patterns:
    known = [name for tune in tunes() for name in (tune.name, *tune.aliases)]
    names = _any_of({*known, *MISSING_TUNES})
    plain = _any_of({name for name in known if len(name) > 2})
    return _Patterns(
        re.compile(
            rf"(?:(?P<verb>{_VERB})(?P<quoted>[《“]?(?P<verb_tune>{names})[》”]?)|"
            rf"(?:{_NAMING})[《“]?(?P<named>{names})[》”]?(?:(?:的|这个?|这一|[为作])?(?:词牌|曲牌|调子|格律|调))?)(?:一[首阕])?{_AFTER_TUNE}"
        ),
        re.compile(rf"^《?({plain})》?(?=$|[\s·・:：,，]|\S{{1,8}}$)|(?<=[\s·・（(《])({plain})(?=[）)》]?$)"),
        re.compile(rf"\b(?:{_any_of(set(_by_spelling()), r'[ -]?')})\b", re.I),
    )


def _any_of(names: set[str], space: str = " ") -> str:
    """A pattern for the names, the longest first."""
    return "|".join(re.escape(name).replace(r"\ ", space) for name in sorted(names, key=lambda n: (-len(n), n)))


@cache
def _by_spelling() -> dict[str, str]:
    """Tunes by their names in Pinyin."""
    return {tune.english.rpartition("tune ")[2]: tune.name for tune in tunes()}


def _by_pinyin(spelled: str) -> str:
    def letters(name: str) -> str:
        return re.sub(r"[^a-z]", "", name.lower())

    return next(tune for name, tune in _by_spelling().items() if letters(name) == letters(spelled))


def _canonical(name: str) -> str:
    tune = find_tune(name)
    return tune.name if tune is not None else to_simplified(name)
