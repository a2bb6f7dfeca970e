"""Choice: the option that a reply names explicitly, and nothing else."""

from __future__ import annotations

import pytest

from consensus import answers
from consensus.answers import Sameness
from consensus.errors import Malformed
from consensus.types import ChoiceSpec, LabelKind, Option
from tests.answers.replies import label

LETTERS = ChoiceSpec(
    options=tuple(
        Option(id=i, text=t)
        for i, t in zip("ABCDEI", ["Paris", "Rome", "a cat", "4.5 m/s", "None of these", "Bern"], strict=True)
    )
)
WORDS = ChoiceSpec(options=("approve", "deny", "needs_review"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "option"),
    [
        ('{"reasoning": "…", "answer": "B", "confidence": 0.8}', "B"),
        ('```json\n{"answer": "B"}\n```', "B"),
        ('Sure!\n{"answer": "Rome"}\nHope this helps.', "B"),
        ('{"answer": ["B"]}', "B"),
        ('{"reasoning": "line\nbreak", "answer": "B"}', "B"),
        ('{"reasoning": "he said "no"", "answer": "B", "confidence": 0.8}', "B"),
        ("The answer is (B).", "B"),
        ("the answer is b) because", "B"),
        ("The answer is **B**", "B"),
        ("**Answer:** B", "B"),
        ("### Final answer\n\nB", "B"),
        (r"Therefore $\boxed{B}$", "B"),
        (r"\[ \text{The answer is } (B) \]", "B"),
        (r"The answer is $\boxed{\text{B}}$.", "B"),
        ("The correct option is B: Rome", "B"),
        ("The answer is Rome.", "B"),
        ("The answer is 4.5 m/s, since v = s/t.", "D"),
        ("The most likely answer is therefore (B).", "B"),
        ("The answer to the question must be option B", "B"),
        ("The answer is I.", "I"),
        ("The answer is (a).", "A"),
        ("The answer is A because it is the capital.", "A"),
        ("The answer is none of these.", "E"),
        ("B", "B"),
        ("(B)", "B"),
        ("B. Rome", "B"),
        ("Rome", "B"),
        ("For these reasons, (B) is the correct answer.", "B"),
        ("Option B is therefore the best choice, since A is too small.", "B"),
        ("The best description of the city is B. Rome, as Livy writes.", "B"),
        ("The answer is (B). So the answer is (B).", "B"),
        ("The answer is (B).\n\nQuestion: What is 2 + 2?\nAnswer: (C)", "B"),
        ("B\n\nQuestion: and now?\nAnswer: C", "B"),
        ("Question: which city?\nAnswer: B", "B"),
        ("The answer is (B).\n\nNow, let's summarize all the answers:\nThe answer is A.", "B"),
        ("The answer is (A). Wait, I made a mistake. The answer is (B).", "B"),
        ('{"answer": "A"}\nCorrection:\n{"answer": "B"}', "B"),
    ],
)
def test_reads(text: str, option: str) -> None:
    """Structured, explicit and bare forms all name the option."""
    found = label(LETTERS, text)
    assert (found.kind, found.value) == (LabelKind.ANSWER, option)
    assert found.surface


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("The answer is (A). The answer is (B).", LabelKind.CONFLICTING),
        ("The answer is (A). Final answer: (B)", LabelKind.CONFLICTING),
        ("The answer is (A) or (B).", LabelKind.CONFLICTING),
        ("The answer is (A) and (B).", LabelKind.CONFLICTING),
        ("The answer is (AB).", LabelKind.CONFLICTING),
        ('{"answer": "A", "answer": "B"}', LabelKind.CONFLICTING),
        ('{"answer": "A"} {"answer": "B"}', LabelKind.CONFLICTING),
        ('{"answer": ["A", "B"]}', LabelKind.CONFLICTING),
        ('{"answer": "Z"}', LabelKind.INVALID),
        ('{"answer": {"id": "A"}}', LabelKind.INVALID),
        ('{"answer": true}', LabelKind.INVALID),
        ("The answer is (Z).", LabelKind.INVALID),
        ("The answer is not B.", LabelKind.INVALID),
        ("The answer is a matter of taste.", LabelKind.INVALID),
        ("The answer is I think unclear", LabelKind.INVALID),
        ("The answer is B12 deficiency.", LabelKind.INVALID),
        ("A man walks into a bar. I laugh.", LabelKind.INVALID),
        ("Options: A. Paris B. Rome", LabelKind.INVALID),
        ("No option fits; the closest is B. Rome", LabelKind.INVALID),
        ("", LabelKind.INVALID),
        ("(A) is the correct answer, and (B) is the correct answer.", LabelKind.CONFLICTING),
        ("The answer is not among the options.", LabelKind.ABSTAINED),
        ('{"answer": null, "confidence": 0.1}', LabelKind.ABSTAINED),
        ('{"answer": "cannot be determined"}', LabelKind.ABSTAINED),
        ("I don't know.", LabelKind.ABSTAINED),
        ("There is not enough information to tell.", LabelKind.ABSTAINED),
        ("None of the options is right.", LabelKind.ABSTAINED),
        ("I'm sorry, but I can't help with that.", LabelKind.REFUSED),
        ("As an AI language model I cannot give legal advice.", LabelKind.REFUSED),
        ('{"reasoning": "the answer is A, since', LabelKind.TRUNCATED),
    ],
)
def test_no_opinion(text: str, kind: LabelKind) -> None:
    """What names no one option is a label of its own."""
    found = label(LETTERS, text)
    assert (found.kind, found.value) == (kind, None)


@pytest.mark.parametrize(
    ("text", "option"),
    [
        ("It is 4.4 m/s, which is closest to option D.\n\nFinal Answer: D. 4.5 m/s", None),
        ("It is 4.4 m/s. The closest option is (D).\nSo the answer is 4.5 m/s.", None),
        ("None of the options match this. The correct answer should be (D).", None),
        ("It is 9 m/s, but since that's not an option, (D) is the best choice.", None),
        ("It is 4.4 m/s, the closest option being D. The answer is (D).", "D"),
        ("None of the given options match exactly, so $\\boxed{D}$", "D"),
        ("The planet nearest to the sun is Mercury.\n\nFinal Answer: B", "B"),
        ("Option A is incorrect, since it is a mistake.\n\nFinal Answer: B. Rome", "B"),
        ("It is closest to option D. " + "But that was only a guess. " * 30 + "Final answer: B", "B"),
    ],
)
def test_near_misses(text: str, option: str | None) -> None:
    """An option that is only closest to the reply's own result is no answer until a sentence commits to its id."""
    found = label(LETTERS, text)
    assert found.value == option
    assert (found.kind is LabelKind.ANSWER) is (option is not None)


NUMBERS = ChoiceSpec(options=(Option(id="A", text="$4.50"), Option(id="B", text="36 men"), Option(id="C", text="25%"),
                              Option(id="D", text="no change"), Option(id="E", text="5 or 7")))  # fmt: skip


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("So the answer is 2 * 18 = **36 men**.\nFinal answer: B.", "B"),
        ("So the cost is $\\boxed{162.75}$. The answer is (A).", None),
        ("The answer is (A). \\boxed{4.5}", "A"),
        ("The answer is (A) 162.75.", None),
        ("The final answer is 35% and the correct option is (C).", None),
        ("The answer is 0.25. The answer is (C).", "C"),
        ("The answer is 4.4 dollars. The answer is (A).", "A"),
        ("The answer is 9. Wait, I made a mistake. The answer is (A).", "A"),
        ("The answer is 9. The answer is (D).", "D"),
        ("The answer is 7. The answer is (E).", "E"),
        ("The answer is about 10 dollars. The answer is (A).", None),
    ],
)
def test_a_number_and_an_option_of_another_number_conflict(text: str, value: str | None) -> None:
    """A reply that states one number and names the option of another has said two things; rounding is allowed for."""
    found = label(NUMBERS, text)
    assert (found.kind, found.value) == (LabelKind.CONFLICTING if value is None else LabelKind.ANSWER, value)


@pytest.mark.parametrize(
    "text", ["The frequency is $\\boxed{f(RR)}$.", "Convert the answer by $$E_{cell} = 3$$", "The answer is B(x) + 1"]
)
def test_a_formula_is_no_option(text: str) -> None:
    """A letter that begins a formula names nothing."""
    assert label(LETTERS, text).kind is LabelKind.INVALID


def test_an_end_of_sequence_token_ends_the_answer() -> None:
    """What some servers leave behind a reply is no part of a name."""
    assert label(LETTERS, "The answer is B<EOS_TOKEN>").value == "B"


@pytest.mark.parametrize(
    "text",
    [
        "The answer to part (a) is (B).",
        "The answer for part b) is (C). Next we solve",
        "The answers to (a) and (b) are (D).",
    ],
)
def test_an_answer_to_a_part_is_none_to_the_question(text: str) -> None:
    """Half of a question's answer names no option for the whole."""
    assert label(LETTERS, text).kind is LabelKind.INVALID


@pytest.mark.parametrize(
    "text",
    ["Final Answer: A, B.", "The answer is: A, D, and E.", "The answer is A, D", "The answer is (A, D)."],
)
def test_a_list_of_ids_is_conflicting(text: str) -> None:
    """Several ids are no choice, in brackets or not."""
    assert label(LETTERS, text).kind is LabelKind.CONFLICTING


def test_a_comma_before_a_clause_begins_no_list() -> None:
    """A word that looks like an id goes on as a sentence."""
    assert label(LETTERS, "The answer is B, A being too small.").value == "B"
    assert label(LETTERS, "The answer is B, I think.").value == "B"


def test_an_intermediate_value_is_no_answer() -> None:
    """A value that is an option's text does not count when the reply goes on to another result."""
    assert label(LETTERS, r"The speed is \boxed{4.5 m/s}. Hence the answer is 9 m/s.").kind is LabelKind.INVALID
    assert label(LETTERS, "The answer is 4.5 m/s. The answer is therefore 4.5 m/s.").value == "D"
    assert label(LETTERS, "The answer is (D). The answer is obvious.").value == "D"


@pytest.mark.parametrize(
    ("text", "option"),
    [
        ("Final answer: needs review", "needs_review"),
        ('{"answer": "Needs_Review"}', "needs_review"),
        ("The answer is DENY.", "deny"),
        ("approve", "approve"),
    ],
)
def test_ids_that_are_words(text: str, option: str) -> None:
    """Case, width and underscores do not count."""
    assert label(WORDS, text).value == option


def test_a_longer_id_wins_over_its_beginning() -> None:
    """Ids may begin one another."""
    spec = ChoiceSpec(options=("risk", "risk high", "risk higher"))  # type: ignore[arg-type]
    assert label(spec, "The answer is risk high.").value == "risk high"
    assert label(spec, "The answer is risk.").value == "risk"


def test_the_letter_wins_over_an_option_called_like_it() -> None:
    """Where an option's text looks like another's id, the id is meant."""
    spec = ChoiceSpec(options=(Option(id="A", text="(b)"), Option(id="B", text="(a)")))
    assert label(spec, "The answer is (A).").value == "A"


def test_two_options_of_one_text_are_told_apart_by_id_only() -> None:
    """A text that two options share names neither."""
    spec = ChoiceSpec(options=(Option(id="x1", text="same"), Option(id="x2", text="same")))
    assert label(spec, "The answer is same.").kind is LabelKind.INVALID
    assert label(spec, "The answer is x2.").value == "x2"


def test_candidates_and_clusters() -> None:
    """Clusters of a closed spec are the options' places."""
    assert answers.candidates(WORDS) == ("approve", "deny", "needs_review")
    assert answers.clusters(WORDS, ["deny", None, "approve"]) == (1, None, 0)
    assert answers.representatives(WORDS, ["deny"], (1,)) == ("approve", "deny", "needs_review")
    assert answers.sameness(WORDS, "deny", "deny") is Sameness.SAME
    assert answers.sameness(WORDS, "deny", "approve") is Sameness.DIFFERENT


@pytest.mark.parametrize("value", ["Deny", "", None, 1, True, ["deny"], {"id": "deny"}])
def test_check_refuses(value: object) -> None:
    """A person's label is an id exactly."""
    with pytest.raises(Malformed) as caught:
        answers.check(WORDS, value)  # type: ignore[arg-type]
    assert caught.value.field == "answer"


def test_check_accepts() -> None:
    """An id stays as it is."""
    assert answers.check(WORDS, "deny") == "deny"
