"""Decorators that Airflow finds under ``@task``; imports nothing heavy."""
