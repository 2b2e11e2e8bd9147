"""An environment as a task of Airflow has it, full of secrets, and code that tells all that a process sees of it."""

from __future__ import annotations

CANARY = "canary-7f3a"
SECRETS = {
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql://airflow:{CANARY}@db/airflow",
    "AIRFLOW__CORE__FERNET_KEY": CANARY,
    "AIRFLOW__API_AUTH__JWT_SECRET": CANARY,
    "AIRFLOW__CELERY__BROKER_URL": f"redis://:{CANARY}@redis/0",
    "AIRFLOW_CONN_WAREHOUSE": f"postgresql://u:{CANARY}@h/d",
    "AIRFLOW_VAR_TOKEN": CANARY,
    "AWS_ACCESS_KEY_ID": CANARY,
    "AWS_SECRET_ACCESS_KEY": CANARY,
    "AWS_SESSION_TOKEN": CANARY,
    "AZURE_CLIENT_SECRET": CANARY,
    "AZURE_STORAGE_CONNECTION_STRING": f"AccountName=a;AccountKey={CANARY}",
    "GITHUB_TOKEN": CANARY,
    "MLFLOW_TRACKING_PASSWORD": CANARY,
    "DATABASE_URL": f"postgresql://u:{CANARY}@h/d",
    "HTTPS_PROXY": f"http://user:{CANARY}@proxy:3128",
    "PIP_INDEX_URL": f"https://user:{CANARY}@pypi.example/simple",
    "KUBERNETES_SERVICE_TOKEN": CANARY,
    "OMPX": CANARY,
    "TORCHX": CANARY,
    "TF_PROXY": f"http://u:{CANARY}@h",
}
TELL = """
import os

def tell(path):
    '''Append all that this process sees: as it was started, as it is now, and its command line.'''
    with open(path, "ab") as file:
        file.write(repr(dict(os.environ)).encode() + b"\\n")
        for name in ("environ", "cmdline"):
            with open(f"/proc/self/{name}", "rb") as seen:
                file.write(seen.read().replace(b"\\0", b"\\n") + b"\\n")
"""
