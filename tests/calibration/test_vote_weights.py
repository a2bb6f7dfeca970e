"""The softmax of summed vote weights, one ballot at a time and by the table."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.aggregators.vote_weights import VoteWeights, crowding
from tests.calibration.tables import ABSTAINED, FAILED, table

WEIGHTS = VoteWeights(
    steps=(1.0, 0.5),
    models={"m0": 0.3, "m1": -0.1},
    domains={"law": {"m0": 0.2}},
    types={"choice": {"m1": 0.05}},
    positions=(0.1, -0.2),
    crowd=0.4,
    options=(2, 4, 10),
    silence=-0.3,
    none=0.7,
    none_votes=-0.05,
    none_domains={"law": -0.2},
)


def test_hand_worked_closed_ballot() -> None:
    """Two votes for option 0, one for 1, one silent member, four options, the reference number of them."""
    ballots = table([[0, 0, 1, ABSTAINED]], [0])
    first = (0.3 + 0.2) + (-0.1 + 0.05) + 1.5 + 0.1 - 0.3
    second = 1.0 - 0.2 - 0.3
    powers = np.exp([first, second, 0.0, 0.0])
    assert WEIGHTS.posterior(ballots)[0, :4] == pytest.approx(powers / powers.sum())
    assert WEIGHTS.posterior(ballots)[0, 4] == 0.0


def test_hand_worked_open_ballot() -> None:
    """Positions and the number of options mean nothing among clusters; "none of these" comes last."""
    ballots = table([[0, 0, 1, FAILED]], [0], candidates=2, open_set=True)
    powers = np.exp([0.3 + 0.2 - 0.1 + 1.5, 1.0, 0.7 - 0.2 - 3 * 0.05])
    assert WEIGHTS.posterior(ballots)[0] == pytest.approx(powers / powers.sum())


def test_what_was_not_seen_counts_as_average() -> None:
    """An unknown model, domain and type add nothing; a third vote adds no step; a later position adds nothing."""
    assert WEIGHTS.vote("new", "law", "choice") == 0.0
    assert WEIGHTS.vote("m0", "unseen", "unseen") == pytest.approx(0.3)
    assert WEIGHTS.none_score("unseen") == pytest.approx(0.7)
    ballots = table([[3, 3, 3]], [0], candidates=4, domains=["unseen"], types=["unseen"])
    score = 0.3 - 0.1 + 1.5
    assert WEIGHTS.posterior(ballots)[0, 3] == pytest.approx(math.exp(score) / (math.exp(score) + 3))


def test_numbers_of_options_are_clipped_to_what_was_seen() -> None:
    assert crowding(4, (2, 4, 10)) == 0.0
    assert crowding(10, (2, 4, 10)) == pytest.approx(math.log(3))
    assert crowding(256, (2, 4, 10)) == pytest.approx(math.log(3))
    assert crowding(1, (1, 1, 1)) == 0.0


def test_huge_weights_do_not_overflow() -> None:
    sure = VoteWeights(steps=(900.0,), models={"m0": 900.0})
    assert sure.posterior(table([[1]], [1]))[0, :4].tolist() == [0.0, 1.0, 0.0, 0.0]
    assert sure.posterior_one([900.0], [1], 4, None).tolist() == [0.0, 1.0, 0.0, 0.0]


@given(
    votes=st.lists(st.integers(-8, 4), min_size=1, max_size=6),
    size=st.integers(5, 12),
    opened=st.booleans(),
    domain=st.sampled_from(["law", "unseen"]),
)
def test_one_ballot_and_a_table_agree(votes: list[int], size: int, opened: bool, domain: str) -> None:
    """The request-time arithmetic is that of the fit, to the last digits, and sums to one."""
    ballots = table([votes], [0], candidates=size, open_set=opened, domains=[domain])
    weights = [WEIGHTS.vote(model, domain, ballots.answer_types[0]) for model in ballots.models]
    one = WEIGHTS.posterior_one(weights, votes, size, WEIGHTS.none_score(domain) if opened else None)
    assert one == pytest.approx(WEIGHTS.posterior(ballots)[0, : size + opened], abs=1e-12)
    assert one.sum() == pytest.approx(1.0)


def test_a_copy_forgets_what_was_computed_from_the_old_steps() -> None:
    """The posterior caches its step sums; a copy with other steps must not answer by them."""
    ballots = table([[1]], [1])
    before = WEIGHTS.posterior(ballots)[0, 1]
    after = WEIGHTS.model_copy(update={"steps": (5.0,)}).posterior(ballots)[0, 1]
    assert after > 0.9 > before
