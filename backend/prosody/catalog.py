"""Forms by name: 七律, 七言律诗, 古风, 水调歌头."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from backend.errors import ProsodyError
from backend.prosody.ci import tunes
from backend.prosody.forms import Form, Kind, make_old, make_regulated
from backend.prosody.tables import to_simplified

AUTO = "auto"
DEFAULT_LINES = {"绝": 4, "律": 8, "排": 12, "古": 8}
_SHAPES = {"绝": "绝", "律": "律", "排": "排", "古": "古", "绝句": "绝", "律诗": "律", "排律": "排"}
_SHAPES |= {"古诗": "古", "古风": "古", "古体": "古", "古体诗": "古"}


@dataclass(frozen=True, slots=True)
class Request:
    """What a form's name asks for, before the number of lines is known."""

    name: str
    kind: Kind
    length: int | None = None  # characters a line; None where the name leaves it open (律诗, 古风)
    shape: str = ""  # 绝, 律, 排 or 古
    tune: Form | None = None

    @property
    def num_lines(self) -> int | None:
        """Lines that the name fixes: 4 or 8; None for 排律 and old-style verse."""
        return {"绝": 4, "律": 8}.get(self.shape)


@cache
def _tunes_by_name() -> dict[str, Form]:
    return {to_simplified(name): tune for tune in tunes() for name in (tune.name, *tune.aliases)}


def find_tune(name: str) -> Form | None:
    """The tune that is called so, in either script, or None."""
    return _tunes_by_name().get(to_simplified(name.strip()))


def understand(name: str) -> Request:
    """What a form's name asks for.

    Raises:
        ProsodyError: there is no form of that name.
    """
    wanted = to_simplified(name.strip())
    length = {"五": 5, "七": 7}.get(wanted[:1])
    rest = wanted[1:].removeprefix("言") if length else wanted
    shape = _SHAPES.get(rest, "")
    if shape:
        kind: Kind = "old" if shape == "古" else "regulated"
        return Request(f"{wanted[0]}{shape}" if length else rest, kind, length, shape)
    tune = find_tune(wanted)
    if tune is not None:
        return Request(tune.name, "ci", tune=tune)
    raise ProsodyError(
        f"There is no form {name!r}; `moyun forms` lists them, for example 五绝, 七律, 五排, 古风 or 水调歌头.",
        f"没有“{name}”这种体裁；可用的如五绝、七律、五排、古风、水调歌头，完整的列表见 moyun forms。",
    )


def find_form(name: str, num_lines: int | None = None) -> Form:
    """The form of that name, with ``num_lines`` lines where the name leaves them open (排律, 古风).

    Raises:
        ProsodyError: there is no such form, or not with that many lines.
    """
    request = understand(name)
    if request.tune is not None:
        return request.tune
    fixed = request.num_lines
    lines = num_lines or fixed or DEFAULT_LINES[request.shape]
    if (fixed and lines != fixed) or (request.shape == "排" and lines < 10):
        raise ProsodyError(
            f"{name} has {fixed or 'at least 10'} lines, not {lines}.",
            f"{name}应为{fixed or '十以上'}句，不是{lines}句。",
        )
    make = make_old if request.kind == "old" else make_regulated
    return make(request.length or 5, lines)


def all_forms() -> tuple[Form, ...]:
    """Every form once, 排律 and old-style verse in their default number of lines."""
    shapes = [number + shape for shape in "绝律排古" for number in "五七"]
    return tuple(find_form(shape) for shape in shapes) + tunes()
