"""Runs pipelines: from a table to a model version that the fleet serves, or to the reason why nothing changes.

A pipeline is one file in `pipelines/` (docs/pipelines.md). Its run goes through the steps in `steps.py`, each of which
may be a process of its own, on another machine than the one before: what a run knows is in MLflow, under its id, so a
step that was killed is simply run again. `outline.py` alone runs below a Python that has none of our packages.
"""
