"""The whole job (read, score, write) against other frameworks, on the same files, alternating in one run.

    python -m venv PEERS && PEERS/bin/pip install -r benchmarks/requirements-compare.txt
    python benchmarks/compare.py --peers-python PEERS/bin/python              # three tables, 1e5, 1e6 and 1e7 rows
    python benchmarks/compare.py --peers-python PEERS/bin/python --rows 1e6 --tables narrow --models lightgbm
    python benchmarks/compare.py --peers-python PEERS/bin/python --busy 1     # beside another process that computes
    python benchmarks/compare.py --contenders ours --tables narrow --rows 1e8 --repeats 1 --no-limits

The tables are narrow (20 float64), wide (500 float32; 20 GB at 1e7 rows, and so up to 1e6 unless --all-wide) and mixed
(strings, dictionaries, times and numbers with missing values); three models each (table_models.py). All write all
inputs and the prediction. Ours and the pandas script run in this interpreter, the others in the peers' (peers.py). Each
run is a process of its own: "wall s" is its whole life, "CPU s" the user and system seconds of it and all its
descendants, "work s" leaves out its imports and the start and end of sessions, "peak MB" is the largest sum of the
proportional set sizes of all of them, sampled every 0.2 s. Every output's rows are counted; before anything is timed,
every contender's output of 1e5 rows of each table is compared with the script's, and the benchmark fails if a value
differs.

Files are made when they are needed and removed after: in BENCHMARK_FOLDER, the largest table twice (1e8 narrow rows:
16 GB in, 16 GB out).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import limits
import measuring
import peers
import results
import table_models
import tables
from peers import OURS, SCRIPT

CHECKED_ROWS = 100_000
SHORT = {"ours": OURS, "script": SCRIPT, "ray": "Ray Data", "spark": "PySpark", "polars": "Polars", "duckdb": "DuckDB"}
"""What ``--contenders`` takes."""
_DISTRIBUTIONS = ("scikit-learn", "lightgbm", "pandas", "pyarrow", "ray", "pyspark", "polars", "duckdb")


# -- one run ---------------------------------------------------------------------------------------------------


def child(contender: str, model: str, data: str, target: str) -> None:
    """Run one contender, or one limit, in this process; leave its seconds without the start in a file."""
    paths = Path(model), Path(data), Path(target)
    if contender in peers.CONTENDERS:
        begin: list[float] = []
        peers.CONTENDERS[contender](*paths, lambda: begin.append(time.monotonic()))
        work = time.monotonic() - begin[0]
    else:
        stage, means = contender.split()
        work = limits.limit(stage, means, *paths)
    report(paths[2]).write_text(json.dumps({"work": work}))


def report(target: Path) -> Path:
    return target / "work.json"


def run(contender: str, python: str, model: Path, data: Path, target: Path) -> results.Measured:
    """Run one contender in a process of its own."""
    command = [python, str(Path(__file__).resolve()), "--child", contender, str(model), str(data), str(target)]
    # Where Ray's and Spark's workers import peers.py from.
    folders = [str(Path(__file__).resolve().parent), os.environ.get("PYTHONPATH")]
    environment = {"PYTHONPATH": os.pathsep.join(filter(None, folders))}
    if contender not in peers.CONTENDERS:
        environment |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    done = measuring.run(command, environment=environment, folder=data.parent)
    work = json.loads(report(target).read_text())["work"]
    return results.Measured(seconds=done.seconds, work=work, cpu=done.cpu, peak_mb=done.peak_mb)


# -- who takes part --------------------------------------------------------------------------------------------


def interpreters(chosen: list[str], peers_python: str | None) -> dict[str, str]:
    """Return the interpreter of each contender that can run, and say which cannot and why."""
    found = {}
    for contender in (SHORT[short] for short in chosen):
        package = peers.PACKAGES.get(contender)
        reason = package and unavailable(contender, package, peers_python)
        if reason:
            print(f"Skipped: {contender}: {reason}")
        else:
            found[contender] = str(peers_python) if package else sys.executable
    return found


def unavailable(contender: str, package: str, python: str | None) -> str | None:
    if python is None:
        return "no --peers-python was given"
    if shutil.which(python) is None:
        return f"there is no interpreter {python}"
    tried = subprocess.run([python, "-c", f"import {package}"], capture_output=True, text=True, check=False)
    if tried.returncode:
        return tried.stderr.strip().splitlines()[-1] if tried.stderr.strip() else f"import ended {tried.returncode}"
    if contender == "PySpark" and not (os.environ.get("JAVA_HOME") or shutil.which("java")):
        return "there is no Java (JAVA_HOME, or java on the PATH)"
    return None


def versions(pythons: dict[str, str]) -> dict[str, str]:
    """Return the versions in each interpreter."""
    code = (
        "import importlib.metadata as m, sys\n"
        "names = {d.metadata['Name'].lower() for d in m.distributions()}\n"
        "print(', '.join(f'{n} {m.version(n)}' for n in sys.argv[1:] if n in names))"
    )
    found = {}
    for python in dict.fromkeys([sys.executable, *pythons.values()]):
        done = subprocess.run([python, "-c", code, *_DISTRIBUTIONS], capture_output=True, text=True, check=True)
        found["Ours and the script" if python == sys.executable else "The others"] = done.stdout.strip()
    return found


# -- what is compared ------------------------------------------------------------------------------------------


def written(target: Path) -> list[Path]:
    return sorted(path for path in target.rglob("*.parquet") if path.is_file())


def require_rows(contender: str, target: Path, rows: int) -> None:
    import pyarrow.parquet as pq

    found = sum(pq.ParquetFile(path).metadata.num_rows for path in written(target))
    if found != rows:
        raise SystemExit(f"{contender} wrote {found} rows of {rows}.")


def in_one_type(table: Any) -> Any:  # noqa: ANN401  # an Arrow table
    """Return the same values in one type where frameworks write others: strings are one, and so are units of time."""
    import pyarrow as pa

    fields = []
    for field in table.schema:
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
            kind = pa.string()
        elif pa.types.is_timestamp(kind):
            kind = pa.timestamp("us", kind.tz)
        fields.append(pa.field(field.name, kind))
    return table.cast(pa.schema(fields))


def check(table: tables.Table, models: dict[str, Path], folder: Path, pythons: dict[str, str]) -> None:
    """Compare each contender's output with the script's, value for value; some change the order of the rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    data = table.make(folder, CHECKED_ROWS)

    def output(contender: str, model: Path) -> pa.Table:
        with measuring.own_folder(folder) as target:
            run(contender, pythons.get(contender, sys.executable), model, data, target)
            require_rows(contender, target, CHECKED_ROWS)
            found = [in_one_type(pq.ParquetFile(path).read().replace_schema_metadata(None)) for path in written(target)]
        return pa.concat_tables(found).sort_by([(key, "ascending") for key in table.keys])

    for name, model in models.items():
        expected = output(SCRIPT, model)
        for contender in pythons:
            if contender == SCRIPT:
                continue
            where = f"{contender}, {table.name}, {name}"
            found = output(contender, model)
            if set(found.column_names) != set(expected.column_names):
                raise SystemExit(f"{where}: columns {found.column_names}, not {expected.column_names}.")
            different = [
                f"{column} ({found.column(column).type}, {expected.column(column).type})"
                for column in expected.column_names
                if not found.column(column).equals(expected.column(column))
            ]
            if different:
                raise SystemExit(f"{where}: {', '.join(different)} differ from the script's.")
    data.unlink()
    print(f"Checked: {table.name}, {CHECKED_ROWS:.0e} rows, {', '.join(models)}: {', '.join(pythons)}.", flush=True)


def measure(case: results.Case, contenders: dict[str, str], model: Path, data: Path, repeats: int) -> results.Runs:
    """Run all by turns, so that a busy minute hits each."""
    runs: results.Runs = {contender: [] for contender in contenders}
    for _ in range(repeats):
        for contender, python in contenders.items():
            with measuring.own_folder(data.parent) as target:
                runs[contender].append(run(contender, python, model, data, target))
                if contender in peers.CONTENDERS:
                    require_rows(contender, target, case.rows)
    return runs


def compare(given: argparse.Namespace, folder: Path, pythons: dict[str, str]) -> None:
    """Check, measure and print."""
    made = {}
    print("Each contender's output against the script's:")
    for name in given.tables:
        paths = table_models.make_models(folder, tables.TABLES[name])
        made[name] = {model: paths[model] for model in given.models}
        check(tables.TABLES[name], made[name], folder, pythons)
    alone = {f"{stage} {means}": sys.executable for stage in limits.STAGES for means in limits.MEANS}
    book = results.Book(given.json, {"versions": versions(pythons), "cores": os.cpu_count(), "busy": given.busy})
    results.print_head()
    with measuring.busy(given.busy):
        for name in given.tables:
            table = tables.TABLES[name]
            for rows in map(int, given.rows):
                if table.most and rows > table.most and not given.all_wide:
                    print(f"Left out: {table.name} at {rows:.0e} rows; --all-wide runs it.", flush=True)
                    continue
                data = table.make(folder, rows)
                os.sync()
                for model, path in made[name].items():
                    limited = given.limits and table is tables.NARROW and OURS in pythons
                    case = results.Case(name, model, rows)
                    runs = measure(case, pythons | (alone if limited else {}), path, data, given.repeats)
                    results.print_contenders(case, runs)
                    book.add(case, runs)
                data.unlink()
    results.print_summary(book)


def main() -> None:
    """Parse the command line and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers-python", help="the interpreter that has requirements-compare.txt")
    parser.add_argument("--contenders", nargs="+", choices=SHORT, default=list(SHORT))
    parser.add_argument("--tables", nargs="+", choices=tables.TABLES, default=list(tables.TABLES))
    parser.add_argument("--models", nargs="+", choices=table_models.MODELS, default=list(table_models.MODELS))
    parser.add_argument("--rows", nargs="+", type=float, default=[1e5, 1e6, 1e7])
    parser.add_argument("--all-wide", action="store_true", help="also the wide table with more than 1e6 rows")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--busy", type=int, default=0, help="beside so many processes that do nothing but compute")
    parser.add_argument(
        "--limits",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="decoding, predicting and encoding alone, for the narrow table (limits.py)",
    )
    parser.add_argument("--json", type=Path, help="keep all runs in this file")
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(*given.child)
        return
    measuring.adopt_orphans()
    pythons = interpreters(given.contenders, given.peers_python)
    for whose, found in versions(pythons).items():
        print(f"{whose}: {found}.")
    print(f"{os.cpu_count()} cores, {given.busy} other busy processes.\n", flush=True)
    with measuring.benchmark_folder() as folder:
        compare(given, folder, pythons)


if __name__ == "__main__":
    main()
