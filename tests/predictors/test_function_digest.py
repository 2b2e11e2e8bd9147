"""One digest for one function with one set of arguments, and another for every difference that can be seen."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading

import pytest

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.predictors.function_digest import function_digest

SOURCE = """
import functools
import math

LIMIT = 5
CODES = {"de": 1, "fr": 2}
KINDS = {"a", "b", "c"}

def helper(x):
    return x + 1

class Scaler:
    def scale(self, x):
        return x * 2

    @property
    def name(self):
        return "s"

def twice(function):
    @functools.wraps(function)
    def inner(x):
        return 2 * function(x)
    return inner

@twice
def wrapped(x):
    return x

@functools.lru_cache
def cached(x):
    return x + 5

def risk(batch, factor=2, *, shift=1):
    def within(x):
        return x + 3
    scaled = Scaler().scale(helper(batch)) if batch in KINDS else CODES
    return [within(x) + wrapped(x) + cached(x) + math.pi for x in scaled if x > LIMIT]
"""


def digest_of(source, args=(), kwargs=None):
    scope = {"__name__": "a_dag_file"}
    exec(compile(textwrap.dedent(source), "dag.py", "exec"), scope)
    return function_digest(scope["risk"], args, kwargs or {})


def test_it_is_the_same_for_the_same_source():
    assert digest_of(SOURCE) == digest_of(SOURCE)


def test_it_is_the_same_in_another_process_whatever_the_order_of_a_set():
    code = f"import sys; sys.path.insert(0, {sys.path[0]!r}); SOURCE = {SOURCE!r}\n" + textwrap.dedent(
        """
        from airflow_batch_inference.predictors.function_digest import function_digest
        scope = {"__name__": "a_dag_file"}
        exec(compile(SOURCE, "dag.py", "exec"), scope)
        print(function_digest(scope["risk"], (), {"kinds": {"x", "y", "z"}}))
        """
    )
    expected = digest_of(SOURCE, kwargs={"kinds": {"x", "y", "z"}})
    for seed in ("1", "2"):
        environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)}
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
        assert done.stdout.strip() == expected


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("# nothing", "# a comment"),
        ("def risk(batch, factor=2, *, shift=1):", "def risk(batch, factor=2, *, shift=1):  # said"),
        ("LIMIT = 5", "UNUSED = 6\nLIMIT = 5"),
    ],
)
def test_comments_and_what_it_does_not_name_do_not_count(before, after):
    source = "# nothing\n" + SOURCE
    assert digest_of(source.replace(before, after)) == digest_of(source)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x > LIMIT", "x >= LIMIT"),
        ("LIMIT = 5", "LIMIT = 6"),
        ("LIMIT = 5", "LIMIT = 5.0"),
        ('"fr": 2', '"fr": 3'),
        ('"b", "c"}', '"b"}'),
        ("return x + 1", "return x + 2"),
        ("return x * 2", "return x * 3"),
        ('return "s"', 'return "t"'),
        ("return x + 3", "return x + 4"),
        ("return x + 5", "return x + 6"),
        ("return 2 * function(x)", "return 3 * function(x)"),
        ("factor=2", "factor=3"),
        ("shift=1", "shift=2"),
        ("import math", "import cmath as math"),
    ],
)
def test_every_change_of_what_it_names_in_its_file_counts(before, after):
    assert before in SOURCE
    assert digest_of(SOURCE.replace(before, after)) != digest_of(SOURCE)


def test_arguments_count_by_name_value_and_type():
    given = [
        ((), {}),
        ((2,), {}),
        ((2.0,), {}),
        ((True,), {}),
        ((), {"factor": 2}),
        ((), {"shift": 2}),
        (([1, (2,)],), {}),
    ]
    assert len({digest_of(SOURCE, *each) for each in given}) == len(given)


def test_what_a_function_encloses_counts():
    def made(limit):
        def risk(batch):
            return batch > limit

        return risk

    assert function_digest(made(1), (), {}) == function_digest(made(1), (), {})
    assert function_digest(made(1), (), {}) != function_digest(made(2), (), {})


def test_functions_that_name_each_other_end():
    source = "def risk(x):\n    return other(x)\ndef other(x):\n    return risk(x)\n"
    assert digest_of(source) != digest_of(source.replace("return risk(x)", "return risk(x + 1)"))


def test_an_argument_that_cannot_be_written_down_is_refused_also_within_a_list():
    for value in (threading.Lock(), [threading.Lock()]):
        with pytest.raises(ConfigurationError, match=r"The argument 'lock' is a .*cannot be written down"):
            digest_of(SOURCE, kwargs={"lock": value})
