"""Scoring from Python and notebooks, as in Wallaroo: a request in, a result of its type out; no Airflow, no files."""
