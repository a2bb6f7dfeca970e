"""What is promised of sameness on pairs of our own writing."""

from __future__ import annotations

from collections import Counter

import pytest

from consensus.answers.protocol import Sameness
from consensus.answers.text import sameness
from tests.answers import pairs

CONTRADICTIONS = ("contradictions", "contradictions_held_out")
PARAPHRASES = ("paraphrases", "paraphrases_held_out")


def outcomes(names: tuple[str, ...]) -> Counter[Sameness]:
    return Counter(sameness(pair["a"], pair["b"]) for name in names for pair in pairs.read(name))


def test_there_are_enough_pairs_and_no_pair_twice() -> None:
    """At least 200 of each, half of the contradictions held out, every kind and many domains."""
    contradictions = [pair for name in CONTRADICTIONS for pair in pairs.read(name)]
    assert len({(p["a"], p["b"]) for p in contradictions}) == len(contradictions) >= 200
    assert len(pairs.read("contradictions_held_out")) * 2 >= len(contradictions)
    kinds = Counter(pair["kind"] for pair in contradictions)
    assert set(kinds) == {"negation", "number", "unit", "date", "swap", "entity", "antonym"}
    assert min(kinds.values()) >= 20
    assert len({pair["domain"] for pair in contradictions}) == 8
    paraphrases = [pair for name in PARAPHRASES for pair in pairs.read(name)]
    assert len({(p["a"], p["b"]) for p in paraphrases}) == len(paraphrases) >= 200


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_at_most_two_percent_of_contradictions_are_merged(name: str) -> None:
    found = outcomes((name,))
    assert found[Sameness.SAME] <= 0.02 * found.total()


def test_most_contradictions_are_called_different() -> None:
    """Undecided would be safe as well, but a veto that never fires would hide behind it."""
    found = outcomes(CONTRADICTIONS)
    assert found[Sameness.DIFFERENT] >= 0.8 * found.total()


@pytest.mark.parametrize("name", PARAPHRASES)
def test_most_paraphrases_are_merged(name: str) -> None:
    found = outcomes((name,))
    assert found[Sameness.SAME] >= 0.6 * found.total()


def test_paraphrases_that_are_not_merged_are_mostly_undecided() -> None:
    found = outcomes(PARAPHRASES)
    assert found[Sameness.UNDECIDED] >= 0.8 * (found.total() - found[Sameness.SAME])


@pytest.mark.parametrize("name", CONTRADICTIONS + PARAPHRASES)
def test_outcomes_do_not_depend_on_the_order(name: str) -> None:
    for pair in pairs.read(name):
        assert sameness(pair["a"], pair["b"]) is sameness(pair["b"], pair["a"])
