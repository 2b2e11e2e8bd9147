"""The code in docs/airflow.md makes DAGs that Airflow takes, and its tables say what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from airflow_batch_inference.get_provider_info import get_provider_info

DOCUMENT = (Path(__file__).parents[2] / "docs" / "airflow.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)


@pytest.mark.parametrize("code", BLOCKS, ids=lambda code: re.findall(r"\w+ = |DAG\(|def \w+", code)[0].strip(" =("))
def test_the_code_makes_sound_dags(code):
    namespace = {"__name__": "document"}
    exec(compile(code, "airflow.md", "exec"), namespace)  # our own document
    for value in namespace.values():
        if type(value).__name__ == "DAG":
            value.validate()


def test_it_has_a_block_for_each_thing_that_a_dag_says():
    assert len(BLOCKS) == 6


def test_every_link_and_every_setting_is_in_its_tables():
    from airflow_batch_inference import links

    info = get_provider_info()
    for path in info["extra-links"]:
        assert f"\n| {getattr(links, path.rpartition('.')[2])().name} |" in DOCUMENT
    options = info["config"]["batch_inference"]["options"]
    for name, option in options.items():
        assert f"\n| `{name}` |" in DOCUMENT
        assert option["description"]


def test_every_channel_and_argument_of_the_notifier_is_in_its_tables():
    import inspect

    from airflow_batch_inference.notifications import BatchInferenceNotifier

    for name in inspect.signature(BatchInferenceNotifier).parameters:
        if name not in ("artifact_root", "artifact_conn_id", "kwargs"):
            assert f"`{name}`" in DOCUMENT, name
        assert name == "kwargs" or f":param {name}:" in BatchInferenceNotifier.__doc__


def test_every_example_is_listed():
    for path in (Path(__file__).parents[2] / "dags").glob("*.py"):
        assert f"\n| [`{path.stem}`](../dags/{path.name}) |" in DOCUMENT
