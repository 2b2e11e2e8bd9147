"""Which metrics there are, in the order of reports.

Built-in metrics stand in a table of strings, others register under the entry-point group
``airflow_batch_inference.metrics``.

Invariants: no metric is imported before it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_batch_inference.registry import Registry

if TYPE_CHECKING:
    from airflow_batch_inference.drift.metrics.base import Metric

_SHARES = "airflow_batch_inference.drift.metrics.shares"
_VALUES = "airflow_batch_inference.drift.metrics.values"
_COMPAT = "airflow_batch_inference.compat"
_METRICS = Registry(
    what="metric",
    group="airflow_batch_inference.metrics",
    built_in={
        "w1": f"{_VALUES}:Wasserstein",
        "w1_sd": f"{_VALUES}:StandardizedWasserstein",
        "psi": f"{_SHARES}:PopulationStabilityIndex",
        "js": f"{_SHARES}:JensenShannon",
        "js_corrected": f"{_SHARES}:CorrectedJensenShannon",
        "kld": f"{_SHARES}:KullbackLeibler",
        "tvd": f"{_SHARES}:TotalVariation",
        "hellinger": f"{_SHARES}:Hellinger",
        "linf": f"{_SHARES}:Chebyshev",
        "chi2": f"{_SHARES}:ChiSquared",
        "ks_low": f"{_VALUES}:KolmogorovSmirnovLow",
        "ks_high": f"{_VALUES}:KolmogorovSmirnovHigh",
        "mlrun_drift": f"{_COMPAT}.mlrun.metrics:MlrunDrift",
        "mlrun_tvd": f"{_COMPAT}.mlrun.metrics:MlrunTotalVariation",
        "mlrun_hellinger": f"{_COMPAT}.mlrun.metrics:MlrunHellinger",
        "mlrun_kld": f"{_COMPAT}.mlrun.metrics:MlrunKullbackLeibler",
    },
)


def metric_names() -> tuple[str, ...]:
    """Return the names of all metrics, built-in ones first; imports none of them."""
    return _METRICS.names()


def get_metric(name: str) -> Metric:
    """Return a metric by its name.

    Raises
    ------
    ConfigurationError
        There is none of that name, or it cannot be imported.

    Examples
    --------
    >>> get_metric("w1").kind
    'numeric'
    """
    metric: Metric = _METRICS.create(name)
    return metric


def all_metrics() -> tuple[Metric, ...]:
    """Return all metrics, built-in ones first."""
    return tuple(map(get_metric, metric_names()))
