"""Vetoes: each code on the smallest pair that shows it, and on what must not trip it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consensus.answers.claims import restated
from consensus.answers.facts import findings
from consensus.answers.profile import question


def codes(a: str, b: str, asked: str = "") -> dict[str, str]:
    return {finding.code: finding.grade for finding in findings(a, b, question(asked).stems)}


@pytest.mark.parametrize(
    ("a", "b", "code", "grade"),
    [
        ("The drug was approved.", "The drug was not approved.", "negation", "sure"),
        ("The senate passed the bill.", "The senate failed to pass the bill.", "negation", "sure"),
        (
            "It is not by any means safe for a small child.",
            "The drug is safe when a child takes it.",
            "negation",
            "doubt",
        ),
        ("The drug raises blood pressure.", "The drug lowers blood pressure.", "opposite", "sure"),
        ("The search was constitutional.", "The search was unconstitutional.", "opposite", "sure"),
        ("The bail is 3,000 dollars.", "The bail is 4,000 dollars.", "number", "sure"),
        ("The dose is 5 mg.", "The dose is 5 g.", "unit", "sure"),
        ("It fell on 3 May 1999.", "It fell on 3 June 1999.", "date", "sure"),
        ("The suspect lives in Ohio.", "The suspect lives in Utah.", "entity", "sure"),
        ("Rome defeated Carthage.", "Carthage defeated Rome.", "order", "sure"),
        ("The dog bit the man.", "The man bit the dog.", "order", "sure"),
        ("The order came from Lang Stephen.", "The order came from Stephen Lang.", "order", "sure"),
        ("They sold 30 cars and 20 vans.", "They sold 20 cars and 30 vans.", "order", "sure"),
        ("He repaired the old bridge.", "He painted the old bridge.", "substitution", "doubt"),
        ("The minister resigned.", "The former minister resigned.", "qualifier", "doubt"),
        ("Build v1.2.3 of tool7x is broken.", "Build v1.2.4 of tool7x is broken.", "number", "sure"),
    ],
)
def test_what_contradicts_is_found_either_way_round(a: str, b: str, code: str, grade: str) -> None:
    assert codes(a, b).get(code) == grade
    assert codes(b, a).get(code) == grade


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Rome defeated Carthage.", "Carthage was defeated by Rome."),
        ("Adams and Jefferson signed.", "Jefferson and Adams signed."),
        ("On Monday we met in Paris.", "In Paris we met on Monday."),
        ("Ottawa is the capital of Canada.", "The capital of Canada is Ottawa."),
        ("It weighs 5 kg.", "It weighs 5,000 grams."),
        ("It is 5 miles away.", "It is 8 km away."),
        ("The fever was 37 °C.", "The fever was 98.6 degrees Fahrenheit."),
        ("He paid $5 million.", "He paid 5,000,000 dollars."),
        ("Profit rose by five percent.", "Profit rose by 5%."),
        ("It begins at 3 pm.", "It begins at 15:00."),
        ("It fell on 3 May 1999.", "It fell in May 1999."),
        ("He came first.", "He came 1st."),
        ("The World Health Organization agreed.", "The WHO agreed."),
        ("The door is closed.", "The door is not open."),
        ("The firm bought the land.", "The company purchased the land."),
        ("1. Maine\n2. Vermont", "Vermont and Maine"),
    ],
)
def test_what_says_the_same_trips_nothing(a: str, b: str) -> None:
    assert codes(a, b) == {}
    assert codes(b, a) == {}


def test_a_negation_that_the_question_brings_is_no_claim() -> None:
    asked = "who sings you'll never find another love"
    a, b = "Lou Rawls sings it.", "You'll Never Find Another Love is what Lou Rawls sings."
    assert "negation" not in codes(a, b, asked)


def test_names_of_the_question_do_not_contradict_each_other() -> None:
    asked = "which Kennedy was shot in Dallas"
    assert "entity" in codes("Kennedy John fell", "Dallas Robert fell")
    assert "entity" not in codes("Kennedy fell.", "In Dallas he fell.", asked)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("The lease ends on 31 December.", "The lease expires on December 31.", True),
        ("The lease ends.", "The lease ends in May.", False),
        ("", "", False),
        ("of the", "in a", False),
    ],
)
def test_restated_needs_content_on_both_sides(a: str, b: str, expected: bool) -> None:
    assert restated(a, b) is expected


def test_a_text_that_was_not_read_to_its_end_is_in_doubt() -> None:
    assert codes("word " * 5_000, "word " * 5_000 + "other")["length"] == "doubt"


@given(st.text(max_size=80), st.text(max_size=80))
def test_findings_are_symmetric(a: str, b: str) -> None:
    assert set(findings(a, b)) == set(findings(b, a))


@given(st.text(max_size=80))
def test_no_text_contradicts_itself(text: str) -> None:
    assert all(finding.code == "length" for finding in findings(text, text))
