"""A dataset's rows as they come to an estimator: by name, cast, in mini-batches of any size."""

from __future__ import annotations

import joblib
import numpy as np
import pyarrow as pa

from airflow_batch_inference.flavors.sklearn.flavor import JOBLIB, SklearnFlavor
from airflow_batch_inference.schema.casts import cast_inputs
from airflow_batch_inference.schema.inputs import plan_inputs
from airflow_batch_inference.schema.signature import stated_inputs


def through_a_file(estimator, folder, options=None):
    """Save an estimator and load it as a job does."""
    path = folder / "model.joblib"
    joblib.dump(estimator, path)
    return SklearnFlavor().load(path, model_format=JOBLIB, trusted=(), options=options or {})


def scored(model, data, *, method="predict_proba", rows=None, signature=None):
    """Predict a data frame's or a table's rows, so many a mini-batch; None: all in one."""
    table = data if isinstance(data, pa.Table) else pa.Table.from_pandas(data, preserve_index=False)
    inputs = stated_inputs(model.inputs, signature or {}, n_features=model.n_features)
    plan = plan_inputs(
        table.schema, inputs=inputs, n_features=model.n_features, where="the data", takes_lists=model.takes_lists
    )
    whole = cast_inputs(table, plan)
    size = rows or table.num_rows
    parts = [whole.slice(start, size) for start in range(0, table.num_rows, size)]
    return np.concatenate([np.asarray(model.predict(part, method=method)) for part in parts])
