"""What a message asks for: a poem (its form, topic and poet) or an answer. Rules, not a model: the writer sees the
result and can force the other one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["poem", "question"]

POEM_COMMAND = "诗"
QUESTION_COMMAND = "问"
UNTITLED = "无题"
MAX_TOPIC_CHARS = 30


@dataclass(frozen=True, slots=True)
class Form:
    """A form that adapters were trained with, such as 七言律诗."""

    characters: Literal["五言", "七言"]
    kind: Literal["绝句", "律诗", "古诗"]

    @property
    def name(self) -> str:
        """The name in the trained prompt."""
        return self.characters + self.kind

    @property
    def english(self) -> str:
        """What an English reader calls it."""
        line = "five-character" if self.characters == "五言" else "seven-character"
        return f"{line} {_ENGLISH_KINDS[self.kind]}"


_ENGLISH_KINDS = {"绝句": "quatrain", "律诗": "regulated verse", "古诗": "old-style verse"}
DEFAULT_FORM = Form("七言", "律诗")


@dataclass(frozen=True, slots=True)
class Intent:
    """What to do with a message."""

    kind: Kind
    form: Form | None = None  # of a poem; None where the writer named none
    topic: str | None = None  # of a poem; None where the writer named none
    style: str | None = None  # id of the style whose poet is asked to write
    again: bool = False  # another poem on the last one's topic
    forced: bool = False  # by a command

    def following(self, previous: Intent | None) -> Intent:
        """The same wish with what it leaves open taken from the poem before it, or from the defaults."""
        earlier = previous if self.again and previous is not None and previous.kind == "poem" else None
        return replace(
            self,
            form=self.form or (earlier.form if earlier else None) or DEFAULT_FORM,
            topic=self.topic or (earlier.topic if earlier else None) or UNTITLED,
        )


_CHARACTERS: dict[str, Literal["五言", "七言"]] = {"五": "五言", "5": "五言", "七": "七言", "7": "七言"}
_KINDS: dict[str, Literal["绝句", "律诗", "古诗"]] = {"绝": "绝句", "律": "律诗", "古": "古诗"}
_PER_LINE = r"[- ](?:character|syllable|word)s?\b(?: (?:regulated verse|lüshi|lushi)\b)?"
_FORM_WORDS: tuple[tuple[re.Pattern[str], Form | None], ...] = (
    (re.compile(r"([五七57])\s*言?\s*(绝|律|古)(?:句|诗|体诗|风|体)?"), None),  # read from its groups
    (re.compile(r"五言诗?"), Form("五言", "律诗")),
    (re.compile(r"七言诗?"), Form("七言", "律诗")),
    (re.compile(r"绝句"), Form("七言", "绝句")),
    (re.compile(r"律诗"), Form("七言", "律诗")),
    (re.compile(r"古风|古体诗?"), Form("五言", "古诗")),
    (re.compile(r"\bwu\s?jue\b", re.I), Form("五言", "绝句")),
    (re.compile(r"\bqi\s?jue\b", re.I), Form("七言", "绝句")),
    (re.compile(r"\bwu\s?l[üuv]\b", re.I), Form("五言", "律诗")),
    (re.compile(r"\bqi\s?l[üuv]\b", re.I), Form("七言", "律诗")),
    (re.compile(r"\b(?:five|5)" + _PER_LINE + r"[- ](?:quatrain|jueju)", re.I), Form("五言", "绝句")),
    (re.compile(r"\b(?:five|5)" + _PER_LINE, re.I), Form("五言", "律诗")),
    (re.compile(r"\b(?:seven|7)" + _PER_LINE + r"[- ](?:quatrain|jueju)", re.I), Form("七言", "绝句")),
    (re.compile(r"\b(?:quatrain|jueju)\b", re.I), Form("七言", "绝句")),
    (re.compile(r"\b(?:seven|7)" + _PER_LINE + r"|\bregulated verse\b|\bl[üu]shi\b", re.I), DEFAULT_FORM),
    (re.compile(r"\bold[- ]style (?:verse|poem)", re.I), Form("五言", "古诗")),
)

_QUOTED = re.compile(r"《[^》]*》|“[^”]*”|「[^」]*」|\"[^\"]*\"")
_ABOUT_TEXTS = re.compile(
    r"改写|改成|改为|翻译|译成|润色|修改|续写|赏析|解释|分析|点评|评价|比较|区别|含义|意思|讲讲|说说|谈谈|介绍|"
    r"\b(?:rewrite|translate|explain|analy[sz]e|compare|paraphrase|summari[sz]e|meaning|difference)\b",
    re.I,
)
_ABOUT_CRAFT = re.compile(r"(?:诗|绝|律|绝句|词)(?:的(?:步骤|方法|技巧|规则|要求|格律)|需要|要注意|应该|难吗|有多难)")
_ASKING = re.compile(
    r"什么|怎么|怎样|如何|为何|何时|何处|谁|哪|几首|多少|是不是|有没有|吗|呢|？|\?|"
    r"^(?:how|what|why|who|when|where|which|is|are|was|were|did|do|does)\b",
    re.I,
)
_POLITE = re.compile(
    r"(?:能不能|能否|可否|可不可以|能|可以)[^，。？?]{0,8}(?:写|作|赋|吟|来)|"
    r"^(?:can|could|would|will) you\b.*\b(?:write|compose|make|give)",
    re.I,
)
_LEAD = (
    r"^(?:请问?|能不能|能否|可否|可不可以|可以|能|(?:请|让|由)\S{1,3}(?=写|作|赋|吟)|"
    r"麻烦|帮忙|帮我|帮|给我|为我|替我|我要|我想要?|你|再|也|就|来|，|,|\s)*"
)
_ORDERED = re.compile(_LEAD + r"(?:写|作|赋|吟|做|创作|来|题|要)(?:上|个)?[一两二三1]?\s*(?:首|篇|阕)")
_VERB_AND_POEM = re.compile(_LEAD + r"(?:写|作|赋|吟|创作|做).*(?:诗(?![很真太最难要需是有人词])|[绝律古])")
_BARE = re.compile(
    r"^诗$|^(?:诗|poem)\s*(?:[\s·・:：,，-]\s*\S.{0,20}|《.{1,20})$|^.{1,20}(?:[\s·・:：,，（(]|》)\s*诗[）)]?$|"
    r"^诗[^真难是的怎要应很不有和与最好格太讲]\S{0,5}$",
    re.I,
)  # a form with a topic and nothing else
_TITLED = re.compile(r"以.{1,40}为题")
_SINGING = re.compile(r"^(?:咏|赋得|题)\S{1,8}$")
_AGAIN = re.compile(
    r"(?:再|又|另)(?:写|来|作|赋)?\s*[一1]\s*[首篇]|换一首|\b(?:another (?:one|poem|quatrain)|one more)\b", re.I
)
_CI = re.compile(r"填.{0,6}词|[一1]\s*[首阕].*词$|的词\b|词牌")
_ENGLISH_POEM = re.compile(r"\b(?:poem|poems|verse|quatrain|jueju|l[üu]shi|poetry)\b", re.I)
_ENGLISH_WISH = re.compile(
    r"\b(?:write|compose|give|make|create|want|like|need|please)\b|^(?:a|an|another|one more)\b|"
    r"\b(?:poem|quatrain|verse) (?:about|on)\b",
    re.I,
)


def read_intent(text: str, *, command: str | None = None, poets: Mapping[str, Sequence[str]] | None = None) -> Intent:
    """Decide what ``text`` asks for.

    ``command`` is 诗 or 问 where the writer forced it; ``poets`` maps style ids to the names their poet goes by.
    """
    wish = " ".join(text.split())
    poets = poets or {}
    if command == QUESTION_COMMAND:
        return Intent("question", forced=True)
    again = bool(_AGAIN.search(wish))
    if command != POEM_COMMAND and not (again and not _CI.search(wish)) and not _asks_for_poem(wish, poets):
        return Intent("question")
    style, rest = _take_poet(wish, poets)
    if _SINGING.match(rest):
        return Intent("poem", None, rest, style, forced=command == POEM_COMMAND)
    form, rest = _take_form(rest)
    if command == POEM_COMMAND and not again and not _asks_for_poem(wish, poets):
        return Intent("poem", form, _tidy(rest), style, forced=True)  # the message is the topic
    topic = _topic_of(_AGAIN.sub("", rest) if again else rest)
    return Intent("poem", form, topic, style, again, forced=command == POEM_COMMAND)


def _asks_for_poem(wish: str, poets: Mapping[str, Sequence[str]]) -> bool:
    bare = _QUOTED.sub("《》", _take_poet(wish, poets)[1])
    has_form = _take_form(bare)[0] is not None
    names_poem = "诗" in bare or has_form or bool(_ENGLISH_POEM.search(bare))
    if _CI.search(bare) and not names_poem:
        return False
    if _ABOUT_CRAFT.search(bare) or (_ABOUT_TEXTS.search(bare) and not _TITLED.search(bare)):
        return False
    if _ORDERED.search(bare) and (names_poem or "首" in bare):
        return True
    if _ASKING.search(bare) and not _POLITE.search(bare):
        return False
    if _VERB_AND_POEM.search(bare) or _TITLED.search(bare) or _SINGING.match(bare):
        return True
    if has_form and _BARE.match(_take_form(bare)[1].strip()):
        return True
    return bool(_ENGLISH_POEM.search(bare) and _ENGLISH_WISH.search(bare))


def _take_form(text: str) -> tuple[Form | None, str]:
    """The form that is named, and the text with 诗 (or ``poem``) in its place."""
    for pattern, form in _FORM_WORDS:
        found = pattern.search(text)
        if found:
            named = form or Form(_CHARACTERS[found[1]], _KINDS[found[2]])
            generic = " poem " if found[0].isascii() or "ü" in found[0].lower() else "诗"
            return named, text[: found.start()] + generic + text[found.end() :]
    return None, text


_ADDRESSED = (
    r"(?:^|(?:请|让|由|用|以|按|照|学|仿|模仿)\s*){name}(?:先生)?(?:的?(?:风格|口吻|笔法|笔调|语气|手法|样子)|体)?(?:来|为题?我|给我|，|,|、|：|\s)*",
    r"(?:像|如)?{name}(?:先生)?(?:的?(?:风格|口吻|笔法|笔调|语气|手法|样子)|那样)的?",
)
_ADDRESSED_ENGLISH = (
    r",?\s*\bin (?:the )?(?:style|voice|manner) of {name}\b",
    r",?\s*\bin {name}'s (?:style|voice|manner)\b",
    r",?\s*\b(?:by|as|like) {name}\b",
    r"^(?:dear )?{name}\s*[,:]\s*",
    r"^(?:let|have|ask) {name}(?: to)?\s+",
)


def _take_poet(text: str, poets: Mapping[str, Sequence[str]]) -> tuple[str | None, str]:
    """The style whose poet is asked to write (not merely spoken of), and the text without that."""
    for style, names in poets.items():
        for name in names:
            shapes = _ADDRESSED_ENGLISH if name.isascii() else _ADDRESSED
            for shape in shapes:
                found = re.search(shape.format(name=re.escape(name)), text, re.I)
                if found:
                    return style, (text[: found.start()] + " " + text[found.end() :]).strip()
    return None, text


_TOPIC_SHAPES = tuple(
    re.compile(shape, re.I)
    for shape in (
        r"《([^》]+)》",
        r"以[“\"「']?([^，。]+?)[”\"」']?为(?:题|主题|名)",
        r"(?:题目|标题|主题|题)(?:是|为|叫|：|:)\s*[“\"「]?([^，。”\"」]+)",
        r"\b(?:titled|called|entitled)\s+[\"“']?([^\"”'.,!?]+)",
        r"[“\"「]([^”\"」]+)[”\"」]",
        r"诗[，,]\s*写([^，。！？]+)",
        r"(?:关于|有关|描写|描绘|吟咏|歌颂|赞美|咏|写给|献给|送给)([^，。！？]+?)(?:的?(?:诗|吧|$)|[，。！？])",
        r"(?:首|篇)([^，。！？首篇]+?)的诗",
        r"\b(?:about|on the theme of|on the topic of|on|for)\s+(.+?)"
        r"(?:[.,!?]|\bin (?:five|seven|the|classical|chinese)\b|\bas a\b|\bplease\b| poem |$)",
    )
)
_ORDER = re.compile(
    _LEAD + r"(?:能不能|能否|可以|可否)?(?:请?你|请)?(?:帮我|给我|为我|替我)?"
    r"(?:写|作|赋|吟|做|创作|来|题|要)(?:上|个)?(?:[一两二三1]?\s*[首篇个])?"
)
_TRAILING = re.compile(r"(?:吗|么|吧|呢|可以吗|好吗|好不好|[。！？，,.!?\s])+$")
_ENGLISH_FILLER = re.compile(
    r"\b(?:please|write|compose|give|make|create|me|a|an|the|another|one more|poems?|verse|chinese|classical)\b|"
    r"\b(?:can|could|would|you|i|want|like|need|to|for)\b",
    re.I,
)
_EDGES = " \t，。！？、；：,.!?;:·-—～~（）()“”\"'「」"


def _topic_of(text: str) -> str | None:
    """The topic that ``text`` names: a title in its marks, an "about", or what is left without the filling."""
    for shape in _TOPIC_SHAPES:
        found = shape.search(text)
        if found and (topic := found[1].strip(_EDGES)):
            return topic[:MAX_TOPIC_CHARS]
    left = _TRAILING.sub("", _ENGLISH_FILLER.sub(" ", text) if text.isascii() else text)
    if _ORDERED.search(left) or _VERB_AND_POEM.search(left):
        left = _ORDER.sub("", left, count=1)
    return _tidy(left)


def _tidy(topic: str) -> str | None:
    """A topic without the word for poem at either end; None where nothing is left."""
    topic = re.sub(r"^(?:poem\b|诗歌?)|(?:\bpoem|的?诗歌?)$", "", topic.strip(_EDGES), flags=re.I).strip(_EDGES)
    return " ".join(topic.removesuffix("的").strip(_EDGES)[:MAX_TOPIC_CHARS].split()) or None
