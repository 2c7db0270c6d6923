"""Every sentence that the page itself says, in both interface languages."""

from __future__ import annotations

import re
from typing import Final

from backend.chat.outcome import Outcome
from backend.chat.plans import Change, WritePlan
from backend.errors import Language
from backend.prosody.verdict import Verdict
from backend.types import Finished, Style
from backend.ui.card_words import seal_of

_TEXTS: Final[dict[str, dict[Language, str]]] = {
    "loading": {
        "zh": "模型正在载入，稍候即可落笔。",
        "en": "The model is loading; you can write in a moment.",
    },
    "lost": {
        "zh": "与服务断开得久了，页面上先前的对话不再记得；可以照旧往下写。",
        "en": "The connection was lost for long: what the page shows from before is no longer remembered. Just go on.",
    },
    "busy": {
        "zh": "上一篇还没写完，这一条没有送出；请等它写完，或先停笔再发。",
        "en": "The last answer is still being written, so this message was not taken; wait for it or press Stop.",
    },
    "trouble": {
        "zh": "出了意外，这一条没有写成；请再发一次，若仍不行，请看运行窗口里的记录。",
        "en": "Something went wrong and this message was not answered; send it again, and if that fails see the log.",
    },
    "left_out": {
        "zh": "篇幅所限，最早的 {count} 轮对话不再带入；其余照旧。",
        "en": "To stay within the context, the first {count} turns are no longer sent along; the rest is.",
    },
    "switched": {
        "zh": "换由{name}执笔，自下一条消息起；对话照旧。",
        "en": "{name} takes the brush from the next message on; the conversation stays.",
    },
    "called": {
        "zh": "应你所请，换由{name}执笔；对话照旧。",
        "en": "At your request {name} takes the brush; the conversation stays.",
    },
    "queued": {"zh": "前面还有 {count} 位，稍候", "en": "{count} ahead of you"},
    "poem": {"zh": "诗", "en": "Poem"},
    "question": {"zh": "问", "en": "Answer"},
    "check": {"zh": "检", "en": "Check"},
    "anew": {"zh": "改第{line}句，种子 {seed}", "en": "line {line} anew, seed {seed}"},
    "was": {"zh": "原作“{old}”", "en": "was “{old}”"},
    "line_stays": {
        "zh": "这一句没有改成，诗仍是原来的样子。",
        "en": "The line was not rewritten; the poem stays as it was.",
    },
    "kept": {"zh": "守{form}{rhyme}", "en": "held to {form}{rhyme}"},
    "fits": {"zh": "合{form}{rhyme}", "en": "fits {form}{rhyme}"},
    "unkept": {"zh": "未合{form}", "en": "doesn't fit {form}"},
    "rhyme": {"zh": "押{name}", "en": ", rhyme {name}"},
    "strict": {"zh": "守律", "en": "form kept"},
    "free": {"zh": "不守律", "en": "form free"},
    "voice": {"zh": "以{name}的口吻作答", "en": "in the voice of {name}"},
    "base": {"zh": "基座模型", "en": "base model"},
    "adapter": {"zh": "适配器 {id}", "en": "adapter {id}"},
    "temperature": {"zh": "温度 {value}", "en": "temperature {value}"},
    "seed": {"zh": "种子 {value}", "en": "seed {value}"},
    "tokens": {"zh": "{count} 词元", "en": "{count} tokens"},
    "first": {"zh": "首字 {seconds} 秒", "en": "first after {seconds} s"},
    "rate": {"zh": "每秒 {rate} 词元", "en": "{rate} tokens/s"},
    "stopped": {"zh": "已停笔", "en": "stopped"},
    "failed": {"zh": "未写完", "en": "unfinished"},
    "length": {"zh": "到篇幅上限而止", "en": "ended at the longest length"},
    "omitted": {"zh": "未带入前 {count} 轮", "en": "without the first {count} turns"},
    "command_poem": {"zh": "这一条当作诗题来写", "en": "Take this message as the topic of a poem"},
    "command_check": {"zh": "看看这首诗合不合格律", "en": "Check the metre of this poem"},
    "command_question": {"zh": "这一条当作问题来答", "en": "Take this message as a question"},
}
SEPARATOR = " · "
NBSP = "\N{NO-BREAK SPACE}"
_JOINT = f"{NBSP}· "


def say(language: Language, key: str, **values: object) -> str:
    """The sentence ``key`` with its values filled in."""
    return _TEXTS[key][language].format(**values)


def style_name(style: Style, language: Language) -> str:
    """A style's name in the interface language."""
    return style.name.get(language) or style.name.get("zh") or style.id


def caption(plan: WritePlan, language: Language, *, ahead: int = 0, outcome: Outcome | None = None) -> str:
    """The line over an answer: whether it is a poem or an answer, and of what.

    Args:
        ahead: requests that are served before this one.
        outcome: of a finished poem: the form and the rhyme that it kept.
    """
    parts = [say(language, "question" if plan.poem is None else "poem")]
    if plan.poem is not None:
        form = plan.poem.form
        ordered = form.name if language == "zh" else f"{form.name} ({form.english})"
        parts.append(escape(outcome.kept(language) if outcome is not None else ordered))
        parts.append(f"《{escape(plan.poem.title)}》" if plan.poem.title else escape(plan.poem.topic))
    elif plan.style.poet:
        parts.append(say(language, "voice", name=style_name(plan.style, language)))
    if ahead:
        parts.append(say(language, "queued", count=ahead))
    return SEPARATOR.join(parts)


def check_caption(verdict: Verdict, language: Language) -> str:
    """The line over a checked poem."""
    parts = [say(language, "check"), verdict.form or "", seal_of(verdict, language)["said"]]
    return SEPARATOR.join(escape(part) for part in parts if part)


def colophon(
    plan: WritePlan,
    finished: Finished | None,
    language: Language,
    ending: str | None = None,
    outcome: Outcome | None = None,
) -> str:
    """The small line under an answer: how it was made.

    Args:
        ending: why it broke off, where it did.
        outcome: of a finished poem: whether it kept its form, and which rhyme.
    """
    adapter = plan.request.adapter
    parts = [
        style_name(plan.style, language),
        say(language, "adapter", id=escape(adapter)) if adapter else say(language, "base"),
        say(language, "temperature", value=f"{plan.options.temperature:g}"),
        say(language, "seed", value=plan.seed),
    ]
    if plan.poem is not None:
        parts.append(_keeping(plan, outcome, language))
    if finished is not None:
        usage = finished.usage
        if usage.completion_tokens:
            parts.append(say(language, "tokens", count=usage.completion_tokens))
            parts.append(say(language, "first", seconds=f"{usage.first_token_seconds:.1f}"))
        if usage.tokens_per_second:
            parts.append(say(language, "rate", rate=f"{usage.tokens_per_second:.1f}"))
        ending = {"stop": ending, "length": "length", "cancelled": "stopped"}[finished.reason]
    if ending:
        parts.append(say(language, ending))
    if plan.left_out:
        parts.append(say(language, "omitted", count=plan.left_out))
    return _JOINT.join(part.replace(" ", NBSP) for part in parts)  # lines break between the parts only


def _keeping(plan: WritePlan, outcome: Outcome | None, language: Language) -> str:
    """守七律押尤韵 of a poem that was held to its form, 合七律押尤韵 of one that kept it by itself, 未合七律."""
    if outcome is None:
        return say(language, "strict" if plan.keeps_form else "free")
    form = outcome.commission.form.name
    if not outcome.fits:
        return say(language, "unkept", form=form)
    rhyme = next(iter(outcome.verdict.rhymes.values()), "")
    named = say(language, "rhyme", name=_rhyme_name(rhyme, language)) if rhyme else ""
    return say(language, "kept" if plan.keeps_form else "fits", form=form, rhyme=named)


def _rhyme_name(rhyme: str, language: Language) -> str:
    """下平十一尤 as 尤韵 or 尤; 第七部 and 二十一 of the other books as they are."""
    if rhyme.startswith("第"):
        return rhyme
    return f"{rhyme[-1]}韵" if language == "zh" else rhyme[-1]


def told_change(line: int, seed: int, old: str, language: Language) -> str:
    """What a small line says further when one line of its poem was written anew."""
    parts = (say(language, "anew", line=line, seed=seed), say(language, "was", old=escape(old)))
    return "".join(_JOINT + part.replace(" ", NBSP) for part in parts)


def changes(change: Change, labels: dict[str, str]) -> str:
    """What a change of the sampling settings did, as ``温度 0.7 → 1.2``; empty where nothing changed."""
    parts = []
    for name, label in labels.items():
        before, after = getattr(change.before, name), getattr(change.after, name)
        if before != after:
            parts.append(f"{label} {_shown(before)} → {_shown(after)}")
    return SEPARATOR.join(parts)


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    text = "—" if value is None or value == "" else str(value)
    return text if len(text) <= 20 else text[:20] + "…"


_MARKUP = re.compile(r"([\\`*_{}\[\]()<>#+!|~:$&.-])")


def escape(text: str) -> str:
    """``text`` with every mark that Markdown would read taken literally."""
    return _MARKUP.sub(r"\\\1", text)


class Plain:
    """Keeps the page's Markdown from swallowing words after a colon (``Note:this`` would be read as a directive).

    Fed with the pieces of an answer as they come; code spans and blocks are left as they are.
    """

    _MARKS = re.compile(r"`+|:+(?=[A-Za-z])")

    def __init__(self) -> None:
        self._held = ""
        self._fence = ""  # the run of backticks that opened the code we are in

    def feed(self, piece: str) -> str:
        """The piece as it can be shown; a colon or a backtick at its end waits for what follows."""
        text = self._held + piece
        shown = text.rstrip(":`")
        self._held = text[len(shown) :]
        # a run of colons is literal unless a letter follows, so it must be read together with what comes next
        return self._MARKS.sub(self._literal, shown)

    def flush(self) -> str:
        """What still waited, at the end of the answer."""
        rest, self._held = self._held, ""
        return rest

    def _literal(self, mark: re.Match[str]) -> str:
        run = mark[0]
        if run[0] == ":":
            return run if self._fence else run.replace(":", "\\:")
        if not self._fence:
            self._fence = run
        elif run == self._fence:
            self._fence = ""
        return run
