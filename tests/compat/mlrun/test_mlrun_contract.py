"""MLRun's contract lies in few places: its adapter, its rule, and the faces that people type its name into."""

from __future__ import annotations

from pathlib import Path

import airflow_batch_inference

PACKAGE = Path(airflow_batch_inference.__file__).parent
ADAPTER = ("compat/mlrun/", "drift/rules/mlrun.py")
FACES = ("operators/", "decorators/", "cli/")
REGISTRIES = ("drift/metrics/registry.py", "drift/rules/registry.py")
"""A line for the rule, and one for each metric."""


def test_nothing_else_knows_of_it():
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE).as_posix()
        if place.startswith((*ADAPTER, *FACES)):
            continue
        lines = [line.strip() for line in path.read_text().splitlines() if "mlrun" in line.lower()]
        if place in REGISTRIES:
            assert all(line.startswith(('"mlrun', "_MLRUN = ")) for line in lines), place
        else:
            assert not lines, place
