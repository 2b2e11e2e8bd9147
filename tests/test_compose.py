"""docker-compose.yaml, as far as it can be tested without a container engine."""

import importlib.util
import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docker-compose.yaml").read_text()
COMPOSE = yaml.safe_load(TEXT)
SERVICES = COMPOSE["services"]
AIRFLOW = {name: service for name, service in SERVICES.items() if "build" in service}
SECRETS = {"AIRFLOW_FERNET_KEY", "AIRFLOW_JWT_SECRET", "AIRFLOW_API_SECRET_KEY", "POSTGRES_PASSWORD"}


def mounts(service):
    return {volume.split(":")[0]: volume.split(":")[1] for volume in service["volumes"]}


def test_the_file_is_valid_by_the_schema_of_the_compose_specification():
    schema = json.loads((ROOT / "tests" / "data" / "compose-spec.json").read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.validate(COMPOSE, schema, cls=jsonschema.Draft7Validator)


def test_the_stack_has_the_services_of_airflow_3():
    assert set(AIRFLOW) == {"migrate", "api-server", "scheduler", "dag-processor", "triggerer", "worker"}
    assert set(SERVICES) - set(AIRFLOW) == {"postgres", "redis"}


def test_every_secret_must_be_given_and_has_no_default():
    used = set(re.findall(r"\$\{(\w+):\?[^}]+\}", TEXT))
    assert used == SECRETS
    for secret in SECRETS:
        assert not re.search(rf"\$\{{{secret}(?!:\?)", TEXT), f"{secret} is used somewhere without ':?'"


def test_the_example_of_the_secrets_names_each_and_sets_none():
    lines = (ROOT / ".env.example").read_text().splitlines()
    assignments = {line for line in lines if line and not line.startswith("#")}
    assert assignments == {f"{secret}=" for secret in SECRETS}


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_service_has_a_health_check_or_ends_by_itself(name):
    service = SERVICES[name]
    if name == "migrate":
        assert service["restart"] == "no"
        assert service["command"] == "db migrate"
    else:
        assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")


@pytest.mark.parametrize("name", sorted(AIRFLOW))
def test_all_airflow_services_share_the_secrets_the_execution_api_and_the_database(name):
    environment = SERVICES[name]["environment"]
    assert environment == SERVICES["api-server"]["environment"]
    assert environment["AIRFLOW__API_AUTH__JWT_SECRET"].startswith("${AIRFLOW_JWT_SECRET:?")
    assert environment["AIRFLOW__CORE__FERNET_KEY"].startswith("${AIRFLOW_FERNET_KEY:?")
    assert environment["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://api-server:8080/execution/"


@pytest.mark.parametrize("name", sorted(AIRFLOW))
def test_artifacts_lie_in_one_volume_that_the_api_server_mounts_too(name):
    service = SERVICES[name]
    assert "artifacts" in COMPOSE["volumes"]
    assert mounts(service)["artifacts"] == service["environment"]["AIRFLOW__BATCH_INFERENCE__ARTIFACT_ROOT"]


@pytest.mark.parametrize("name", sorted(set(AIRFLOW) - {"migrate"}))
def test_airflow_starts_when_the_database_is_up_and_migrated(name):
    waits_for = {service: how["condition"] for service, how in SERVICES[name]["depends_on"].items()}
    assert waits_for["postgres"] == "service_healthy"
    assert waits_for["migrate"] == "service_completed_successfully"


def test_the_local_executor_is_the_default_and_celery_a_profile_of_its_own():
    assert SERVICES["scheduler"]["environment"]["AIRFLOW__CORE__EXECUTOR"] == "${AIRFLOW_EXECUTOR:-LocalExecutor}"
    assert {name for name, service in SERVICES.items() if service.get("profiles") == ["celery"]} == {"redis", "worker"}
    assert all("redis" not in service.get("depends_on", {}) for name, service in AIRFLOW.items() if name != "worker")


def test_a_worker_may_die_and_no_task_is_delivered_twice():
    environment = SERVICES["worker"]["environment"]
    assert int(environment["AIRFLOW__CORE__DEFAULT_TASK_RETRIES"]) >= 1
    assert int(environment["AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT"]) >= 86_400


def test_what_workers_import_beforehand_is_there():
    for name in json.loads(SERVICES["worker"]["environment"]["AIRFLOW__CELERY__EXTRA_CELERY_CONFIG"])["imports"]:
        assert importlib.util.find_spec(name), name


def test_only_the_api_server_is_published_and_only_on_this_machine():
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert list(published) == ["api-server"]
    assert all(port.startswith("127.0.0.1:") for port in published["api-server"])


def test_the_image_has_the_airflow_that_its_tag_and_a_lock_file_name():
    image = SERVICES["api-server"]["image"]
    version = image.rpartition(":")[2]
    assert (ROOT / "requirements" / f"airflow-{version}.txt").exists()
    recipe = SERVICES["api-server"]["build"]["dockerfile_inline"]
    assert set(re.findall(r"airflow(?::|==)(\d+\.\d+\.\d+)", recipe)) == {version}
