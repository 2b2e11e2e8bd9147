"""What is shown of names, URIs and texts: in messages, notes, causes and log records, whoever has written them."""

from __future__ import annotations

import contextlib
import json
import logging
import pickle
import time
import traceback

import pytest
from hostile_names import CONTROLS, NAMES, is_harmless
from secret_forms import FORMS, WITH_SCHEME, A, B, S, leaks

from airflow_batch_inference import exceptions
from airflow_batch_inference.cli.command import show, show_json, show_table
from airflow_batch_inference.exceptions import BatchInferenceError, ConfigurationError, DataError, ScriptError
from airflow_batch_inference.processes.child import for_transport
from airflow_batch_inference.scripts.failures import Failure
from airflow_batch_inference.storage.uris import FoundUri, join_uri, normalize_uri
from airflow_batch_inference.wording.logs import GuardedLogger, Lines, guard_logs
from airflow_batch_inference.wording.secrets import remember
from airflow_batch_inference.wording.signs import visible, visible_page
from airflow_batch_inference.wording.texts import hidden_in, said, without_logins
from airflow_batch_inference.wording.uris import has_secret, redact


def test_there_are_fifty_names_and_each_would_do_harm():
    assert len(NAMES) >= 50
    assert not any(is_harmless(name) for name in NAMES)


@pytest.mark.parametrize(
    "kind",
    [cls for cls in vars(exceptions).values() if isinstance(cls, type) and cls.__module__ == exceptions.__name__],
)
def test_no_name_gets_through_an_error_of_this_package_its_notes_or_its_copy(kind):
    for name in NAMES:
        error = kind(f"The column {name} of {name!r}")
        error.add_note(f"seen in {name}")
        for each in (error, pickle.loads(pickle.dumps(error)), for_transport(error)):
            assert is_harmless(str(each), lines=kind.has_lines)
            assert all(is_harmless(note, lines=True) for note in each.__notes__)
            assert "\nERROR" not in str(each)
            assert "\n2026" not in "".join(traceback.format_exception(each))


def test_a_message_without_control_characters_stays_as_it_is():
    for text in ("Größe 'a' - 3 µm, 数据, 🚕 and \\n", "x" * 10_000, ""):
        assert str(DataError(text)) == text
        assert visible(text) == said(text) == text


def test_an_error_with_lines_keeps_them_and_none_of_them_begins_like_a_log_line():
    error = ScriptError(
        "run() raised:\nTraceback (most recent call last):\n  File 'x'\nValueError: a\x1b[31m\r\nERROR forged\n"
    )
    assert str(error).splitlines() == [
        "run() raised:",
        "  Traceback (most recent call last):",
        "  File 'x'",
        "  ValueError: a\\x1b[31m",
        "  ERROR forged",
    ]
    assert str(ScriptError(str(error))) == str(error)


@pytest.mark.parametrize("form", FORMS)
def test_no_secret_is_shown_of_a_uri_or_of_a_text_that_quotes_it(form):
    assert not leaks(redact(form))
    assert redact(redact(form)) == redact(form)
    assert has_secret(form)
    with pytest.raises(ConfigurationError) as error:
        normalize_uri(form)
    assert not leaks(str(error.value))
    assert not leaks(repr(error.value.args))
    # Refused once, it is known, in whatever form it is quoted.
    for text in (f"no {form!r} here", f"no {form} here", f'"{form}"', f"Nothing lies at {form}. Check it", f"({form})"):
        assert not leaks(str(BatchInferenceError(text)))


@pytest.mark.parametrize("form", [form for form in WITH_SCHEME if not any(gap in form for gap in "\n\t ")])
def test_a_text_needs_to_know_nothing_of_a_uri_with_a_scheme_to_hide_its_secret(form):
    for text in (
        f"no {form!r} here",
        f"no {form}",
        f'{{"uri": {json.dumps(form, ensure_ascii=False)}}}',
        f"at {form}. Check",
        f"({form}),",
    ):
        assert not leaks(without_logins(text))


@pytest.mark.parametrize(
    "uri",
    [
        *("/data/a@b.csv", "/data/part-?.csv", "file:///data/a#b;c?d=e@f.csv", "/data/http://x@y/z", "//data/x"),
        *("s3://bucket/day=1/a.csv", "models:/churn@champion", "models/churn@live", "runs:/7ab/model", "models:/c/3"),
        *("hdfs://name:8020/x", "s3://[::1]:9000/x", "https://a.org:443/x.csv", "./in/a.csv", "~/a.csv", "C:\\data"),
        *("s3://bucket/ü ä/数据.csv", "s3://bucket/*.csv", "s3://bucket/[0-9].csv"),
    ],
)
def test_what_holds_no_secret_stays_readable(uri):
    assert redact(uri) == uri
    assert not has_secret(uri)
    if "/http:" not in uri:  # within another path
        text = f"Nothing lies at '{uri}'. Check it; is it there?"
        assert str(DataError(text)) == text


def test_two_uris_in_a_text_are_looked_at_one_by_one():
    text = "s3://a/b.csv and https://u:p@c/d (also 's3://e?f') are not x@y: see https://g/h."
    assert without_logins(text) == "s3://a/b.csv and https://…@c/d (also 's3://e?…') are not x@y: see https://g/h."


def test_files_that_a_store_has_listed_may_have_any_name_and_nothing_leads_out_of_their_folder():
    found = join_uri("s3://bucket/in", "a@b#1;x?.csv")
    assert isinstance(found, FoundUri)
    assert normalize_uri(found) == "s3://bucket/in/a@b#1;x?.csv"
    assert normalize_uri(normalize_uri(found)) == found
    assert json.loads(json.dumps(found)) == pickle.loads(pickle.dumps(found)) == str(found)
    assert not isinstance(join_uri("s3://bucket", "a.csv"), FoundUri)
    with pytest.raises(ConfigurationError, match=r"'\.\.'"):
        normalize_uri(join_uri("s3://bucket/in", "../a@b.csv"))
    with pytest.raises(ConfigurationError, match="credentials"):
        normalize_uri(join_uri(f"s3://u:{S}@bucket", "a.csv"))


@pytest.mark.parametrize("uri", ["https://cdn.org/npm/data%402.1/a.csv", "s3://bucket/a%40b/x.csv"])
def test_an_encoded_at_of_a_name_is_taken(uri):
    assert normalize_uri(uri) == uri


@pytest.fixture
def records():
    """What this package's loggers make."""
    made = []
    handler = logging.Handler()
    handler.emit = made.append
    logger = logging.getLogger("airflow_batch_inference.some.module")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield made
    logger.removeHandler(handler)


def logged(record):
    return logging.Formatter("%(message)s").format(record)


def test_no_name_and_no_secret_gets_into_a_log_record(records):
    log = logging.getLogger("airflow_batch_inference.some.module")
    for name in NAMES:
        log.info("The column %s of %s, %d rows", name, [name], 3)
        log.info("The column %(name)s", {"name": name})
    forms = [form for form in WITH_SCHEME if not any(gap in form for gap in "\n\t ")]
    for form in forms:
        log.warning("Cannot read %s (%s)", repr(form), ValueError(form))
    assert len(records) == 2 * len(NAMES) + len(forms)
    assert all(is_harmless(logged(record)) for record in records)
    assert not any(leaks(logged(record)) for record in records)


def test_a_traceback_in_a_log_has_neither_and_keeps_its_class(records):
    log = logging.getLogger("airflow_batch_inference.some.module")
    wrong = ValueError(f"https://host/x?sig={S}")
    wrong.__cause__ = OSError(5, "no", f"s3://user:{S}@host/\x1b[31m\nFORGED")
    log.error("It failed", exc_info=wrong)
    text = logged(records[0])
    assert not leaks(text)
    assert "\nFORGED" not in text
    assert "\x1b" not in text
    assert "OSError" in text
    assert "ValueError: https://host/x?…" in text


def test_an_ordinary_record_and_those_of_others_stay_as_they_are(records):
    logging.getLogger("airflow_batch_inference.some.module").info("%s rows in %.1f s, %s", "1,000", 0.25, None)
    assert records[0].args == ("1,000", 0.25, None)
    other = logging.getLogger("other.package").makeRecord("other.package", 20, "f", 1, "a\n%s", ("b\n",), None)
    assert other.getMessage() == "a\nb\n"
    copied = logging.makeLogRecord(records[0].__dict__)
    assert copied.getMessage() == "1,000 rows in 0.2 s, None"
    factory = logging.getLogRecordFactory()
    guard_logs()
    assert logging.getLogRecordFactory() is factory


def test_an_operators_logger_gets_the_same_and_a_table_keeps_its_lines():
    calls = []
    logger = type(
        "Logger", (), {"info": lambda _, *a: calls.append(a), "log": lambda _, *a: calls.append(a), "name": "x"}
    )()
    guarded = GuardedLogger(logger)
    guarded.info("Table:\n%s %s", Lines("a\nb\x1b"), f"c\n https://h/?{S}")
    guarded.log(30, "%s", "d\n")
    assert calls == [("Table:\n%s %s", "a\nb\\x1b", "c\\n https://h/?…"), (30, "%s", "d\\n")]
    assert guarded.name == "x"


def test_the_command_line_prints_neither(capsys):
    for name in NAMES:
        show({name: [name, f"s3://u:{S}@h/x"]})
        show_table((name, "b"), [(name, "c")])
        show_json({name: name})
        printed = capsys.readouterr().out
        with contextlib.suppress(UnicodeEncodeError):
            assert json.loads(printed[printed.index("{\n") :]) == hidden_in({name: name})
        assert is_harmless(printed, lines=True)
        assert not leaks(printed)


def test_a_scripts_failure_has_neither():
    failure = Failure(kind="exception", error=f"x\nFORGED https://h/?{S}", traceback="Traceback\nFORGED \x1b[31m")
    assert is_harmless(str(failure))
    assert "\nFORGED" not in failure.traceback
    assert not leaks(str(failure))


def test_a_page_has_no_character_that_steers_its_reader():
    for name in NAMES:
        page = visible_page(f"<p>{name}</p>\n")
        assert page.encode().startswith(b"<p>")
        assert not any(each in page for each in CONTROLS if each not in "\n\t\u200b\U000e0041")


def test_a_secret_with_gaps_is_hidden_once_it_was_refused():
    with pytest.raises(ConfigurationError):
        normalize_uri(f"https://host/x?token={A}\n{B}")
    assert not leaks(said(f"asked for /x?token={A}\n{B} in vain, and 'token={A}\\n{B}'"))


def test_an_address_without_its_host_shows_no_signature_and_a_path_is_shown():
    told = f"HTTPSConnectionPool(host='h', port=443): Max retries exceeded with url: /x/y?a=1&sig={S} (Caused by z)"
    assert without_logins(told) == told.replace(f"a=1&sig={S}", "…")
    for path in ("/data/a?b=c.csv", "/data/part-?.csv", "/data/a#1;b=2.csv", "/data/key=1/a?.csv"):
        assert without_logins(f"Nothing lies at {path} @ noon") == f"Nothing lies at {path} @ noon"


def test_words_are_no_known_secrets():
    remember("s3://admin:password@bucket/x?format=parquet")
    assert said("the password of admin is for parquet") == "the password of admin is for parquet"


@pytest.mark.parametrize("piece", ["://", "'", ":@", "s3://u: ", "%25", "a,", "@", "\u2028", "'a:", "?a=", "//@", "a"])
def test_a_hostile_text_takes_time_in_proportion(piece):
    def seconds(length):
        started = time.process_time()
        said("=" + piece * (length // len(piece)))
        return time.process_time() - started

    assert seconds(160_000) < 40 * seconds(20_000) + 0.5, "a square would be 64 times as long"
