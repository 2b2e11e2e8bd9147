"""A model in memory that requests are scored with, one after the other or many at a time.

What must not be relaxed: a request is never changed; its answer has its type; and a pipeline may be used by several
threads at once.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_batch_inference.datasets.dataset import Origin
from airflow_batch_inference.exceptions import ConfigurationError, DataError
from airflow_batch_inference.inference.files import read_request
from airflow_batch_inference.inference.models import THE_DATA, ModelOptions, ready_model
from airflow_batch_inference.inference.parallel import ParallelOptions, stream
from airflow_batch_inference.inference.scored import OnError, Outputs, now_ms, readable, score
from airflow_batch_inference.inference.taking import take
from airflow_batch_inference.records import CheckCount
from airflow_batch_inference.scoring.checks import Marked, judged, mark, parse_checks
from airflow_batch_inference.scoring.layout import ERROR, INPUT, OUTPUT, ColumnChoice, leaves, require_different
from airflow_batch_inference.scoring.nesting import nested
from airflow_batch_inference.scoring.shape import Provenance, marks_column, pipeline_version
from airflow_batch_inference.storage import Storage
from airflow_batch_inference.trees.fast_model import require_choice

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from os import PathLike

    import pyarrow as pa

    from airflow_batch_inference.inference.forms import Column, Form
    from airflow_batch_inference.inference.models import Scorer, Steps
    from airflow_batch_inference.records import CheckResult
    from airflow_batch_inference.scoring.layout import Leaf


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked of a request.

    Attributes
    ----------
    columns
        Which columns its answer has.
    on_error
        ``raise``: the first bad row is an error; ``null``: it has nulls, and its error in the column ``error``.
    """

    columns: ColumnChoice
    on_error: OnError

    @classmethod
    def of(
        cls,
        *,
        dataset: str | Sequence[str] = ("*",),
        dataset_exclude: str | Sequence[str] = (),
        dataset_separator: str | None = ".",
        on_error: str = "raise",
    ) -> Asked:
        """Check the arguments.

        Raises
        ------
        ConfigurationError
            One of them can never work.
        """
        if on_error not in ("raise", "null"):
            message = f"on_error is {on_error!r}; it must be 'raise' or 'null'."
            raise ConfigurationError(message)
        if dataset_separator == "":
            message = "dataset_separator is empty: give '.' or another text, or None for one column a parent."
            raise ConfigurationError(message)
        choice = ColumnChoice(
            include=(dataset,) if isinstance(dataset, str) else tuple(dataset),
            exclude=(dataset_exclude,) if isinstance(dataset_exclude, str) else tuple(dataset_exclude),
            separator=dataset_separator,
        )
        return cls(columns=choice, on_error="null" if on_error == "null" else "raise")


class Pipeline:
    """A model that stays in memory, and what its answers are checked for.

    Parameters
    ----------
    model
        Path or URI of a model file or record, or a list of them, each of which takes what the one before it returns; a
        loaded model; an estimator with scikit-learn's interface; or a LightGBM booster.
    checks
        Validation checks: name to expression, or to ``{"when": expression, "max_rate": 0.01}``. They mark rows and are
        counted (:meth:`check_counts`); an action is for a task, and nothing fails here.
    predict_method, predict_kwargs
        How the model is called; several methods are called in one pass.
    sha256, trusted, flavor, load_options
        Of a model file, as ``LoadModelOperator`` takes them: its pinned digest, types that a skops file may hold beyond
        our own list, its framework, and what that is given.
    storage
        Reaches the file; None: fsspec with its defaults.
    accelerate
        Whether a compiled kernel scores a tree ensemble, with the same bits: ``auto``, where that is
        installed, covers the ensemble and there have been rows enough; ``require``: or it is an error; ``off``.

    Raises
    ------
    ArtifactError, ModelError, ConfigurationError, TypeError
        The model cannot be loaded, or an argument can never work.
    """

    def __init__(
        self,
        model: object,
        *,
        checks: Mapping[str, Any] | None = None,
        predict_method: str | Sequence[str] = "predict",
        predict_kwargs: Mapping[str, Any] | None = None,
        sha256: str | None = None,
        trusted: Sequence[str] | None = None,
        flavor: str | None = None,
        load_options: Mapping[str, Any] | None = None,
        storage: Storage | None = None,
        accelerate: str = "auto",
    ) -> None:
        self.checks = parse_checks(checks)
        self._storage = storage or Storage()
        options = ModelOptions(
            sha256=sha256,
            trusted=trusted,
            flavor=flavor,
            load_options=load_options or {},
            predict_method=predict_method,
            predict_kwargs=predict_kwargs or {},
            storage=self._storage,
            accelerate=require_choice(accelerate),
        )
        self.scorer: Scorer = ready_model(model, options)
        self.version = pipeline_version(self.scorer.digests, self.checks)
        self._lock = threading.Lock()
        self._counts = dict.fromkeys((check.name for check in self.checks), 0)
        self._rows = 0

    def infer(
        self,
        data: Any,  # noqa: ANN401  # one of four forms, and the answer has the same
        *,
        dataset: str | Sequence[str] = ("*",),
        dataset_exclude: str | Sequence[str] = (),
        dataset_separator: str | None = ".",
        on_error: str = "raise",
    ) -> Any:  # noqa: ANN401  # see above
        """Score a request and return its answer in the same form.

        Parameters
        ----------
        data
            A pandas DataFrame, a pyarrow Table, a dict of columns, or a list of records.
        dataset, dataset_exclude
            Which columns: ``*`` (time, in, out, check_failures), parents (``in``, ``out``, ``anomaly``, ``metadata``)
            and leaves (``in.age``, ``metadata.elapsed``). A leaf that is asked for beats an excluded parent.
        dataset_separator
            Between parent and field; None: a parent is one column that holds its fields.
        on_error
            ``raise``: the first bad row is an error; ``null``: its outputs are null, and the column ``error`` says why.

        Raises
        ------
        TypeError
            The data have none of these forms.
        DataError, PredictionError
            The data do not fit the model, or the model fails on them.
        ConfigurationError
            A name stands for no column, or a check cannot be evaluated.
        """
        asked = Asked.of(
            dataset=dataset,
            dataset_exclude=dataset_exclude,
            dataset_separator=dataset_separator,
            on_error=on_error,
        )
        return self._answers([take(data)], [THE_DATA], asked, bisects=True)[0]

    def infer_from_file(self, path: str | PathLike[str], data_format: str | None = None, **asked: Any) -> Any:  # noqa: ANN401  # as infer
        """Score a file and return its answer: a Table for columnar files, a DataFrame for others.

        Parameters
        ----------
        path
            Path or URI: ``.arrow``, ``.feather``, ``.parquet`` (answered by a Table); ``.json`` (pandas records),
            ``.jsonl``, ``.csv`` (answered by a DataFrame).
        data_format
            ``arrow``, ``feather``, ``parquet``, ``pandas-records``, ``jsonl`` or ``csv``, whatever the file is called;
            or ``custom-json``, whose dict or list is answered by such a one.
        asked
            As :meth:`infer` takes them.

        Raises
        ------
        ArtifactNotFoundError, DataError
            The file is not there, cannot be read, or is of another format.
        """
        return self.infer(read_request(path, data_format, self._storage), **asked)

    def parallel_infer(
        self,
        items: Iterable[Any],
        *,
        timeout: float = 15.0,
        num_parallel: int | None = None,
        retries: int = 0,
        on_error: str = "null",
        **asked: Any,  # noqa: ANN401  # as infer
    ) -> list[Any]:
        """Score many requests, and return their answers in their order; a request that fails has its error there.

        Parameters
        ----------
        items
            Requests, each in one of the forms of :meth:`infer`.
        timeout
            Seconds that one request may take; then its answer is a TimeoutError.
        num_parallel
            How many calls of the model run at once.
        retries
            How often a request that failed is tried again.
        on_error, asked
            As :meth:`infer` takes them; here a bad row costs that row alone by default, and a request is an error where
            none of its rows can be scored.
        """
        return list(
            self.infer_stream(
                items, timeout=timeout, num_parallel=num_parallel, retries=retries, on_error=on_error, **asked
            )
        )

    def infer_stream(
        self,
        items: Iterable[Any],
        *,
        timeout: float = 15.0,
        num_parallel: int | None = None,
        retries: int = 0,
        on_error: str = "null",
        **asked: Any,  # noqa: ANN401  # as infer
    ) -> Iterator[Any]:
        """Yield what :meth:`parallel_infer` returns, and hold no more than a few requests at a time.

        Items are taken as they are needed, some ahead. An error of the iterable itself is raised once the answers to
        all items before it have been yielded.
        """
        wanted = Asked.of(on_error=on_error, **asked)
        options = ParallelOptions.of(timeout=timeout, num_parallel=num_parallel, retries=retries)

        def answers(forms: Sequence[Form[Any]], names: Sequence[str], *, bisects: bool) -> list[Any]:
            return self._answers(forms, names, wanted, bisects=bisects)

        return stream(items, answers, options)

    def check_counts(self) -> tuple[CheckResult, ...]:
        """Return how many rows each check has marked so far, of all that this pipeline has scored."""
        with self._lock:
            counts = [CheckCount(name=name, rows=rows) for name, rows in self._counts.items()]
            return judged(self.checks, counts, self._rows)

    def _answers(self, forms: Sequence[Form[Any]], names: Sequence[str], asked: Asked, *, bisects: bool) -> list[Any]:
        """Score requests that go with each other as one."""
        started = time.perf_counter_ns()
        whole = type(forms[0]).joined(forms)
        tolerant = asked.on_error == "null"
        fields = whole.names  # first of all, since two of one name are refused
        table = whole.arrow(tolerant=tolerant)
        steps = self.scorer.steps(table.schema, tolerant=tolerant)
        parsed = time.perf_counter_ns() - started
        origins = tuple(Origin(name, 0, form.rows) for name, form in zip(names, forms, strict=True))
        found = score(steps, table, origins, on_error=asked.on_error, bisects=bisects)
        if len(forms) > 1 and found.errors.null_count < len(found.errors):
            _require_some_good_row(found, forms)
        marked = self._marked(table, steps, found)
        columns = self._columns(table, fields, found, marked, (max(1, parsed), *steps.nanoseconds), asked)
        answers = type(forms[0]).answers(forms, columns)
        self._count(marked)
        return answers

    def _marked(self, table: pa.Table, steps: Steps, found: Outputs) -> Marked:
        if not self.checks:
            return Marked({}, table.num_rows)
        if found.errors.null_count < len(found.errors) or steps.screen is not None:
            table = readable(table, steps.inputs)
        values = {f"{INPUT}.{name}": table.column(name) for name in table.column_names}
        values |= {f"{OUTPUT}.{name}": column for name, column in found.columns.items()}
        return mark(self.checks, values, table.num_rows)

    def _count(self, marked: Marked) -> None:
        with self._lock:
            self._rows += marked.rows
            for name, marks in marked.by_check.items():
                self._counts[name] += int(np.count_nonzero(marks))

    def _columns(
        self,
        table: pa.Table,
        fields: Sequence[str],
        found: Outputs,
        marked: Marked,
        elapsed: Sequence[int],
        asked: Asked,
    ) -> dict[str, Column]:
        """Return the answer's columns: values, or the names of fields."""
        there = leaves(fields, list(found.columns), list(marked.by_check), with_errors=asked.on_error == "null")
        chosen = asked.columns.of(there)
        said = Provenance(
            time_ms=now_ms(), model_name=self.scorer.name, model_sha=self.scorer.sha256, version=self.version
        )
        values = {leaf: _values(leaf, found, marked, said, elapsed) for leaf in chosen}
        if asked.columns.separator is None:
            return dict(
                nested(
                    {
                        (leaf.group, leaf.name): table.column(column) if isinstance(column, str) else column
                        for leaf, column in values.items()
                    }
                )
            )
        named = [leaf.named(asked.columns.separator) for leaf in chosen]
        require_different(named)
        return dict(zip(named, values.values(), strict=True))


def _values(leaf: Leaf, found: Outputs, marked: Marked, said: Provenance, elapsed: Sequence[int]) -> Column:
    """Return the values of a column, or the name of the field that it is."""
    if leaf.group == INPUT:
        return leaf.name
    if leaf.group == OUTPUT:
        return found.columns[leaf.name]
    if not leaf.group and leaf.name == ERROR:
        return found.errors
    values = said.column(leaf, marked.rows, elapsed)
    return marks_column(leaf, marked) if values is None else values


def _require_some_good_row(found: Outputs, forms: Sequence[Form[Any]]) -> None:
    """Refuse an answer that has no good row for one of several requests: that one is an error by itself.

    Raises
    ------
    DataError
        There is such a one.
    """
    start = 0
    for form in forms:
        errors = found.errors.slice(start, form.rows)
        if form.rows and errors.null_count == 0:
            message = "None of a request's rows can be scored."
            raise DataError(message)
        start += form.rows
