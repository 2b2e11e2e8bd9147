"""URIs of other products: what they name there, and what this product has in their place.

What a platform calls its own stands with its other contracts, under its scheme.

Invariants: such a URI may hold a password in any place of it, so that only its scheme is shown.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airflow_batch_inference.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable

_DATABASES = (
    "athena|awsathena|bigquery|cassandra|clickhouse|cockroachdb|databricks|db2|dremio|duckdb|exa|exasol|hana|hive|"
    "ibm_db_sa|impala|mariadb|mongo|mongodb|mssql|mysql|oracle|postgres|postgresql|presto|redshift|snowflake|sqlite|"
    "sqlserver|teradatasql|trino|vertica"
)
_ADVICE = (
    (
        re.compile(rf"(?:jdbc|odbc):|(?:{_DATABASES})(?:\+\w+)?://", re.IGNORECASE),
        (
            "it names a database, and this product scores files. Write the rows to Parquet in a task before this one "
            "(with a query of yours, or a transfer operator of Airflow's such as SqlToS3Operator), and give that file"
        ),
    ),
    (
        re.compile(r"mlflow-artifacts:/", re.IGNORECASE),
        (
            "it is a place that only MLflow's server knows. Give LoadModelOperator(model_uri=…) the model as "
            "models:/<name>/<version>, models:/<name>@<alias> or runs:/<run id>/<path>"
        ),
    ),
    (
        re.compile(r"(?:models|runs):/", re.IGNORECASE),
        "it is a model of MLflow's, which LoadModelOperator(model_uri=…) takes. Give the output of that task here",
    ),
)
_PLATFORMS = Registry(
    what="scheme of a platform",
    group=None,  # every URI of a DAG file is asked for, and entry points take tens of milliseconds to read
    built_in={
        "azureml": "airflow_batch_inference.compat.azureml.uris:advice_for",
        "store": "airflow_batch_inference.compat.mlrun.uris:advice_for",
    },
)


def advice_for(uri: str) -> str | None:
    """Return what a URI of another product is, and what to give in its place; None for all other URIs.

    Examples
    --------
    >>> advice_for("postgresql://user:secret@host/db")[:20], advice_for("s3://bucket/day.parquet")
    ('it names a database,', None)
    """
    scheme = uri.partition(":")[0].lower()
    if scheme in _PLATFORMS.built_in:
        advise: Callable[[str], str | None] = _PLATFORMS.load(scheme)
        return advise(uri)
    return next((advice for pattern, advice in _ADVICE if pattern.match(uri)), None)


def scheme_of(uri: str) -> str:
    """Return the scheme, and nothing of what follows it.

    Examples
    --------
    >>> scheme_of("jdbc:sqlserver://host;password=secret"), scheme_of("store://models/churn")
    ('jdbc:…', 'store:…')
    """
    return f"{uri.partition(':')[0]}:…"
