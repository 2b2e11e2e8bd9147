"""Operators, the groups of their arguments, the retry policy, and where artifacts lie: what DAG files import.

Importing it loads no numerical package.
"""

from airflow_batch_inference.operators.drift_analysis import DriftAnalysisOperator
from airflow_batch_inference.operators.drift_gate import DriftGateOperator
from airflow_batch_inference.operators.evaluate_model import EvaluateModelOperator
from airflow_batch_inference.operators.groups.compare import Challengers, EarlierEvaluation, Split
from airflow_batch_inference.operators.groups.drift import EffectRule, History, MlrunRule
from airflow_batch_inference.operators.groups.engines import Processes, Threads
from airflow_batch_inference.operators.groups.models import GoldenSet, MlflowModel, Problem, SampleScoring, Trust
from airflow_batch_inference.operators.groups.output import Layout, WallarooLayout
from airflow_batch_inference.operators.groups.rows import RowPolicy
from airflow_batch_inference.operators.groups.scripts import ErrorLimits, ScriptEnvironment, ScriptSettings
from airflow_batch_inference.operators.load_model import LoadModelOperator
from airflow_batch_inference.operators.log_artifacts import LogArtifactsOperator
from airflow_batch_inference.operators.predict import PredictOperator
from airflow_batch_inference.operators.preflight import PreflightOperator
from airflow_batch_inference.operators.retry import batch_inference_retry_policy
from airflow_batch_inference.operators.scoring_script import ScoringScriptOperator
from airflow_batch_inference.operators.stores import artifact_root, artifact_storage

OPERATORS = (
    LoadModelOperator,
    EvaluateModelOperator,
    PreflightOperator,
    PredictOperator,
    ScoringScriptOperator,
    DriftAnalysisOperator,
    LogArtifactsOperator,
    DriftGateOperator,
)
GROUPS = (
    Challengers,
    EarlierEvaluation,
    EffectRule,
    ErrorLimits,
    GoldenSet,
    History,
    Layout,
    MlflowModel,
    MlrunRule,
    Problem,
    Processes,
    RowPolicy,
    SampleScoring,
    ScriptEnvironment,
    ScriptSettings,
    Split,
    Threads,
    Trust,
    WallarooLayout,
)

__all__ = [
    "GROUPS",
    "OPERATORS",
    "Challengers",
    "DriftAnalysisOperator",
    "DriftGateOperator",
    "EarlierEvaluation",
    "EffectRule",
    "ErrorLimits",
    "EvaluateModelOperator",
    "GoldenSet",
    "History",
    "Layout",
    "LoadModelOperator",
    "LogArtifactsOperator",
    "MlflowModel",
    "MlrunRule",
    "PredictOperator",
    "PreflightOperator",
    "Problem",
    "Processes",
    "RowPolicy",
    "SampleScoring",
    "ScoringScriptOperator",
    "ScriptEnvironment",
    "ScriptSettings",
    "Split",
    "Threads",
    "Trust",
    "WallarooLayout",
    "artifact_root",
    "artifact_storage",
    "batch_inference_retry_policy",
]
