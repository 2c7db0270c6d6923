"""What a poem is about: the title or theme that a request names, once form and wishes are taken out of it."""

from __future__ import annotations

import re

from backend.chat.orders import LEAD, ORDERED, VERB_AND_POEM

MAX_TOPIC_CHARS = 30

_TITLE = re.compile(r"《([^》]+)》")
_SHAPES = tuple(
    re.compile(shape, re.I)
    for shape in (
        r"以[“\"「']?([^，。]+?)[”\"」']?为(?:题|主题|名)",
        r"(?:(?:题目|标题|主题|题)(?:是|为|叫|：|:)|[，,]\s*(?:题目|标题|主题)(?:是|为|叫|：|:)?|内容(?:是|为|：|:))\s*[“\"「]?([^，。”\"」]+)",
        r"\b(?:titled|called|entitled)\s+[\"“']?([^\"”'.,!?]+)",
        r"[“\"「]([^”\"」]+)[”\"」]",
        r"诗[，,]\s*写([^，。！？]+)",
        r"(?:关于|有关|描写|描绘|吟咏|歌颂|赞美|咏|写给|献给|送给)([^，。！？]+?)(?:的?(?:诗|吧|$)|[，。！？])",
        r"(?:首|篇|阕)([^，。！？首篇阕]+?)的诗",
        r"\b(?:about|on the theme of|on the topic of|on|for)\s+(.+?)"
        r"(?:[.,!?]|\bin (?:five|seven|the|classical|chinese)\b|\bas a\b|\bplease\b| poem |$)",
    )
)
_ORDER = re.compile(
    LEAD + r"(?:能不能|能否|可以|可否)?(?:请?你|请)?(?:帮我|给我|为我|替我)?"
    r"(?:写|作|赋|吟|填|谱|做|创作|来|题|要)(?:上|个)?(?:[一两二三1]?\s*[首篇阕支个])?"
)
_TRAILING = re.compile(r"(?:吗|么|吧|呢|可以吗|好吗|好不好|[。！？，,.!?\s])+$")
_ENGLISH_FILLER = re.compile(
    r"\b(?:that rhymes|with rhymes?)\b|"
    r"\b(?:please|write|compose|give|make|create|me|a|an|the|another|one more|poems?|verse|chinese|classical)\b|"
    r"\b(?:can|could|would|you|i|want|like|need|to|for)\b",
    re.I,
)
_EDGES = " \t，。！？、；：,.!?;:·-—～~（）()“”\"'「」"


def topic_of(text: str) -> tuple[str | None, bool]:
    """The topic that ``text`` names (a title in its marks, an "about", or what is left without the filling), and
    whether it is a title. A title is what stands in 《》; anything else is a theme."""
    found = _TITLE.search(text)
    if found and (title := found[1].strip(_EDGES)):
        return title[:MAX_TOPIC_CHARS], True
    for shape in _SHAPES:
        found = shape.search(text)
        if found and (topic := found[1].strip(_EDGES)):
            return topic[:MAX_TOPIC_CHARS], False
    left = _TRAILING.sub("", _ENGLISH_FILLER.sub(" ", text) if text.isascii() else text)
    if ORDERED.search(left) or VERB_AND_POEM.search(left):
        left = _ORDER.sub("", left, count=1)
    return tidy(left), False


def tidy(topic: str) -> str | None:
    """A topic without the word for poem at either end; None where nothing is left."""
    topic = re.sub(r"^(?:poem\b|诗歌?)|(?:\bpoem|的?诗歌?)$", "", topic.strip(_EDGES), flags=re.I).strip(_EDGES)
    return " ".join(topic.removesuffix("的").strip(_EDGES)[:MAX_TOPIC_CHARS].split()) or None
