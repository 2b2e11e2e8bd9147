"""Operators: the thin layer that Airflow meets. Importing it loads no numerical package."""

from airflow_batch_inference.operators.drift_analysis import DriftAnalysisOperator
from airflow_batch_inference.operators.drift_gate import DriftGateOperator
from airflow_batch_inference.operators.evaluate_model import EvaluateModelOperator
from airflow_batch_inference.operators.load_model import LoadModelOperator
from airflow_batch_inference.operators.log_artifacts import LogArtifactsOperator
from airflow_batch_inference.operators.predict import PredictOperator

__all__ = [
    "DriftAnalysisOperator",
    "DriftGateOperator",
    "EvaluateModelOperator",
    "LoadModelOperator",
    "LogArtifactsOperator",
    "PredictOperator",
]
