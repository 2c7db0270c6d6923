"""``moyun eval``: one module a measurement, imported only when it is asked for."""

from __future__ import annotations

import argparse
from importlib import import_module

EVALUATIONS = {
    "metre": "do poems keep their form, and what does that cost",
    "drafts": "is the best of several drafts better than one",
    "style": "do poems sound like their poet, and are lines copied",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The name of the measurement; its own options come behind it."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "\n".join(f"  {name:<8} {purpose}" for name, purpose in EVALUATIONS.items())
    parser.add_argument("evaluation", choices=list(EVALUATIONS), help="what to measure; its own --help says more")
    parser.add_argument("rest", nargs=argparse.REMAINDER, metavar="...", help="options of the measurement")


def run(options: argparse.Namespace) -> int:
    """Measure, with ``add_arguments`` and ``run`` of the module in ``backend.evaluation`` that has the name."""
    module = import_module(f"backend.evaluation.{options.evaluation}")
    purpose = EVALUATIONS[options.evaluation]
    parser = argparse.ArgumentParser(prog=f"moyun eval {options.evaluation}", description=f"Measure: {purpose}.")
    module.add_arguments(parser)
    return int(module.run(parser.parse_args(options.rest)))
