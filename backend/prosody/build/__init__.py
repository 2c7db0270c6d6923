"""Builds the table files of :mod:`backend.prosody.tables` from published packages.

    python -m venv /tmp/tables && /tmp/tables/bin/pip install -e '.[tables]'
    /tmp/tables/bin/python -m backend.prosody.build

Needed only when the tables change: a running Moyun reads the files that this wrote. Five books are compared,
and every reading on which they disagree is decided by a rule that ``data/decisions.tsv`` names and lists, or by
a line of ``data/corrections.tsv`` with its reason.
"""
