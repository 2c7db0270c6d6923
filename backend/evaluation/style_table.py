"""The style report for a terminal: tables, and each goal with what was reached."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from backend.evaluation.style_poems import BASE

GAIN_OVER_BASE, GAIN_OVER_OTHER = 0.60, 0.15  # nats a character
OWN_AUTHOR = 0.60
VERBATIM, SHARED = 0.5, 1.0  # percent of lines


@dataclass(frozen=True, slots=True)
class Goal:
    """Something that was aimed at."""

    what: str
    reached: float
    wanted: str
    met: bool


def goals(report: dict[str, Any]) -> Iterator[Goal]:
    """Every goal that the report has figures for."""
    for row in report.get("matrix", ()):
        name = f"{row['style']} {row['kind']}"
        for over, (value, *_) in row["gain_over"].items():
            least = {"base": GAIN_OVER_BASE, "before": 0.0}.get(over, GAIN_OVER_OTHER)
            met = value > 0 if over == "before" else value >= least
            yield Goal(f"{name}: nats a character below {over}", value, f"{least:.2f} or more", met)
    for style, voices in report.get("poems", {}).get("styles", {}).items():
        own = voices[style]["all"]
        copied = own["copied_from_poet"]
        yield Goal(
            f"{style}: own poet named", own["own_author"], f"{OWN_AUTHOR:.2f} or more", own["own_author"] >= OWN_AUTHOR
        )
        for name, most in (("verbatim", VERBATIM), ("shared", SHARED)):
            value = copied[f"{name}_percent"]
            yield Goal(f"{style}: percent of lines copied, {name}", value, f"{most} or less", value <= most)
        metre = own["metre_percent"]
        yield Goal(f"{style}: percent of poems in metre", metre, "100", metre == 100)
    if answers := report.get("answers"):
        same, asked = answers["identical"], answers["questions"]
        yield Goal("answers that the adapters leave as they are", same, str(asked), same == asked)


def print_table(report: dict[str, Any]) -> None:
    """Print everything."""
    print(
        f"{report['model']}; adapters {report['adapters']}"
        + (f", against {report['against']}" * bool(report["against"]))
    )
    if "matrix" in report:
        _print_matrix(report["matrix"])
    if "poems" in report:
        _print_poems(report["poems"])
    print("\ngoals")
    for goal in goals(report):
        print(f"  {'met   ' if goal.met else 'MISSED'} {goal.what:<52}{goal.reached:>8g}   ({goal.wanted})")
    print(f"{report['seconds']} s")


def _print_matrix(matrix: list[dict[str, Any]]) -> None:
    columns = list(matrix[0]["nats"])
    print("\nnats a character of held-out poems")
    print(f"{'':<16}{'poems':>6}" + "".join(f"{name:>16}" for name in columns))
    for row in matrix:
        name = f"{row['style']} {row['kind']}"
        print(f"{name:<16}{row['poems']:>6}" + "".join(f"{row['nats'][column]:>16.3f}" for column in columns))
    for row in matrix:
        gains = [f"{over} {v:.3f} ({low:.3f} to {high:.3f})" for over, (v, low, high) in row["gain_over"].items()]
        print(f"  {row['style']} {row['kind']} is below: {', '.join(gains)}; best: {row['best']}")


def _print_poems(poems: dict[str, Any]) -> None:
    heads = (
        "poems",
        "author",
        "verbatim",
        "five",
        "anyone",
        "metre",
        "dist-1",
        "dist-2",
        "s-BLEU-2",
        "topic",
    )
    print(
        f"\npoems; the author is one of {poems['authors']}, real ones of the others named {poems['distractors_named']}"
    )
    print(f"{'':<28}" + "".join(f"{head:>10}" for head in heads))
    for style, voices in poems["styles"].items():
        for voice in (style, style + BASE):
            for part, row in voices.get(voice, {}).items():
                own, anyone = row["copied_from_poet"], row["copied_from_anyone"]
                copied = (own["verbatim_percent"], own["shared_percent"], anyone["verbatim_percent"])
                shown = (row["poems"], row["own_author"], *copied, row["metre_percent"])
                _print_row(f"{voice} {part}", (*shown, *_variety(row)))
        real = voices["real"]
        copied = real["copied_from_tang"]
        figures = (real["poems"], real["own_author"], "-", "-", copied["verbatim_percent"], "-", *_variety(real))
        _print_row(f"{style} real poems", figures)


def _variety(row: dict[str, Any]) -> tuple[float, ...]:
    return row["distinct_1"], row["distinct_2"], row["self_bleu_2"], row["topic_share"]


def _print_row(name: str, figures: tuple[Any, ...]) -> None:
    print(f"{name:<28}" + "".join(f"{'-' if figure is None else figure:>10}" for figure in figures))
