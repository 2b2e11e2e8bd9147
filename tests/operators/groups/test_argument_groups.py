"""Groups of arguments: checked when they are made, rendered with the task, known to Airflow."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import DAG, Asset

from airflow_batch_inference.drift.rules.registry import make_rule
from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.operators import (
    GROUPS,
    Challengers,
    DriftAnalysisOperator,
    EffectRule,
    LoadModelOperator,
    MlrunRule,
    PredictOperator,
    Processes,
    RowPolicy,
    Split,
)

GIVEN = {
    "challengers": {"b": "/m"},
    "uri": "models:/m/1",
    "rows": "/golden",
    "evaluation": "/e",
    "weights": {"a": 1},
    "name": "wallaroo",
}


def made(kind, **arguments):
    needed = {each.name for each in dataclasses.fields(kind) if each.default is dataclasses.MISSING}
    needed |= {"weights"} if kind is Split else set()
    return kind(**{name: GIVEN[name] for name in needed} | arguments)


@pytest.mark.parametrize("kind", GROUPS)
def test_every_group_is_frozen_travels_and_parses_its_own_defaults(kind):
    group = made(kind)
    assert set(kind.template_fields) == {each.name for each in dataclasses.fields(kind)} == set(group.parse_all())
    assert pickle.loads(pickle.dumps(group)) == group == copy.deepcopy(group)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(group, kind.template_fields[0], 1)


@pytest.mark.parametrize("kind", [EffectRule, MlrunRule])
def test_a_rule_s_arguments_are_settings_of_the_rule_with_the_same_defaults(kind):
    assert make_rule(kind.name, **kind().parse_all()) == make_rule(kind.name)


def test_a_mapped_task_waits_for_outputs_within_a_rule():
    with DAG("d", schedule=None):
        load = LoadModelOperator(task_id="load", model_uri="/m")
        rule = EffectRule(min_rows=load.output)
        mapped = DriftAnalysisOperator.partial(task_id="mapped", rule=rule).expand(dataset=["/a", "/b"])
    assert mapped.upstream_task_ids == {"load"}


@pytest.mark.parametrize("kind", GROUPS)
def test_templates_are_left_alone_until_they_are_rendered(kind):
    templates = {name: f"{{{{ params.{name} }}}}" for name in kind.template_fields}
    group = kind(**templates)
    assert dict(group.given()) == templates


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: RowPolicy(error_threshold=-2), "error_threshold is -2"),
        (lambda: RowPolicy(max_rejected_fraction=1.5), "max_rejected_fraction is 1.5; it must be a number from 0 to 1"),
        (lambda: RowPolicy(on_mismatch={"age": "nul"}), r"on_mismatch is 'nul'; .*did you mean 'null'"),
        (lambda: Processes(accelerate="aut"), "did you mean 'auto'"),
        (lambda: Processes(max_memory="much"), "max_memory is 'much'"),
        (lambda: Processes(mini_batch_rows=0), "mini_batch_rows is 0"),
        (lambda: Challengers({}), "it must name at least one model"),
        (
            lambda: Challengers({"b": "/m"}, disagreements={"treshold": 1}),
            "disagreements has 'treshold'.*did you mean 'threshold'",
        ),
        (lambda: Split(), "Split takes either weights"),
        (lambda: Split(weights={"a": 1}, values={"x": "a"}), "Split takes either weights"),
        (lambda: Split(values={"gold": "b"}, default="a"), "Split has values, but no key"),
        (lambda: Split(weights={"a": 1}, default="a"), "Split has weights and default"),
    ],
)
def test_what_can_never_work_is_refused_when_it_is_made(make, match):
    with pytest.raises(ConfigurationError, match=match):
        make()


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"model": "/m", "rows": 5}, r"rows is 5; it must be RowPolicy\(…\)"),
        ({"model": "/m", "engine": "process"}, r"engine is 'process'; .*did you mean 'processes'"),
        ({"model": "/m", "engine": 5}, r"engine is 5; it must be one of 'auto', 'in_process', 'threads', 'processes'"),
        ({"model": "/m", "on_empty": "skipp"}, "on_empty is 'skipp'; .*did you mean 'skip'"),
        (
            {"model": "/m", "output_format": "csv"},
            "output_format is no argument of .*'p'.* always Parquet; .*publish_to",
        ),
        ({"model": "/m", "checks": {"x": {"when": "in.a > 1", "action": "fial"}}}, "did you mean 'fail'"),
        ({"model": "/m", "checks": {"x": {"when": "in.a > 1", "max_rate": 5}}}, "For 5 % write 0.05"),
        ({"model": {"a": "/m", "b": "/n"}}, "there is no Split to say which"),
        ({"model": "/m", "compare": Split(weights={"a": 1})}, "Split needs several models"),
    ],
)
def test_an_operator_refuses_it_while_the_dag_is_parsed(arguments, match):
    with pytest.raises(ConfigurationError, match=match):
        PredictOperator(task_id="p", dataset="/in", **arguments)


def test_it_is_rendered_and_checked_again(runner):
    operator = PredictOperator(
        task_id="p", model="/m", dataset="/in", rows=RowPolicy(error_threshold="{{ params.most }}", allow_nan="yes")
    )
    runner.params = {"most": 7}
    operator.render_template_fields({"params": runner.params})
    assert operator.rows == RowPolicy(error_threshold="7", allow_nan="yes")
    assert operator.rows.parse_all()["error_threshold"] == 7
    operator.rows = RowPolicy(error_threshold="{{ params.most }}")
    with pytest.raises(AirflowFailException, match="error_threshold is '-7'"):
        operator.render_template_fields({"params": {"most": -7}})


def test_a_task_waits_for_outputs_within_a_group():
    with DAG("d", schedule=None):
        load = LoadModelOperator(task_id="load", model_uri="/m")
        predict = PredictOperator(task_id="p", model="/m", dataset="/in", compare=Challengers({"next": load.output}))
        mapped = PredictOperator.partial(
            task_id="mapped", model="/m", compare=Challengers({"next": load.output}), outlets=[Asset("a")]
        ).expand(dataset=["/a", "/b"])
    assert predict.upstream_task_ids == mapped.upstream_task_ids == {"load"}


def test_only_what_was_given_is_shown():
    assert RowPolicy(error_threshold=3).serialize() == {"error_threshold": 3}
    assert Challengers({"b": "/m"}).serialize() == {"challengers": {"b": "/m"}}
