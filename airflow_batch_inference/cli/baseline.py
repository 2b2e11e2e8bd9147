"""``baseline``: a training set, counted once."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from airflow_batch_inference.cli.command import CSV_OPTIONS, Command, absolute, listed, require_alone
from airflow_batch_inference.wording.signs import visible
from airflow_batch_inference.wording.texts import said

if TYPE_CHECKING:
    import argparse

_OF_A_MODEL = ("sha256", "label_columns", "target_column", "decision_threshold", "predict_method")


def _run(arguments: argparse.Namespace) -> int:
    """Make a baseline, store it, and print its URI."""
    from airflow_batch_inference.models.describe import ModelRequest
    from airflow_batch_inference.models.trust import TrustRequest
    from airflow_batch_inference.operators.arguments import csv_options, names, number
    from airflow_batch_inference.operators.stores import storage_for
    from airflow_batch_inference.workflows.build_baseline import ReferenceOptions
    from airflow_batch_inference.workflows.register_model import register_baseline

    storage = storage_for(arguments.conn_id)
    model = None
    if arguments.model:
        model = ModelRequest(
            model_uri=absolute(arguments.model),
            trust=TrustRequest(sha256=arguments.sha256),
            label_columns=names("label_columns", listed(arguments.label_columns)),
        )
    else:
        require_alone(arguments, _OF_A_MODEL, "says something of a model, and none is given. Add --model.")
    decision = 0.5 if arguments.decision_threshold is None else arguments.decision_threshold
    options = ReferenceOptions(
        target_column=arguments.target_column,
        decision_threshold=number("--decision-threshold", decision, low=0, high=1),
        predict_method=arguments.predict_method or "predict",
        csv=csv_options(arguments.csv_options),
    )
    uri, baseline = register_baseline(
        absolute(arguments.dataset), model, options=options, folder=absolute(arguments.output), storage=storage
    )
    print(f"{baseline.rows:,} rows, {len(baseline.columns)} columns", file=sys.stderr)
    for name, reason in baseline.skipped.items():
        print(f"left out {said(name)}: {said(reason)}", file=sys.stderr)
    print(visible(uri))
    return 0


COMMAND = Command(
    name="baseline",
    help="count a training set once, as what later data are compared with; print the baseline's URI",
    arguments=(
        ("dataset", {"help": "file, folder or glob of Parquet, CSV, Arrow or JSON lines"}),
        ("--output", {"help": "folder or bucket path that the baseline is written to", "required": True}),
        ("--model", {"help": "model file; it scores the training set, so that predictions can be compared too"}),
        ("--sha256", {"help": "digest that the model file must have (pickle and joblib need it)"}),
        ("--label-columns", {"help": "names of the prediction columns, separated by commas"}),
        (
            "--target-column",
            {"help": "column of true labels, of two classes, from which performance is estimated later"},
        ),
        (
            "--decision-threshold",
            {"help": "the positive class is predicted from this probability on (0.5)", "type": float},
        ),
        ("--predict-method", {"help": "predict, predict_proba or decision_function (predict)"}),
        CSV_OPTIONS,
        ("--conn-id", {"help": "Airflow connection that reaches the dataset, the model and the output"}),
    ),
    run=_run,
)
