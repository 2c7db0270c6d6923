"""Does a sentence order a poem? Read with the form already replaced by 诗 or ``poem``, and quotations by 《》."""

from __future__ import annotations

import re

LEAD = (
    r"^(?:请问?|能不能|能否|可否|可不可以|可以|能|(?:请|让|由)\S{1,3}(?=写|作|赋|吟|填)|"
    r"麻烦|帮忙|帮我|帮|给我|为我|替我|我要|我想要?|你|再|也|就|来|，|,|\s)*"
)
ORDERED = re.compile(
    LEAD + r"(?:写|作|赋|吟|做|创作|来|题|要|填|谱)(?:上|个)?(?:(?<=填)|(?<=谱)|[一两二三1]?\s*(?:首|篇|阕))"
)
VERB_AND_POEM = re.compile(LEAD + r"(?:写|作|赋|吟|创作|做|填|谱).*(?:诗(?![很真太最难要需是有人词])|[绝律古])")

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
    r"(?:能不能|能否|可否|可不可以|能|可以)[^，。？?]{0,8}(?:写|作|赋|吟|来|填)|"
    r"^(?:can|could|would|will) you\b.*\b(?:write|compose|make|give)",
    re.I,
)
_BARE = re.compile(
    r"^诗$|^(?:诗|poem)\s*(?:[\s·・:：,，-]\s*\S.{0,20}|《.{1,20})$|^.{1,20}(?:[\s·・:：,，（(]|》)\s*诗[）)]?$|"
    r"^诗[^真难是的怎要应很不有和与最好格太讲我你他这那写]\S{0,7}$",
    re.I,
)  # a form with a topic and nothing else
_TITLED = re.compile(r"以.{1,40}为题")
_ENGLISH_POEM = re.compile(r"\b(?:poem|poems|verse|quatrain|jueju|l[üu]shi|poetry|acrostic)\b", re.I)
_ENGLISH_WISH = re.compile(
    r"\b(?:write|compose|give|make|create|want|like|need|please)\b|^(?:a|an|another|one more)\b|"
    r"\b(?:poem|quatrain|verse) (?:about|on)\b",
    re.I,
)


def orders_poem(bare: str, *, has_form: bool) -> bool:
    """Whether the sentence is an order. ``has_form``: it named a form, which is 诗 or ``poem`` in it now."""
    names_poem = has_form or "诗" in bare or bool(_ENGLISH_POEM.search(bare))
    if _ABOUT_CRAFT.search(bare) or (_ABOUT_TEXTS.search(bare) and not _TITLED.search(bare)):
        return False
    ordered = ORDERED.search(bare)
    if ordered and (names_poem or "首" in bare or "阕" in bare) and not _asks_about(bare, ordered):
        return True
    if is_asking(bare):
        return False
    if VERB_AND_POEM.search(bare) or _TITLED.search(bare):
        return True
    if has_form and _BARE.match(bare.strip()):
        return True
    return bool(_ENGLISH_POEM.search(bare) and _ENGLISH_WISH.search(bare))


def is_asking(bare: str) -> bool:
    """Whether the sentence is a question, and no polite order."""
    return bool(_ASKING.search(bare)) and not _POLITE.search(bare)


def _asks_about(bare: str, ordered: re.Match[str]) -> bool:
    """Filling without a number is as often spoken of as ordered: 填词难吗."""
    return ordered[0][-1] in "填谱" and bool(_ASKING.search(bare))
