"""Free text: reading a reply, and the three outcomes of sameness."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consensus.answers.content import content
from consensus.answers.profile import profile
from consensus.answers.protocol import Sameness
from consensus.answers.text import TYPE, sameness
from consensus.answers.tokens import tokens
from consensus.errors import Malformed
from consensus.types import LabelKind, LabelValue, TextSpec

SPEC = TextSpec()
SENTENCE = "The Treaty of Paris was signed by Benjamin Franklin on 3 September 1783."

VOCABULARY = """
Paris Rome John Smith not never the of 12 1999 3.5 % $ mg km increased decreased in by and , . May first open closed
"""
WORDS = st.sampled_from(VOCABULARY.split())
TEXTS = st.one_of(st.text(max_size=120), st.lists(WORDS, max_size=20).map(" ".join))


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ('{"answer": "Paris", "confidence": 0.9}', "Paris"),
        ("**Final answer:** Paris", "Paris"),
        ("Answer: Paris, the capital", "Paris, the capital"),
        ("After some thought, the answer is **Paris**.", "Paris."),
        ("```\nParis\n```", "Paris"),
        ('"Paris"', "Paris"),
        ("Response: Paris\nIt lies on the Seine.", "Paris\nIt lies on the Seine."),
        ("Paris lies on the Seine.", "Paris lies on the Seine."),
        ("x_1 * y_2 * z", "x_1 * y_2 * z"),
    ],
)
def test_reads_the_answer_without_its_wrapping(reply: str, value: str) -> None:
    reading = TYPE.read(SPEC, reply)
    assert (reading.kind, reading.value) == (LabelKind.ANSWER, value)


def test_reads_the_confidence_of_a_structured_reply() -> None:
    assert TYPE.read(SPEC, '{"answer": "Paris", "confidence": 0.9}').raw_confidence == 0.9


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ('{"answer": null}', LabelKind.ABSTAINED),
        ("I don't know.", LabelKind.ABSTAINED),
        ("Unknown", LabelKind.ABSTAINED),
        ("I'm sorry, but I can't help with that.", LabelKind.REFUSED),
        ('{"answer": ""}', LabelKind.INVALID),
        ('{"answer": 3}', LabelKind.INVALID),
        ("   ", LabelKind.INVALID),
        ("Answer: Paris\n\nAnswer: Rome", LabelKind.CONFLICTING),
    ],
)
def test_replies_without_an_answer_have_labels_of_their_own(reply: str, kind: LabelKind) -> None:
    reading = TYPE.read(SPEC, reply)
    assert (reading.kind, reading.value) == (kind, None)


def test_a_disclaimer_before_an_answer_is_no_refusal() -> None:
    """Some models say first what they cannot do and answer all the same."""
    reply = "As an AI language model, I cannot browse. However, as of 2021 the mayor is Anne Hidalgo."
    assert TYPE.read(SPEC, reply).kind is LabelKind.ANSWER


def test_an_answer_of_any_length_is_read() -> None:
    reply = "Long answers count too. " * 1_000
    assert TYPE.read(SPEC, reply).kind is LabelKind.ANSWER


@pytest.mark.parametrize(
    ("a", "b", "outcome"),
    [
        ("Paris", "  PARIS. ", Sameness.SAME),
        (SENTENCE, "On September 3, 1783 Benjamin Franklin signed the Treaty of Paris.", Sameness.SAME),
        (SENTENCE, SENTENCE.replace("was", "was not"), Sameness.DIFFERENT),
        (SENTENCE, SENTENCE.replace("1783", "1784"), Sameness.DIFFERENT),
        (SENTENCE, SENTENCE.replace("Benjamin Franklin", "John Adams"), Sameness.DIFFERENT),
        ("It has a power of 5 mW.", "It has a power of 5 MW.", Sameness.DIFFERENT),
        ("The bank lent money to small firms.", "Credit for small firms came from the bank.", Sameness.UNDECIDED),
        ("", "Paris", Sameness.UNDECIDED),
        ("", "", Sameness.SAME),
    ],
)
def test_three_outcomes(a: str, b: str, outcome: Sameness) -> None:
    assert sameness(a, b) is outcome
    assert sameness(b, a) is outcome


def test_exact_knows_only_equal_and_different() -> None:
    spec = TextSpec(equivalence="exact")
    assert TYPE.same(spec, "Paris", "paris ") is Sameness.SAME
    assert TYPE.same(spec, "Paris", "The answer is Paris") is Sameness.DIFFERENT


def test_the_question_tells_the_answer_from_its_echo() -> None:
    """Both repeat the question; only with it at hand do their answers stand out."""
    question = "who wrote the music for the musical the phantom of the opera"
    a = "The music for the musical The Phantom of the Opera was written by Andrew Lloyd Webber."
    b = "Andrew Lloyd Webber"
    assert sameness(a, b, question) is Sameness.SAME
    assert sameness(a, "Stephen Sondheim", question) is not Sameness.SAME


@given(TEXTS)
def test_sameness_is_reflexive(text: str) -> None:
    assert sameness(text, text) is Sameness.SAME


@given(TEXTS, TEXTS, TEXTS)
def test_sameness_is_symmetric(a: str, b: str, question: str) -> None:
    assert sameness(a, b, question) is sameness(b, a, question)


@given(TEXTS)
def test_reading_gives_a_value_exactly_for_answers(text: str) -> None:
    reading = TYPE.read(SPEC, text)
    assert (reading.kind is LabelKind.ANSWER) == (reading.value is not None)


HOSTILE = [
    "not a " * 350,
    "12 mg, " * 300,
    "A. " * 700,
    "x" * 2_000,
    "no " * 680,
    "Ab Cd. " * 290,
    "1 " * 1_000,
    "(" * 2_000,
]


def cpu_seconds(a: str, b: str) -> float:
    for prepared in (tokens, content, profile):
        prepared.cache_clear()
    start = time.process_time()
    sameness(a, b, SENTENCE)
    return time.process_time() - start


@pytest.mark.parametrize("text", HOSTILE)
def test_two_kilobytes_compare_within_the_bound(text: str) -> None:
    """50 ms of CPU on a calm machine; the bound leaves room for a busy machine, and none for a blow-up."""
    other = text[: len(text) // 2] + SENTENCE + text[len(text) // 2 :]
    assert min(cpu_seconds(text, other) for _ in range(3)) < 1


def test_a_difference_beyond_the_read_part_is_never_merged() -> None:
    long = "The court found for the plaintiff in the first case. " * 20_000
    start = time.process_time()
    assert sameness(long + "It was reversed.", long + "It was affirmed by all.") is not Sameness.SAME
    assert time.process_time() - start < 10
    assert sameness(long, long.upper()) is Sameness.SAME


def test_labels_from_people_are_trimmed() -> None:
    assert TYPE.check(SPEC, " Paris ") == "Paris"


@pytest.mark.parametrize("wrong", ["  ", 3, None, ["Paris"]])
def test_labels_that_are_no_text_are_malformed(wrong: LabelValue) -> None:
    with pytest.raises(Malformed):
        TYPE.check(SPEC, wrong)
