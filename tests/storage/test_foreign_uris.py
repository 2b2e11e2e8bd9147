"""URIs of other products: what is said of them, and that nothing of theirs is shown."""

from __future__ import annotations

import pytest

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.storage.uris import normalize_uri


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("postgresql://user:geheim@host/db?password=geheim", "names a database.*Parquet"),
        ("postgresql+psycopg2://user:geheim@host/db", "names a database"),
        ("postgres://host/geheim", "names a database"),
        ("snowflake://geheim@account/db", "names a database"),
        ("jdbc:sqlserver://host:1433;user=sa;password=geheim", "names a database"),
        ("jdbc:postgresql://host/db?password=geheim", "names a database"),
        ("odbc:Driver={x};Pwd=geheim", "names a database"),
        ("MySQL://host/geheim", "names a database"),
        ("bigquery://geheim", "names a database"),
        ("sqlite:////data/geheim.db", "names a database"),
        ("store://models/geheim/churn#0:latest", "another platform's store.*target_path"),
        ("store:///geheim", "another platform's store"),
        ("mlflow-artifacts:/1/geheim/artifacts/model", "MLflow's server.*models:/<name>/<version>"),
        ("mlflow-artifacts://host:5000/geheim", "MLflow's server"),
        ("models:/geheim@champion", "LoadModelOperator"),
        ("runs:/geheim/model", "LoadModelOperator"),
        ("azureml://datastores/geheim/paths/x", "Azure ML workspace"),
        ("azureml:geheim:3", "Azure ML workspace"),
    ],
)
def test_it_is_said_what_to_give_and_nothing_is_shown(uri, said):
    with pytest.raises(ConfigurationError, match=said) as error:
        normalize_uri(uri)
    assert "geheim" not in str(error.value)


@pytest.mark.parametrize("uri", ["s3://store/postgresql/x.parquet", "/data/jdbc:x.parquet", "gs://models/runs/x"])
def test_other_uris_that_only_look_alike_are_taken(uri):
    assert normalize_uri(uri).endswith(uri.rpartition("/")[2])
