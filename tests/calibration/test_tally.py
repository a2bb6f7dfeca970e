"""Ballots compressed to the candidates that somebody voted for."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.ballots import NONE_OF_THESE, stack
from calibration.tally import Tally
from tests.calibration.tables import ABSTAINED, NOT_ASKED, table


def test_hand_worked_tally() -> None:
    """Slots are numbered by first appearance; abstentions have none; the truth is found among the slots or not."""
    tally = Tally.of(table([[2, 0, 2], [ABSTAINED, 3, 1], [NOT_ASKED, ABSTAINED, ABSTAINED]], [0, 2, 1]))
    assert tally.slot.tolist() == [[0, 1, 0], [-1, 0, 1], [-1, -1, -1]]
    assert tally.candidate.tolist() == [[2, 0, -1], [3, 1, -1], [-1, -1, -1]]
    assert tally.count.tolist() == [[2, 1, 0], [1, 1, 0], [0, 0, 0]]
    assert tally.right.tolist() == [[False, True, False], [False] * 3, [False] * 3]
    assert tally.unvoted.tolist() == [2, 2, 4]


def test_sums_go_to_slots_and_back() -> None:
    tally = Tally.of(table([[2, 0, 2]], [0]))
    assert tally.sum_by_slot(np.array([[1.0, 5.0, 2.0]])).tolist() == [[3.0, 5.0, 0.0]]
    assert tally.at_votes(np.array([[3.0, 5.0, 0.0]])).tolist() == [[3.0, 5.0, 3.0]]


def test_several_candidates_may_be_right() -> None:
    right = np.array([[True, False, True], [False, False, False]])
    ballots = table([[0, 1, 2], [0, 1, 1]], [0, NONE_OF_THESE], candidates=3, open_set=True, right=right)
    assert Tally.of(ballots).right.tolist() == [[True, False, True], [False, False, False]]
    assert ballots.right_at(ballots.votes).tolist() == [[True, False, True], [False, False, False]]


def test_an_empty_table_has_an_empty_tally() -> None:
    assert Tally.of(table(np.zeros((0, 3)), [])).count.shape == (0, 3)


def test_heard_leaves_only_the_named_members() -> None:
    heard = table([[2, 0, 2]], [0]).heard(["m1"])
    assert heard.votes.tolist() == [[NOT_ASKED, 0, NOT_ASKED]]


def test_stacking_keeps_rows_and_refuses_other_models() -> None:
    one, two = table([[0, 1]], [0]), table([[1, 1]], [1])
    assert stack([one, two]).votes.tolist() == [[0, 1], [1, 1]]
    with pytest.raises(ValueError, match="same models"):
        stack([one, table([[0]], [0])])


def test_a_vote_beyond_the_candidates_is_refused() -> None:
    with pytest.raises(ValueError, match="smaller than the number of candidates"):
        table([[4]], [0], candidates=4)
