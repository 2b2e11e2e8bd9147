"""The operator that scores files with a script's ``init()`` and ``run(mini_batch)``, or with a model once a file."""

from __future__ import annotations

import shlex
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.operators.arguments import csv_options, optional_text, require_csv_options, structure
from airflow_batch_inference.operators.groups.base import require_group
from airflow_batch_inference.operators.groups.scripts import ErrorLimits, ScriptEnvironment, ScriptSettings
from airflow_batch_inference.operators.inputs import read_model, resolve_model
from airflow_batch_inference.operators.score_files import FileScoringOperator
from airflow_batch_inference.operators.stores import environments_folder, storage_for
from airflow_batch_inference.operators.task_context import model_of
from airflow_batch_inference.storage.uris import is_record_uri

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from airflow.sdk.definitions.context import Context

    from airflow_batch_inference.scripts.filewise import FilewiseModel
    from airflow_batch_inference.scripts.request import Scorer
    from airflow_batch_inference.scripts.source import OwnPython, UserScript
    from airflow_batch_inference.storage.store import Storage

_GROUPS = {"settings": ScriptSettings, "limits": ErrorLimits, "environment": ScriptEnvironment}
_OF_SCRIPTS = ("code", "program_arguments", "environment", "label_columns")


class ScoringScriptOperator(FileScoringOperator):
    """Score files with a script, as in Azure ML's batch deployments and parallel jobs: see docs/scripts.md.

    The script's ``init()`` runs once in each worker process and its ``run(mini_batch)`` on the files. Without a script
    the model predicts once a file (``.csv``, ``.parquet``), and the columns are ``row``, ``prediction`` and
    ``file_name``, as of an MLflow model in Azure ML.

    Returns the commit's URI; pushes ``rows``, ``items`` and ``items_failed`` (files), ``batch_id`` and ``model_sha256``
    by XCom. Nothing is visible before the whole set is; the same job run again returns the commit that is there, and a
    retry runs only the mini-batches that are missing.

    :param scoring_script: a Python file with ``init()`` and ``run(mini_batch)``: a path or URI, relative to ``code``
        where that is given. Whoever names it here lets it run, with whatever it does to its model. (templated)
    :param model: a file or folder of any kind that the script finds by ``AZUREML_MODEL_DIR``, the URI of a model
        record, an alias, or None. Without a script: as ``PredictOperator`` takes one model. (templated)
    :param as_of: with an alias, the version that was live at this time; None: the newest. (templated)
    :param code: folder of the script's modules; None: the script's own. (templated)
    :param program_arguments: what the script finds in ``sys.argv[1:]``: a list, or text as in a shell. (templated)
    :param environment: :class:`ScriptEnvironment`: the Python that the script runs in; None: the worker's. (templated)
    :param csv_options: what CSV files look like, where there is no script: see docs/types.md. (templated)
    """

    template_fields: Sequence[str] = (
        *FileScoringOperator.template_fields,
        "scoring_script",
        "model",
        "as_of",
        "code",
        "program_arguments",
        "environment",
        "csv_options",
    )

    def __init__(
        self,
        *,
        scoring_script: str | None = None,
        model: str | None = None,
        as_of: str | datetime | None = None,
        code: str | None = None,
        program_arguments: str | Sequence[str] | None = None,
        environment: ScriptEnvironment | None = None,
        csv_options: Mapping[str, Any] | None = None,
        **kwargs: Any,  # noqa: ANN401  # FileScoringOperator's
    ) -> None:
        super().__init__(**kwargs)
        self.scoring_script = scoring_script
        self.model = model
        self.as_of = as_of
        self.code = code
        self.program_arguments = program_arguments
        self.environment = environment
        require_group("environment", environment, ScriptEnvironment)
        self.csv_options = csv_options
        self.require_absolute("model")
        self.require_known(csv_options=require_csv_options, program_arguments=_words)
        self._require_together()

    def _require_together(self) -> None:
        """Refuse arguments that mean nothing with a script, or without one.

        Raises
        ------
        ConfigurationError
            Names them.
        """
        has_script = optional_text(self.scoring_script) is not None
        several = structure(self.model) if isinstance(self.model, (list, tuple, dict)) else None
        if several is not None:
            message = f"model is {several!r}; it must be one model: a record's URI, an alias or a model file."
            raise ConfigurationError(message)
        if not has_script and self.model is None:
            message = "Neither scoring_script nor model is given: nothing scores the files. Give one of them."
            raise ConfigurationError(message)
        unused = ("csv_options",) if has_script else _OF_SCRIPTS
        given = [name for name in unused if getattr(self, name) is not None]
        if given:
            why = (
                "a scoring_script reads its files itself"
                if has_script
                else "without a scoring_script the model predicts once a file, and has columns of its own"
            )
            message = f"{', '.join(given)} cannot be given here: {why}. Leave them out."
            raise ConfigurationError(message)

    @classmethod
    def from_azure_deployment(
        cls,
        path: str | Path,
        *,
        task_id: str,
        dataset: object,
        **overrides: Any,  # noqa: ANN401  # this operator's own arguments
    ) -> ScoringScriptOperator:
        """Make an operator of an Azure ML batch deployment's YAML file, which is read while the DAG is parsed.

        :param path: of the file; ``model.path`` and ``code_configuration`` in it are relative to its folder.
        :param task_id: the task's.
        :param dataset: the files that are scored.
        :param overrides: further arguments, those of ``settings``, ``limits`` and ``environment`` by their own names;
            they win over those of the file. A model of Azure's registry (``azureml:name@version``) must be given so.
        """
        from airflow_batch_inference.compat.azureml.deployment import arguments_of

        arguments = arguments_of(path, overrides)
        groups: dict[str, Any] = {}
        for argument, kind in _GROUPS.items():
            asked = {each.name: arguments.pop(each.name) for each in fields(kind) if each.name in arguments}
            if asked:
                groups[argument] = kind(**asked)
        return cls(task_id=task_id, dataset=dataset, **groups, **arguments)

    def scorer(self, context: Context) -> Scorer:  # noqa: ARG002  # functions want it
        """Return the script with its model's files, or the model that predicts once a file."""
        self._require_together()  # a template may have made anything
        return self._filewise() if optional_text(self.scoring_script) is None else self._script()

    def program_words(self) -> tuple[str, ...]:
        """Return what the script finds in ``sys.argv[1:]``."""
        return _words("program_arguments", self.program_arguments)

    def _script(self) -> UserScript:
        """Return the script with the files of its model, whose record is believed as far as its digest goes."""
        from airflow_batch_inference.scripts.source import UserScript

        storage = storage_for(optional_text(self.conn_id))
        uri, digest, record_uri, model_storage = optional_text(self.model), None, None, storage
        if uri is not None:
            uri = resolve_model(uri, self.as_of, root=self.root, storage=self.storage)
            if is_record_uri(uri):
                record_uri = uri
                record = read_model("model", uri, root=self.root, storage=self.storage)
                uri, digest, model_storage = record.model_uri, record.sha256, storage_for(record.conn_id)
        return UserScript(
            script=str(self.scoring_script),
            code=optional_text(self.code),
            storage=storage,
            model_uri=uri,
            model_sha256=digest,
            model_record_uri=record_uri,
            model_storage=model_storage,
            own_python=self._own_python(storage),
        )

    def _own_python(self, storage: Storage) -> OwnPython | None:
        """Return the interpreter that the script is to have for itself, if any."""
        from airflow_batch_inference.scripts.source import OwnPython

        asked = (self.environment or ScriptEnvironment()).parse_all()
        if asked["python"] is None and asked["requirements"] is None:
            return None

        def raise_if_stopped() -> None:
            if self.is_stopped():
                message = "The task was stopped while the environment of its script was built."
                raise InterruptedError(message)

        return OwnPython(
            python=asked["python"],
            requirements=asked["requirements"],
            environments=environments_folder(),
            variables=self.script_settings().environment_variables,
            storage=storage,
            raise_if_stopped=raise_if_stopped,
        )

    def _filewise(self) -> FilewiseModel:
        from airflow_batch_inference.scripts.filewise import FilewiseModel

        uri = resolve_model(str(self.model), self.as_of, root=self.root, storage=self.storage)
        _, record, record_uri = model_of(uri, optional_text(self.conn_id), self.root, self.storage)
        return FilewiseModel(
            record=record,
            record_uri=record_uri,
            storage=self.storage,
            model_storage=storage_for(record.conn_id),
            csv=csv_options(self.csv_options),
        )


def _words(name: str, value: object) -> tuple[str, ...]:
    """Return what stands in ``sys.argv[1:]``.

    Raises
    ------
    ConfigurationError
        It is neither text nor a list of values.

    Examples
    --------
    >>> _words("program_arguments", "--name 'a b'"), _words("program_arguments", ["--top", 3])
    (('--name', 'a b'), ('--top', '3'))
    """
    given = structure(value)
    if given is None:
        return ()
    try:
        items = shlex.split(given) if isinstance(given, str) else given
    except ValueError as error:
        message = f"{name} is {value!r}, which is no line of a shell ({error}). Give a list."
        raise ConfigurationError(message) from error
    if not isinstance(items, (list, tuple)) or any(isinstance(each, (dict, list, tuple)) for each in items):
        message = f"{name} is {value!r}; it must be text as in a shell, or a list of values."
        raise ConfigurationError(message)
    return tuple(map(str, items))
