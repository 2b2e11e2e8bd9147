"""Records are found by their names, and imported only then."""

from __future__ import annotations

import importlib
from dataclasses import is_dataclass

from airflow_batch_inference import records
from airflow_batch_inference.records import Record


def test_every_public_name_is_found_in_the_module_that_the_table_says():
    eager = {"SCHEMA_VERSION", "ColumnSpec", "DataFile", "Record", "TaskKey", "fingerprint"}
    functions = {"decode_record", "is_record", "kind_in_words"}
    assert set(records.__all__) == {*records._MODULES, *eager, *functions}
    for name, module in records._MODULES.items():
        assert getattr(records, name) is getattr(importlib.import_module(f"{records.__name__}.{module}"), name)


def test_every_record_with_a_kind_of_its_own_can_be_decoded():
    for module in records._NAMES:
        found = vars(importlib.import_module(f"{records.__name__}.{module}")).values()
        for kind in found:
            if isinstance(kind, type) and issubclass(kind, Record) and is_dataclass(kind) and hasattr(kind, "kind"):
                fields = {field.name: field.default for field in kind.__dataclass_fields__.values()}
                assert records._TYPES[fields["kind"]] == kind.__name__
