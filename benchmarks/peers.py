"""The contenders of compare.py, each in the way that suits its framework; run by an interpreter that has it.

A contender calls `started` once all is imported and its session is up. What it writes lies in `target`: one file, or
one folder of files where the framework writes in parallel. All but the plain script write as ours does (zstd of level
1, no dictionaries of floats) as far as the framework can be told to: that is faster than their defaults.
"""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
from typing import TYPE_CHECKING, Any

import workload
from workload import LABEL, import_model_library, is_booster, with_prediction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

BATCH_ROWS = 65_536
CORES = 2


def plain_script(model: Path, data: Path, target: Path, started: Callable[[], None]) -> None:
    """Run workload.py's plain script."""
    import pandas as pd  # noqa: F401
    import pyarrow.parquet  # noqa: F401

    import_model_library(model)
    started()
    workload.plain_script(model, data, target)


def ours(model: Path, data: Path, target: Path, started: Callable[[], None]) -> None:
    """Run workload.py's ours: the job that PredictOperator runs."""
    import airflow_batch_inference.workflows.score  # noqa: F401

    started()
    workload.ours(model, data, target)


def ray_data(model: Path, data: Path, target: Path, started: Callable[[], None]) -> None:
    """Read, map_batches and write as tasks, which Ray fuses: no block goes through the object store."""
    one_thread_a_task()
    # A token of this run's own: otherwise Ray leaves one in the home folder.
    os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_AUTH_TOKEN=secrets.token_hex(32))
    import ray
    import ray.data

    # Its own folder, since the paths of sockets must be short.
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        ray.init(
            num_cpus=CORES,
            object_store_memory=2 << 30,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="error",
            _temp_dir=folder,
        )
        ray.data.DataContext.get_current().enable_progress_bars = False
        started()
        scored = ray.data.read_parquet(str(data)).map_batches(
            with_prediction, fn_args=(str(model),), batch_format="pyarrow", batch_size=BATCH_ROWS
        )
        scored.write_parquet(str(target / "predictions"), compression="zstd", compression_level=1, use_dictionary=False)
        ray.shutdown()


def one_thread_a_task() -> None:
    """Let tasks, of which there is one a core, not start a thread a core each."""
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))


def spark(model: Path, data: Path, target: Path, started: Callable[[], None]) -> None:
    """Run mapInArrow on local[2], with a driver of 8 GB."""
    one_thread_a_task()
    os.environ.update(PYSPARK_PYTHON=sys.executable, SPARK_LOCAL_IP="127.0.0.1")
    from pyspark.sql import SparkSession

    settings = {
        "spark.driver.memory": "8g",
        "spark.ui.enabled": "false",
        "spark.local.dir": str(target),
        "spark.sql.execution.arrow.maxRecordsPerBatch": BATCH_ROWS,
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        "spark.sql.parquet.compression.codec": "zstd",
        "spark.hadoop.parquet.compression.codec.zstd.level": 1,
        "spark.hadoop.parquet.enable.dictionary": "false",
    }
    builder = SparkSession.builder.master(f"local[{CORES}]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    started()
    frame = session.read.parquet(str(data))
    fields = [f"{name} {kind}" for name, kind in frame.dtypes]
    label = f"{LABEL} {'double' if is_booster(str(model)) else 'bigint'}"

    def predict(batches: Iterable[Any]) -> Iterator[Any]:
        for batch in batches:
            yield with_prediction(batch, str(model))

    scored = frame.mapInArrow(predict, ", ".join([*fields, label]))
    scored.write.parquet(str(target / "predictions"))
    session.stop()


def polars(model: Path, data: Path, target: Path, started: Callable[[], None]) -> None:
    """Scan, map_batches and sink in Polars' streaming engine: as fast as reading all, in a fraction of the memory."""
    import polars as pl

    import_model_library(model)
    started()
    name, has_names = str(model), bool(workload.inputs(str(model)).columns)

    def predict(batch: pl.DataFrame) -> pl.DataFrame:
        if has_names:
            values = workload.predict(batch.select(workload.inputs(name).columns).to_pandas(), name)
        else:  # scikit-learn takes the frame, LightGBM an array
            values = workload.load(name).predict(batch.to_numpy() if is_booster(name) else batch)
        return batch.with_columns(pl.Series(LABEL, values))

    schema = {**pl.read_parquet_schema(data), LABEL: pl.Float64 if is_booster(name) else pl.Int64}
    scored = pl.scan_parquet(data).map_batches(predict, schema=schema, streamable=True)
    scored.sink_parquet(target / "predictions.parquet", compression="zstd", compression_level=1)


def duckdb(model: Path, data: Path, target: Path, started: Callable[[], None]) -> None:
    """Read record batches of a row group's size, predict, and write what comes as record batches."""
    import duckdb as db
    import pyarrow as pa

    import_model_library(model)
    started()
    connection = db.connect()
    connection.execute("SET TimeZone = 'UTC'")
    # DuckDB's own size of a row group; smaller batches were slower.
    batches = connection.read_parquet(str(data)).to_arrow_reader(122_880)
    kind = pa.float64() if is_booster(str(model)) else pa.int64()
    schema = batches.schema.append(pa.field(LABEL, kind))
    scored = pa.RecordBatchReader.from_batches(schema, (with_prediction(batch, str(model)) for batch in batches))
    # Another cursor: a connection has one open result.
    connection.cursor().from_arrow(scored).write_parquet(str(target / "predictions.parquet"), compression="zstd")


OURS = "airflow-batch-inference"
SCRIPT = "pandas script"
CONTENDERS: dict[str, Callable[[Path, Path, Path, Callable[[], None]], None]] = {
    SCRIPT: plain_script,
    OURS: ours,
    "Ray Data": ray_data,
    "PySpark": spark,
    "Polars": polars,
    "DuckDB": duckdb,
}
PACKAGES = {"Ray Data": "ray.data", "PySpark": "pyspark.sql", "Polars": "polars", "DuckDB": "duckdb"}
"""What the peers' environment must have for each."""
