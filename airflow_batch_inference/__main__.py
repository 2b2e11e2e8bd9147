"""``python -m airflow_batch_inference``."""

from airflow_batch_inference.cli import main

if __name__ == "__main__":
    main()
