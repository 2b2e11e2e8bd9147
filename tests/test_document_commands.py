"""What the documents let a reader type or write down is understood by what reads it: parsers, make, pip."""

from __future__ import annotations

import ast
import configparser
import itertools
import json
import re
import shlex
import tomllib

import pytest
import yaml
from document_blocks import BLOCKS, NOT_RUN, REPOSITORY, RUN_ELSEWHERE, commands

from airflow_batch_inference.cli import make_parser

LANGUAGES = {"", "bash", "console", "ini", "json", "python", "sql", "text", "toml", "yaml"}
COMMANDS = [(block.name, line) for block in BLOCKS for line in commands(block) if line and not line.startswith("#")]

NOT_CHECKED = {
    "airflow batch-inference <command> …": "a form, not a command",
    "python -m airflow_batch_inference <command> …": "a form, not a command",
    "openssl ": "another program's",
    "model_signing ": "another program's",
    "docker ": "another program's",
    "AIRFLOW_EXECUTOR=CeleryExecutor docker ": "another program's",
}
"""The beginning of each command line that no parser here understands, and why."""

ENDS = {"|", "&&", "||", ";", ">", "&"}
"""Words after which another command or a file follows: what stands before is looked at."""

SHELL = {".", "cd", "mkdir", "export", "echo", "cp"}


def ids(pairs):
    return [name for name, _ in pairs]


def of(*languages):
    found = [block for block in BLOCKS if block.language in languages]
    return pytest.mark.parametrize("block", found, ids=[block.name for block in found])


@pytest.mark.parametrize("block", BLOCKS, ids=[block.name for block in BLOCKS])
def test_the_language_of_every_block_is_one_that_is_looked_at(block):
    assert block.language in LANGUAGES, "name another language here, with what looks at it"


@of("python")
def test_python_can_be_compiled(block):
    ast.parse(block.code)


@of("yaml", "json", "toml", "ini")
def test_data_can_be_parsed(block):
    if block.language == "ini":
        configparser.ConfigParser(interpolation=None).read_string(block.code)
    else:
        assert {"yaml": yaml.safe_load, "json": json.loads, "toml": tomllib.loads}[block.language](block.code)


@pytest.fixture(scope="module")
def airflows_parser():
    from airflow.cli import cli_parser

    return cli_parser.get_parser()


def parsed_by(parser, arguments):
    try:
        return parser.parse_args(arguments)
    except SystemExit as ended:  # argparse has said on standard error what is wrong
        pytest.fail(f"{arguments} is not understood: {ended.code}")


@pytest.mark.parametrize(("name", "line"), COMMANDS, ids=ids(COMMANDS))
def test_every_command_is_understood(name, line, airflows_parser):
    if any(line.startswith(known) for known in NOT_CHECKED):
        return
    words = shlex.split(line.replace("<commit URI>", "COMMIT"), comments=True)
    words = list(itertools.dropwhile(re.compile(r"[A-Z_]+=").match, words))
    match list(itertools.takewhile(lambda word: word not in ENDS, words)):
        case ["airflow", "batch-inference", *rest] | ["python", "-m", "airflow_batch_inference", *rest]:
            parsed_by(make_parser(), rest)
        case ["airflow", *rest]:
            parsed_by(airflows_parser, rest)
        case ["make", *rest]:
            targets = set(re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
            assert {word for word in rest if "=" not in word} <= targets
        case ["pip", "install", *rest]:
            check_installation(rest)
        case ["python" | "python3", *rest]:
            assert rest[0] == "-m" or rest[0].endswith(".py")
        case [program, *_]:
            assert program in {*SHELL, "python"}, f"{name}: {line} is a command that no test knows (see NOT_CHECKED)"


def check_installation(arguments):
    """The extras exist, and so do the files that are named."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    for flag, value in zip(arguments, [*arguments[1:], ""], strict=True):
        if flag == "-c":
            assert (REPOSITORY / value).is_file()
        for extras in re.findall(r"(?:^\.|^airflow-batch-inference)\[(.*?)\]", flag):
            assert set(extras.split(",")) <= set(project["optional-dependencies"])


def test_whatever_is_not_run_or_checked_is_still_there():
    """A reason whose block is gone would hide the next one."""
    assert {line for line in NOT_RUN if any(f"\n{line}" in f"\n{block.code}" for block in BLOCKS)} == set(NOT_RUN)
    for page, test in RUN_ELSEWHERE.items():
        assert page.rpartition("/")[2] in (REPOSITORY / test).read_text()
