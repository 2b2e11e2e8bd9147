"""A short form of the campaign of mutated boosters; the long one is ``mutated_boosters.py`` itself."""

from __future__ import annotations

from mutated_boosters import twice


def test_what_the_checks_let_through_kills_nothing_and_answers_from_no_other_memory():
    one, other = twice(seed=11, cases=12)
    assert len(one) > 20, "mutants that are all refused prove nothing"
    assert [name for name, answer in one.items() if answer is None] == []
    assert one == other
