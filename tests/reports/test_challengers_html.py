"""The page of challengers is safe to open, small, and says what the record says."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pyarrow as pa
import pytest

from airflow_batch_inference.predictors.challengers.disagreement_counts import judged
from airflow_batch_inference.predictors.challengers.disagreements import Compared, DisagreementCounter
from airflow_batch_inference.predictors.challengers.rule import DisagreementRule
from airflow_batch_inference.records import ChallengerResult, ChallengersRecord, TaskKey, UsedModel, decode_record
from airflow_batch_inference.reports.challengers_html import render_challengers
from airflow_batch_inference.sources.batches import MiniBatch, Origin

HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "a' b&c", "\u202eevil", "{{ 7*7 }}", ""]
ROWS = 2000


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.values, self.text = [], set(), [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.values += [value or "" for _, value in attrs]

    def handle_data(self, data):
        self.text += data


def parsed(page):
    tags = Tags()
    tags.feed(page.split("</style>")[1])
    return tags


def used(name, role="challenger", **changes):
    fields = {
        "role": role, "name": name, "step": 1, "model_uri": f"file:///{name}", "model_sha256": "0" * 64,
        "model_flavor": "lightgbm", "model_record_uri": None, "rows": ROWS, "rows_failed": 0, "error": None,
    }  # fmt: skip
    return UsedModel(**(fields | changes))


def compared(ours, theirs, name="risk", uri="file:///in.parquet", rule=None):
    rule = rule or DisagreementRule()
    places = Compared(output=name, challenger_output=name, champion=(0,), challenger=(0,))
    counter = DisagreementCounter(compared=places, rule=rule)
    batch = MiniBatch(pa.table({"_": range(len(ours))}), (Origin(uri, 0, len(ours)),))
    counter.add(batch, [pa.array(ours)], [pa.array(theirs)])
    return judged(counter.pairs(), rule)


def challenger(name, *outputs, **changes):
    fields = {
        "name": name, "models": (used(name),), "rows": ROWS, "rows_failed": 0, "error": None, "not_compared": None,
        "seconds": 1.5, "outputs": outputs,
    }  # fmt: skip
    return ChallengerResult(**(fields | changes))


def record(*challengers, champion="churn", **changes):
    fields = {
        "task": TaskKey(dag_id="nightly", run_id="r", task_id="predict"),
        "batch_id": "b", "dataset_uris": ("file:///in",), "rows": ROWS, "champion": (used(champion, "champion"),),
        "threshold": None, "tolerance": 0.05, "challengers": challengers,
    }  # fmt: skip
    return ChallengersRecord(**(fields | changes))


def labels(names, seed=0, share=0.1):
    rng = np.random.default_rng(seed)
    ours = np.array(names, dtype=object)[rng.integers(0, len(names), ROWS)]
    return ours, np.where(rng.random(ROWS) < share, names[0], ours)


def shares(seed=0):
    rng = np.random.default_rng(seed)
    ours = rng.random(ROWS)
    return ours, np.clip(ours + 0.1 * rng.normal(size=ROWS), 0, 1)


def test_the_page_says_what_the_record_says():
    ours, theirs = shares()
    found = compared(ours, theirs)
    text = parsed(render_challengers(record(challenger("deep", found)))).text
    assert f"deep differs in {100 * found.disagreement_fraction:.3g} % of the rows" in text
    assert f"deep: {found.disagreements:,} of 2,000 rows have another decision (threshold 0.5)." in text
    assert f"{found.numbers.correlation:.4f}" in text
    for row in found.matrix:
        assert all(f"{count:,}" in text for count in row)
    first = found.examples[0]
    assert first.champion in text
    assert first.challenger in text


def test_numbers_are_told_by_their_distance_and_labels_by_their_matrix():
    ours, theirs = shares()
    text = parsed(render_challengers(record(challenger("far", compared(100 * ours, 100 * theirs))))).text
    assert "rows have a number more than 5 % apart" in text
    assert "over 50 %" in text
    text = parsed(render_challengers(record(challenger("b", compared(*labels(["no", "yes"])))))).text
    assert "rows have another label" in text
    assert "over 50 %" not in text


def test_failures_and_what_was_not_compared_are_told():
    gone = challenger("gone", rows=0, rows_failed=ROWS, error="Nothing lies there.", not_compared="Nothing lies there.")
    some = challenger("some", compared(*labels(["no", "yes"])), rows_failed=3, error="ValueError: no such leaf")
    text = parsed(render_challengers(record(gone, some))).text
    assert "gone was not compared: Nothing lies there." in text
    assert "some failed on 3 rows, which are null in its columns: ValueError: no such leaf" in text
    assert "No challenger was compared" in parsed(render_challengers(record(gone))).text


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_name_or_value_becomes_markup(hostile):
    ours, theirs = labels([hostile, "no"])
    page = render_challengers(
        record(
            challenger(
                "b", compared(ours, theirs, name=hostile, uri=f"file:///{hostile}"), error=hostile, rows_failed=1
            ),
            challenger("c", not_compared=hostile, models=(used(hostile),)),
            champion=hostile,
            dataset_uris=(hostile,),
            batch_id=hostile,
        )
    )
    tags = parsed(page)
    assert not {"script", "img", "iframe", "link", "a"} & set(tags.tags)
    assert not [name for name in tags.attributes if name.startswith("on")]
    assert not [value for value in tags.values if "://" in value]
    assert "url(" not in page
    assert "@import" not in page


def test_a_page_of_very_much_stays_small():
    names = [f"a rather long name of a label, number {i}" for i in range(60)]
    output = compared(*labels(names, share=0.5), name="x" * 500)
    ours, theirs = shares()
    many = [challenger(f"c{i}", output, *(compared(ours, theirs) for _ in range(10))) for i in range(40)]
    page = render_challengers(record(*many))
    assert len(page.encode()) < 120_000
    assert "34 more challengers are in the record only" in page
    assert "8 more outputs are in the record only" in page


def test_labels_beyond_the_first_with_most_disagreements_are_one_and_no_row_is_lost():
    names = [f"label {i}" for i in range(30)]
    output = compared(*labels(names))
    text = parsed(render_challengers(record(challenger("b", output)))).text
    assert "others" in text
    assert "label 0" in text  # where all disagreements go to
    assert sum(map(sum, output.matrix)) == ROWS


def test_no_rows_at_all_make_a_page_too():
    nothing = challenger("b", rows=0, not_compared="there are no rows that both have scored")
    assert "No challenger was compared" in render_challengers(record(nothing, rows=0))


def test_the_record_comes_back_as_it_was():
    ours, theirs = shares()
    made = record(challenger("b", compared(ours, theirs), compared(*labels(["no", "yes"]))))
    assert decode_record(made.to_json(), where="here") == made
    named = replace(made, report_uri="file:///r.html")
    assert decode_record(named.to_json(), where="here") == named
