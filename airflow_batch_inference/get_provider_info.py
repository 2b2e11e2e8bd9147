"""What Airflow's provider manager reads: a plain dict, so that nothing is imported to tell what there is."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

_CLI_SINCE = (3, 3)


def _commands() -> dict[str, list[str]]:
    """Return the command line's entry, which earlier versions of Airflow refuse."""
    installed = tuple(map(int, version("apache-airflow-core").split(".")[:2]))
    return {"cli": ["airflow_batch_inference.cli.get_cli_commands"]} if installed >= _CLI_SINCE else {}


def _option(description: str, *, example: str, default: str = "", kind: str = "string") -> dict[str, str]:
    return {
        "description": description,
        "version_added": "0.1.0",
        "type": kind,
        "example": example,
        "default": default,
    }


def _options() -> dict[str, dict[str, str]]:
    """Return the settings in Airflow's config."""
    return {
        "artifact_root": _option(
            "Folder or bucket path in which records, predictions and reports are kept, such as "
            "/data/artifacts or s3://bucket/artifacts. Empty: batch_inference in AIRFLOW_HOME.",
            example="s3://bucket/artifacts",
        ),
        "allowed_roots": _option(
            "Folders and bucket paths, separated by commas, that models, data, results and artifacts "
            "may be in besides artifact_root; links that lead out of them are refused. models:/ and "
            "runs:/ stand for MLflow's. Empty: anywhere.",
            example="/data/models,s3://bucket/features",
        ),
        "environments": _option(
            "Folder of the worker's own disk in which the virtual environments of scoring scripts are "
            "kept (requirements=). Empty: batch_inference_environments in AIRFLOW_HOME.",
            example="/var/cache/airflow/environments",
        ),
        "trusted_sha256": _option(
            "SHA-256 digests of models that may run code when they are loaded (pickle, joblib, "
            "TorchScript, SavedModel …), separated by commas; what sha256= says for one task.",
            example="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        ),
        "ui_rows": _option(
            "How many rows of a prediction set, and of its rejected rows, the UI shows to those who "
            "may see the DAG's XComs; at most 50. 0: no data at all.",
            example="0",
            default="10",
            kind="integer",
        ),
        "artifact_conn_id": _option(
            "Airflow connection that reaches artifact_root, if it is remote.",
            example="aws_default",
        ),
    }


def get_provider_info() -> dict[str, Any]:
    """Return the provider's description (``package-name`` must be the distribution's name)."""
    return {
        "package-name": "airflow-batch-inference",
        "name": "Batch Inference",
        "description": "Batch scoring to be trusted: load a model, score a dataset, analyse drift, log artifacts.",
        "integrations": [
            {
                "integration-name": "Batch Inference",
                "external-doc-url": "https://github.com/airflow-batch-inference/airflow-batch-inference",
                "tags": ["software"],
            }
        ],
        "operators": [
            {
                "integration-name": "Batch Inference",
                "python-modules": [
                    "airflow_batch_inference.operators.load_model",
                    "airflow_batch_inference.operators.evaluate_model",
                    "airflow_batch_inference.operators.predict",
                    "airflow_batch_inference.operators.preflight",
                    "airflow_batch_inference.operators.scoring_script",
                    "airflow_batch_inference.operators.drift_analysis",
                    "airflow_batch_inference.operators.log_artifacts",
                    "airflow_batch_inference.operators.drift_gate",
                ],
            }
        ],
        "extra-links": [
            "airflow_batch_inference.links.DriftReportLink",
            "airflow_batch_inference.links.PredictionsLink",
            "airflow_batch_inference.links.PublishedArtifactsLink",
            "airflow_batch_inference.links.EvaluationReportLink",
        ],
        "notifications": ["airflow_batch_inference.notifications.BatchInferenceNotifier"],
        "task-decorators": [
            {"name": "score", "class-name": "airflow_batch_inference.decorators.score.score_task"},
        ],
        **_commands(),
        "config": {
            "batch_inference": {
                "description": "Settings of the batch inference provider.",
                "options": _options(),
            }
        },
    }
