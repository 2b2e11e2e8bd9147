"""The document on types says which texts of a CSV file are nulls."""

from __future__ import annotations

import re
from pathlib import Path

from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.storage.store import Storage

TEXT = (Path(__file__).parents[3] / "docs" / "types.md").read_text()


def test_the_texts_that_the_document_names_are_nulls_and_others_are_none(tmp_path):
    said = re.search(r"In CSV files an empty field and (.*?) are nulls", TEXT, re.DOTALL)
    names = re.findall(r"`([^`]+)`", said[1])
    lines = ["number,text", *(f"{name},{name}" for name in ["", *names]), "1.5,none", "2.5,missing"]
    (tmp_path / "x.csv").write_text("\n".join(lines) + "\n")
    found = open_dataset(str(tmp_path / "x.csv"), Storage()).whole()
    assert len(names) == 18
    assert found["number"].to_pylist() == [None] * 19 + [1.5, 2.5]
    assert found["text"].to_pylist() == [None] * 19 + ["none", "missing"]
