"""Chinese metre: tone tables, forms, a checker, and the constraint that keeps a model inside a form.

Plain Python, importable without torch or Chainlit; only :mod:`backend.prosody.constraint` needs numpy.
"""
