"""Disagreements grouped by their words: the groups that are there, named by what they share."""

from __future__ import annotations

import random

from calibration.error_groups import EXAMPLES, LEAST, Question, group

TOPICS = {
    "law": "Is the tenancy contract void when the landlord has signed under duress in the presence of a notary",
    "health": "Which dose of ibuprofen may a child with kidney disease take after surgery",
    "finance": "Should the transfer to the offshore account be flagged as money laundering risk",
}


def questions(each: int) -> list[Question]:
    """Variations of three questions; only those about doses were decided wrongly."""
    rng = random.Random(5)
    found = [
        Question(f"{text}, case {i}, {rng.choice(['please', 'urgent', 'today'])}?", domain, domain == "health")
        for domain, text in TOPICS.items()
        for i in range(each)
    ]
    rng.shuffle(found)
    return found


def test_three_topics_are_found_and_named() -> None:
    """Each group is of one domain, named with words of its questions, with examples, and says where the errors are."""
    groups = group(questions(20))
    domains = {one.domains[0] for one in groups}
    assert domains == set(TOPICS)
    for one in groups:
        assert len(one.domains) == 1
        assert set(" ".join(one.terms).split()) & set(TOPICS[one.domains[0]].lower().split())
        assert len(one.examples) == EXAMPLES
        assert (one.wrong == one.labelled) == (one.domains == ("health",))
    assert sum(one.size for one in groups) == 60


def test_the_same_questions_make_the_same_groups() -> None:
    """A report of today can be compared with that of yesterday."""
    assert group(questions(12)) == group(questions(12))


def test_too_few_questions_are_one_group() -> None:
    """Nothing is named that would be noise; nothing at all is no group."""
    few = questions(1)
    (one,) = group(few)
    assert (one.size, one.terms, len(one.examples)) == (len(few), (), EXAMPLES)
    assert group([]) == []


def test_questions_without_words_to_tell_them_apart() -> None:
    """Equal ones, symbols, empty ones: one group and no crash."""
    (same,) = group([Question("Same words here every time", "law", None)] * LEAST)
    assert (same.size, same.examples) == (LEAST, ("Same words here every time",))
    (none,) = group([Question("??? !!!", "law", True)] * LEAST)
    assert (none.labelled, none.wrong) == (LEAST, LEAST)
    half = [Question("alpha beta", "law", None), Question("gamma delta", "law", None)] * LEAST
    assert sum(one.size for one in group(half)) == 2 * LEAST
