"""Scoring scripts: ``init()`` once a process, ``run(mini_batch)`` over files, with the engine's guarantees."""
