"""Scoring from Python and notebooks, a request in, a result of its type out; no Airflow, no files."""
