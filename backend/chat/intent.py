"""What a message asks for: a poem (its form, topic, rhyme and poet), a check of one, or an answer. Rules, not a model:
the writer sees the result and can force another."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from backend.chat.form_words import ANY_CI, take_form, take_ordered_tune
from backend.chat.orders import is_asking, orders_poem
from backend.chat.pasted import read_check
from backend.chat.topics import tidy, topic_of
from backend.chat.wishes import Wishes, take_length, take_wishes
from backend.prosody.tables import to_simplified

Kind = Literal["poem", "question", "check"]

POEM_COMMAND = "诗"
QUESTION_COMMAND = "问"
CHECK_COMMAND = "检"
MAX_READ = 600  # characters of a message that are read for an order; what is longer is a text, with a word before it


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What to do with a message. What the writer left open is None."""

    kind: Kind
    form: str | None = None  # a name such as 七律, 水调歌头 or 词 (a ci of whatever tune)
    title: str | None = None  # of a poem
    theme: str | None = None  # of a poem, in the place of a title
    num_lines: int | None = None  # of a form that leaves it open
    wishes: Wishes = field(default_factory=Wishes)
    style: str | None = None  # id of the style whose poet is asked to write
    again: bool = False  # another poem on the last one's topic
    forced: bool = False  # by a command
    pasted: str = ""  # the text to check; empty where it is the last poem

    @property
    def topic(self) -> str | None:
        """The title or the theme."""
        return self.title or self.theme


_QUOTED = re.compile(r"《[^》]*》|“[^”]*”|「[^」]*」|\"[^\"]*\"")
_SINGING = re.compile(r"^(?:咏|赋得|题)\S{1,8}$")
_AGAIN = re.compile(
    r"(?:再|又|另)(?:写|来|作|赋|填)?\s*[一1]\s*[首篇阕]|换一[首阕]|\b(?:another (?:one|poem|quatrain|ci)|one more)\b",
    re.I,
)

_REMARK = re.compile(r"不要|别|要|更|这次|换")  # on the last poem, no topic of the next: 换一首，不要那么悲
_HEADS = re.compile("[一-鿿]{2}(?:[一-鿿]{2})?(?:[一-鿿]{4})?")


def read_intent(text: str, *, command: str | None = None, poets: Mapping[str, Sequence[str]] | None = None) -> Intent:
    """Decide what ``text`` asks for.

    ``command`` is 诗, 问 or 检 where the writer forced it; ``poets`` maps style ids to the names their poet goes by.
    """
    if command == QUESTION_COMMAND:
        return Intent(kind="question", forced=True)
    forced_poem = command == POEM_COMMAND
    check = None if forced_poem else read_check(text, forced=command == CHECK_COMMAND)
    if check is not None:
        book = check.book and Wishes(book=check.book)
        return Intent(
            kind="check",
            form=check.form,
            wishes=book or Wishes(),
            forced=command == CHECK_COMMAND,
            pasted=check.poem,
        )
    sentence = to_simplified(" ".join(text[: 2 * MAX_READ].split()))[:MAX_READ]
    style, addressed = _take_poet(sentence, poets or {})
    wishes, wish = take_wishes(addressed)
    wish = wish.replace("诗词", "诗")
    hides_heads = wishes.acrostic is None and "藏头" in wish  # 以“春暖花开”为题写一首藏头诗
    wish = wish.replace("藏头", "")
    again = bool(_AGAIN.search(wish))
    ordered = _orders_poem(wish) or (wishes.acrostic is not None and not is_asking(wish))
    if not (forced_poem or again or ordered):
        return Intent(kind="question")
    if _SINGING.match(wish):
        return Intent(kind="poem", theme=wish, style=style, wishes=wishes, forced=forced_poem)
    form, rest = take_form(wish)
    num_lines = None
    if form is not None and form[-1] in "排古":
        num_lines, rest = take_length(rest)
    if forced_poem and not again and not ordered:
        topic, is_title = tidy(rest), False  # the message is the topic
    else:
        if again:
            rest = _AGAIN.sub("", rest).lstrip("，, ").removeprefix("写")
        topic, is_title = topic_of(rest)
        topic = None if again and _REMARK.match(topic or "") else topic
    if hides_heads and topic and _HEADS.fullmatch(topic):
        wishes = replace(wishes, acrostic=topic)
    if len(wishes.acrostic or "") == 4 and form in ("五律", "七律") and "律" not in wish:
        form = f"{form[0]}绝"  # 五言, with a character for each line
    intent = Intent(
        kind="poem",
        form=form,
        theme=topic,
        num_lines=num_lines,
        wishes=wishes,
        style=style,
        again=again,
        forced=forced_poem,
    )
    return replace(intent, title=topic, theme=None) if is_title else intent


def _orders_poem(wish: str) -> bool:
    tune, rest = take_ordered_tune(wish)  # it may stand in the marks of a title
    form, bare = take_form(_QUOTED.sub("《》", rest))
    return bool(_SINGING.match(bare)) or orders_poem(bare, has_form=(tune or form) is not None)


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


__all__ = ["ANY_CI", "CHECK_COMMAND", "POEM_COMMAND", "QUESTION_COMMAND", "Intent", "Kind", "read_intent"]
