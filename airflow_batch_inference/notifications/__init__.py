"""The notifier of the package; it imports nothing heavy."""

from airflow_batch_inference.notifications.notifier import BatchInferenceNotifier

__all__ = ["BatchInferenceNotifier"]
