"""Models in MLflow's folders."""
