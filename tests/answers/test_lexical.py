"""The lexical score: its features by hand, and what may not enter it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consensus.answers.lexical import FEATURES, RARE_MAX, Weights, features, fitted
from consensus.answers.profile import profile, question

RARITY = {"sein": 4.0, "flow": 2.0}


def named(a: str, b: str, asked: str = "") -> dict[str, float]:
    return dict(zip(FEATURES, features(a, b, asked, (), RARITY), strict=True))


def test_features_of_a_pair_by_hand() -> None:
    """Shared: sein (4, as stemmed), flow (2). Left over: rouen (rare) on one side, nothing on the other."""
    found = named("The Seine flows.", "The Seine flows in Rouen.")
    assert found["shared_mass"] == pytest.approx(math.log1p(6))
    assert found["shared_cover"] == pytest.approx((6 + 1) / (6 + 2))
    assert found["cover_high"] == pytest.approx((6 + 1) / (6 + 2))
    assert found["focus_cover_low"] == pytest.approx((6 + 1) / (6 + RARE_MAX + 2))
    assert found["left_top_low"] == found["names_left_low"] == 0.0


def test_later_sentences_weigh_less() -> None:
    early = named("The Seine. It flows.", "The Seine. It rots.")["cover_high"]
    late = named("It flows. The Seine.", "It rots. The Seine.")["cover_high"]
    assert early > late


def test_words_of_the_question_do_not_count() -> None:
    assert named("The Seine flows.", "The Seine rots.", "what does the seine do")["shared_mass"] == 0.0


@pytest.mark.parametrize(
    ("text", "focus"), [("when did it end", "quantity"), ("who was it", "name"), ("why", "any"), ("", "any")]
)
def test_the_question_says_what_kind_of_word_is_asked_for(text: str, focus: str) -> None:
    assert question(text).focus == focus


def test_shipped_weights_fit_the_features() -> None:
    shipped = fitted()
    for weights in (shipped.asked, shipped.alone, *shipped.asked_folds, *shipped.alone_folds):
        assert len(weights.weights) == len(FEATURES)
        assert 0.5 < weights.threshold < 1.0
    assert max(shipped.rarity.values()) <= RARE_MAX


def test_probability_is_the_logistic_of_the_sum_and_never_overflows() -> None:
    weights = Weights(bias=0.5, weights=(1.0, -2.0), threshold=0.9)
    assert weights.probability((1.5, 0.5)) == pytest.approx(1 / (1 + math.exp(-1.0)))
    assert weights.probability((1e9, 0.0)) == pytest.approx(1.0)
    assert weights.probability((-1e9, 0.0)) == pytest.approx(0.0)


def test_features_see_the_pair_only_not_how_long_an_answer_is() -> None:
    """Words that carry nothing change no cover."""
    assert named("Seine", "Seine") == named("Seine", "it is the of a Seine") | {
        name: named("Seine", "Seine")[name] for name in ("trigram_cover",)
    }


def test_an_empty_text_has_an_empty_profile() -> None:
    assert not profile("").words
    assert all(math.isfinite(value) for value in features("", "", "", ()))


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=30))
def test_features_are_symmetric_and_finite(a: str, b: str, asked: str) -> None:
    one, other = features(a, b, asked, ()), features(b, a, asked, ())
    assert one == pytest.approx(other)
    assert all(math.isfinite(value) for value in one)
