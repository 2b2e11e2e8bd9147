"""A model in memory that requests are scored with, one after the other or many at a time.

Invariants: a request is never changed; its answer has its type; and a pipeline may be used by several threads at once.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_batch_inference.checks.checks import Marked, judged, mark, parse_checks
from airflow_batch_inference.compat.wallaroo.provenance import Provenance, marks_column, pipeline_version
from airflow_batch_inference.compat.wallaroo.result_columns import ERROR, INPUT, OUTPUT, leaves
from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.formats.csv.options import parse_csv_options
from airflow_batch_inference.inference.arguments import refuses_unknown
from airflow_batch_inference.inference.asked import Asked
from airflow_batch_inference.inference.files import CUSTOM_JSON, read_request
from airflow_batch_inference.inference.forms import TableForm, cut
from airflow_batch_inference.inference.models import THE_DATA, ModelOptions, ready_model
from airflow_batch_inference.inference.parallel import ParallelOptions, stream
from airflow_batch_inference.inference.pieces import (
    PIECE_ROWS,
    Answers,
    Awaited,
    in_event_loop,
    pieces_of,
    put_together,
)
from airflow_batch_inference.inference.scored import Outputs, now_ms, readable, require_some_good_row, score
from airflow_batch_inference.inference.taking import is_whole, take, take_frame, take_json
from airflow_batch_inference.inference.threads import InTime, seconds
from airflow_batch_inference.records import CheckCount, ReadOptions
from airflow_batch_inference.sources.batches import Origin
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.trees.fast_model import require_choice

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from os import PathLike

    import pyarrow as pa

    from airflow_batch_inference.compat.wallaroo.result_columns import Leaf
    from airflow_batch_inference.inference.forms import Column, Form
    from airflow_batch_inference.inference.models import RequestPredictor, Scorer
    from airflow_batch_inference.records import CheckResult


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

    @refuses_unknown
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
        self._in_time = InTime()
        self._counts = dict.fromkeys((check.name for check in self.checks), 0)
        self._rows = 0

    @refuses_unknown
    def infer(
        self,
        data: Any,  # noqa: ANN401  # one of the forms, and the answer has the same
        timeout: float | None = None,
        dataset: str | Sequence[str] | None = None,
        dataset_exclude: str | Sequence[str] | None = None,
        dataset_separator: str | None = ".",
        *,
        on_error: str = "raise",
    ) -> Any:  # noqa: ANN401  # see above
        """Score a request and return its answer in the same form.

        Parameters
        ----------
        data
            A pandas or polars DataFrame, a pyarrow Table or RecordBatch, a dict of columns, a list of records, or a
            NumPy array: a structured one is answered by one, any other by what the model returns, and nothing else.
        timeout
            Seconds that it may take; None: any time.
        dataset, dataset_exclude
            Which columns: ``*`` (time, in, out, check_failures; also None), parents (``in``, ``out``, ``anomaly``,
            ``metadata``) and leaves (``in.age``, ``metadata.elapsed``). A leaf that is asked for beats an excluded
            parent.
        dataset_separator
            Between parent and field; None: a parent is one column that holds its fields.
        on_error
            ``raise``: the first bad row is an error; ``null``: its outputs are null, and the column ``error`` says why.

        Raises
        ------
        TypeError
            The data have none of these forms, or there is no such argument.
        DataError, PredictionError
            The data do not fit the model, or the model fails on them.
        TimeoutError
            They were not scored in time; the call itself goes on in a thread.
        ConfigurationError
            A name stands for no column, or a check cannot be evaluated.
        """
        asked = Asked.of(
            dataset=dataset,
            dataset_exclude=dataset_exclude,
            dataset_separator=dataset_separator,
            on_error=on_error,
        )
        return self._answer(take(data, self.scorer.array_inputs), asked, timeout)

    @refuses_unknown
    def infer_from_file(
        self,
        path: str | PathLike[str],
        data_format: str | None = None,
        timeout: float | None = None,
        dataset: str | Sequence[str] | None = None,
        dataset_exclude: str | Sequence[str] | None = None,
        dataset_separator: str | None = ".",
        *,
        on_error: str = "raise",
        csv_options: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401  # as infer
        """Score a file and return its answer: a Table for columnar files, a DataFrame for others.

        Parameters
        ----------
        path
            Path or URI: ``.arrow``, ``.feather``, ``.parquet`` (answered by a Table); ``.json`` (pandas records),
            ``.jsonl``, ``.csv`` (answered by a DataFrame).
        data_format
            ``arrow``, ``feather``, ``parquet``, ``pandas-records``, ``jsonl`` or ``csv``, whatever the file is called;
            or ``custom-json``: a dict of columns, a list of records or a list of rows, answered by such JSON of what
            the model returns, under the model's own names (with ``dataset``: by the columns that it names).
        timeout, dataset, dataset_exclude, dataset_separator, on_error
            As :meth:`infer` takes them; the time is that of scoring.
        csv_options
            What a CSV file looks like, as the operators take it.

        Raises
        ------
        ArtifactNotFoundError, DataError
            The file is not there, cannot be read, or is of another format.
        """
        reading = ReadOptions(csv=parse_csv_options(csv_options or {}), types=self.scorer.inputs or ())
        asked = Asked.of(
            dataset=dataset,
            dataset_exclude=dataset_exclude,
            dataset_separator=dataset_separator,
            on_error=on_error,
        )
        content = read_request(path, data_format, self._storage, reading)
        if data_format == CUSTOM_JSON:
            form: Form[Any] = take_json(content, self.scorer.array_inputs)
            asked = asked.outputs() if asked.is_default else asked
        else:
            form = take(content, self.scorer.array_inputs)
        return self._answer(form, asked, timeout)

    @refuses_unknown
    def parallel_infer(
        self,
        tensor_list: Any,  # noqa: ANN401  # requests, or one frame
        timeout: float | None = 15.0,
        num_parallel: int | None = None,
        retries: int | None = 0,
        dataset: str | Sequence[str] | None = None,
        dataset_exclude: str | Sequence[str] | None = None,
        dataset_separator: str | None = ".",
        *,
        batch_size: int | None = None,
        on_error: str = "null",
    ) -> Any:  # noqa: ANN401  # a list, or a frame for a frame
        """Score many requests, and return their answers in their order; a request that fails has its error there.

        It is called with ``await`` or without: what it returns is a list in both cases, and it has been computed when
        the call comes back. One frame, table or array is cut into requests of ``batch_size`` rows, and answered as a
        whole; in an event loop that answer must be awaited, and the loop goes on while it is made.

        Parameters
        ----------
        tensor_list
            Requests, each in one of the forms of :meth:`infer`; or one frame, table or array.
        timeout
            Seconds that one request may take; then its answer is a TimeoutError.
        num_parallel
            How many calls of the model run at once.
        retries
            How often a request that failed is tried again.
        batch_size
            Rows of a piece of one frame; of a list, how many rows are joined for one call of the model at most.
        dataset, dataset_exclude, dataset_separator, on_error
            As :meth:`infer` takes them; here a bad row costs that row alone by default, and a request is an error where
            none of its rows can be scored.
        """
        asked = Asked.of(
            dataset=dataset,
            dataset_exclude=dataset_exclude,
            dataset_separator=dataset_separator,
            on_error=on_error,
        )
        options = ParallelOptions.of(timeout=timeout, num_parallel=num_parallel, retries=retries, batch_size=batch_size)
        if not is_whole(tensor_list):
            return Answers(self._stream(tensor_list, asked, options))
        form = take_frame(tensor_list, self.scorer.array_inputs)
        if in_event_loop():
            return Awaited(lambda: self._whole(form, asked, options))
        return self._whole(form, asked, options)

    @refuses_unknown
    def infer_stream(
        self,
        tensor_list: Iterable[Any],
        timeout: float | None = 15.0,
        num_parallel: int | None = None,
        retries: int | None = 0,
        dataset: str | Sequence[str] | None = None,
        dataset_exclude: str | Sequence[str] | None = None,
        dataset_separator: str | None = ".",
        *,
        batch_size: int | None = None,
        on_error: str = "null",
    ) -> Iterator[Any]:
        """Yield what :meth:`parallel_infer` returns for many requests, and hold no more than a few of them at a time.

        Items are taken as they are needed, some ahead. An error of the iterable itself is raised once the answers to
        all items before it have been yielded.
        """
        asked = Asked.of(
            dataset=dataset,
            dataset_exclude=dataset_exclude,
            dataset_separator=dataset_separator,
            on_error=on_error,
        )
        options = ParallelOptions.of(timeout=timeout, num_parallel=num_parallel, retries=retries, batch_size=batch_size)
        return self._stream(tensor_list, asked, options)

    def check_counts(self) -> tuple[CheckResult, ...]:
        """Return how many rows each check has marked so far, of all that this pipeline has scored."""
        with self._lock:
            counts = [CheckCount(name=name, rows=rows) for name, rows in self._counts.items()]
            return judged(self.checks, counts, self._rows)

    def _answer(self, form: Form[Any], asked: Asked, timeout: float | None) -> Any:  # noqa: ANN401  # as infer
        """Score one request, within its time."""
        if form.is_bare and asked.on_error == "null":
            message = (
                "on_error is 'null', but the answer to an array has no place for errors: leave it out, or give a data "
                "frame, an Arrow table or a structured array."
            )
            raise ConfigurationError(message)

        def call() -> Any:  # noqa: ANN401  # as infer
            return self._answers([form], [THE_DATA], asked, bisects=True)[0]

        return call() if timeout is None else self._in_time.run(call, seconds("timeout", timeout))

    def _stream(self, items: Iterable[Any], asked: Asked, options: ParallelOptions) -> Iterator[Any]:
        inputs = self.scorer.array_inputs

        def answers(forms: Sequence[Form[Any]], names: Sequence[str], *, bisects: bool) -> list[Any]:
            return self._answers(forms, names, asked, bisects=bisects)

        return stream(items, lambda item: take(item, inputs), answers, options)

    def _whole(self, form: Form[Any], asked: Asked, options: ParallelOptions) -> Any:  # noqa: ANN401  # as infer
        """Score one frame in pieces."""
        if form.is_bare:
            asked = asked.bare()
        table = form.arrow(tolerant=asked.on_error == "null")
        pieces = list(pieces_of(table, options.batch_size or PIECE_ROWS))

        def columns(forms: Sequence[Form[Any]], names: Sequence[str], *, bisects: bool) -> list[Any]:
            values, _, marked = self._scored(forms, names, asked, bisects=bisects)
            self._count(marked)
            return cut(forms, values)

        answers = list(stream(pieces, TableForm, columns, options))
        failed = next((answer for answer in answers if isinstance(answer, Exception)), None)
        if failed is not None and asked.on_error == "raise":
            raise failed
        values = put_together(answers, [piece.num_rows for piece in pieces], form.names)
        return type(form).answers([form], asked.named(values, table))[0]

    def _answers(self, forms: Sequence[Form[Any]], names: Sequence[str], asked: Asked, *, bisects: bool) -> list[Any]:
        """Score requests that go with each other as one."""
        if forms[0].is_bare:
            asked = asked.bare()
        values, table, marked = self._scored(forms, names, asked, bisects=bisects)
        answers = type(forms[0]).answers(forms, asked.named(values, table))
        self._count(marked)
        return answers

    def _scored(
        self, forms: Sequence[Form[Any]], names: Sequence[str], asked: Asked, *, bisects: bool
    ) -> tuple[dict[Leaf, Column], pa.Table, Marked]:
        """Return the columns that are asked for, of all requests together, their fields, and what the checks mark."""
        started = time.perf_counter_ns()
        whole = type(forms[0]).joined(forms)
        tolerant = asked.on_error == "null"
        fields = whole.names  # first of all, since two of one name are refused
        table = whole.arrow(tolerant=tolerant)
        model = self.scorer.predictor(table.schema, tolerant=tolerant)
        parsed = time.perf_counter_ns() - started
        origins = tuple(Origin(name, 0, form.rows) for name, form in zip(names, forms, strict=True))
        found = score(model, table, origins, on_error=asked.on_error, bisects=bisects)
        if len(forms) > 1 and found.errors.null_count < len(found.errors):
            require_some_good_row(found, [form.rows for form in forms])
        marked = self._marked(table, model, found)
        return self._columns(fields, found, marked, (max(1, parsed), *model.predictor.elapsed), asked), table, marked

    def _marked(self, table: pa.Table, model: RequestPredictor, found: Outputs) -> Marked:
        if not self.checks:
            return Marked({}, table.num_rows)
        if found.errors.null_count < len(found.errors) or model.predictor.validation is not None:
            table = readable(table, model.inputs)
        values = {f"{INPUT}.{name}": table.column(name) for name in table.column_names}
        values |= {f"{OUTPUT}.{name}": column for name, column in found.columns.items()}
        return mark(self.checks, values, table.num_rows)

    def _count(self, marked: Marked) -> None:
        with self._lock:
            self._rows += marked.rows
            for name, marks in marked.by_check.items():
                self._counts[name] += int(np.count_nonzero(marks))

    def _columns(
        self, fields: Sequence[str], found: Outputs, marked: Marked, elapsed: Sequence[int], asked: Asked
    ) -> dict[Leaf, Column]:
        """Return the answer's columns: values, or the names of fields."""
        there = leaves(fields, list(found.columns), list(marked.by_check), with_errors=asked.on_error == "null")
        said = Provenance(
            time_ms=now_ms(), model_name=self.scorer.name, model_sha=self.scorer.sha256, version=self.version
        )
        return {leaf: _values(leaf, found, marked, said, elapsed) for leaf in asked.columns.of(there)}


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
