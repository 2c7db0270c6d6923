"""The checker's sentences, Chinese and English side by side."""

from __future__ import annotations

from backend.prosody.rhyming import Slot
from backend.prosody.verdict import Finding, Severity

TONES_ZH = {"P": "平", "Z": "仄"}
TONES_EN = {"P": "level", "Z": "oblique"}
TONE_NAMES = {"平": "level", "上": "rising", "去": "departing", "入": "entering"}
_OPENINGS = {"P": ("平起", "level opening"), "Z": ("仄起", "oblique opening")}
_ENDINGS = {"P": ("平收", "level ending"), "Z": ("仄收", "oblique ending")}

_LICENCES = {
    "special": (
        "特拗句式：用“平平仄平仄”代“平平平仄仄”，合律。",
        "a licensed pattern, 平平仄平仄 in the place of 平平平仄仄; it fits.",
    ),
    "self-saved": (
        "本句自救：前面该平处用仄，后面补一平声，免犯孤平，合律。",
        "saved within the line: an oblique where a level was due is made good two characters later; it fits.",
    ),
    "couplet-saved": (
        "对句相救：本句倒数第二字拗，下句倒数第三字用平声救，合律。",
        "saved by the next line: the last but one is irregular, and the next line's last but two is level; it fits.",
    ),
}
_FAULTS = {
    "lone-level": (
        "犯孤平：除韵脚外只剩一个平声，这是近体诗的大忌。",
        "a lone level (孤平): besides the rhyme only one level tone is left, the gravest fault of regulated verse.",
    ),
    "three-level": ("犯三平尾：句末三字都是平声。", "three level tones at the end of the line (三平尾)."),
    "unsaved": (
        "倒数第二字拗，而下句没有用平声相救。",
        "the last but one is irregular, and the next line does not save it.",
    ),
}


def type_name(pattern: str, line_type: str) -> tuple[str, str]:
    """(Chinese, English) name of a regulated line: 平起仄收."""
    if not line_type:
        return "", ""
    opening, ending = _OPENINGS[pattern[1]], _ENDINGS["P" if line_type.isupper() else "Z"]
    return opening[0] + ending[0], f"{opening[1]}, {ending[1]}"


def licence(name: str, line: int) -> Finding:
    """A licensed deviation: nothing is wrong."""
    if name == "three-oblique":
        return Finding(
            code=name,
            severity="warning",
            line=line,
            zh=f"第{line}句句末三字皆仄（三仄尾），可用而不美。",
            en=f"Line {line} ends in three oblique tones (三仄尾): allowed, not elegant.",
        )
    zh, en = _LICENCES[name]
    return Finding(code=name, severity="note", line=line, zh=f"第{line}句{zh}", en=f"Line {line}: {en}")


def wrong_tone(line: int, position: int, character: str, wanted: str, name: str = "tone") -> Finding:
    """A character of the other tone."""
    zh = f"第{line}句第{position}字“{character}”应{TONES_ZH[wanted]}而{_other(TONES_ZH, wanted)}"
    en = f"Line {line}, character {position} ({character}) should be {TONES_EN[wanted]}"
    more_zh, more_en = _FAULTS.get(name, ("", ""))
    return Finding(
        code=name,
        severity="fault",
        line=line,
        position=position,
        zh=f"{zh}；{more_zh}" if more_zh else f"{zh}。",
        en=f"{en}: {more_en}" if more_en else f"{en}.",
    )


def _other(names: dict[str, str], wanted: str) -> str:
    return names["Z" if wanted == "P" else "P"]


def unknown(line: int, position: int, character: str, *, at_rhyme: bool) -> Finding:
    """A character that the book doesn't have."""
    return Finding(
        code="unknown-rhyme" if at_rhyme else "unknown",
        severity="fault",
        line=line,
        position=position,
        zh=f"第{line}句第{position}字“{character}”韵书未收，平仄不明，不能算合。",
        en=f"Line {line}, character {position} ({character}) is not in the rhyme book; it can't pass.",
    )


def out_of_rhyme(slot: Slot, rhyme: str, *, is_neighbour: bool) -> Finding:
    """A rhyme word of another rhyme."""
    line, readings = slot.line + 1, "、".join(dict.fromkeys(r.rhyme for r in slot.readings)) or "无"
    near = ("，与之邻近，古体与词可以通押" if is_neighbour else "", ", a neighbour" if is_neighbour else "")
    return Finding(
        code="rhyme",
        severity="fault",
        line=line,
        zh=f"第{line}句韵脚“{slot.character}”出韵：全诗押{rhyme}，此字属{readings}{near[0]}。",
        en=f"Line {line} does not rhyme: the poem keeps {rhyme}, {slot.character} belongs to {readings}{near[1]}.",
    )


def first_line(slot: Slot, rhyme: str, *, is_neighbour: bool) -> Finding:
    """A first line that ends in a level tone and has another rhyme."""
    other = "、".join(dict.fromkeys(r.rhyme for r in slot.readings))
    if is_neighbour:
        return Finding(
            code="lone-goose",
            severity="note",
            line=1,
            zh=f"首句借邻韵（孤雁出群）：“{slot.character}”属{other}，全诗押{rhyme}，可以。",
            en=f"The first line borrows a neighbouring rhyme ({other} beside {rhyme}), which is allowed.",
        )
    return Finding(
        code="first-line-rhyme",
        severity="fault",
        line=1,
        zh=f"首句以平声“{slot.character}”（{other}）收尾，却不押{rhyme}：首句收平声就要入韵。",
        en=f"The first line ends level ({slot.character}, {other}) and does not rhyme with {rhyme}.",
    )


def repeated_rhyme(slot: Slot, severity: Severity) -> Finding:
    """A rhyme word that was used before."""
    return Finding(
        code="repeated-rhyme",
        severity=severity,
        line=slot.line + 1,
        zh=f"第{slot.line + 1}句韵脚“{slot.character}”与前重复（重韵）。",
        en=f"Line {slot.line + 1} repeats the rhyme word {slot.character}.",
    )


def contrast(line: int) -> Finding:
    """失对."""
    return Finding(
        code="contrast",
        severity="fault",
        line=line,
        position=2,
        zh=f"第{line - 1}、{line}句失对：两句第二字平仄应相反。",
        en=f"Lines {line - 1} and {line} lack contrast (对): their second characters should differ in tone.",
    )


def adhesion(line: int) -> Finding:
    """失粘."""
    return Finding(
        code="adhesion",
        severity="fault",
        line=line,
        position=2,
        zh=f"第{line - 1}、{line}句失粘：两联之间第二字平仄应相同。",
        en=f"Lines {line - 1} and {line} lack adhesion (粘): their second characters should agree in tone.",
    )


def wrong_length(zh: str, en: str, line: int | None = None) -> Finding:
    """The number of lines or of characters is not the form's."""
    return Finding(code="length", severity="fault", line=line, zh=zh, en=en)
