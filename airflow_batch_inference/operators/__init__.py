"""Operators: the thin layer that Airflow meets. Importing it loads no numerical package."""
