"""The engine: one thread owns the model; every row of a batch has its own adapter, sampling, constraint and seed.

``engine.py`` holds the step (schedule, run, postprocess); every other module is one noun that it uses.
"""
