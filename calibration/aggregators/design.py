"""Labelled ballots as the sparse design matrix of a conditional logit: one row per candidate that somebody chose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix

from calibration.aggregators.vote_weights import VoteWeights, log_options, positions_of, silent_members
from calibration.ballots import Ballots
from calibration.tally import Floats, Ints, Tally

_POSITIONS = 26
"""Positions beyond the 26th get no term of their own: nobody has the labels to tell them apart."""

Cells = tuple[Ints, Ints, Floats]
"""Row, column within the term, value of the non-zero cells of one term."""


@dataclass(frozen=True)
class Design:
    """r rows: the voted candidates ("slots") and "none of these" of b ballots, sorted by ballot; p columns.

    matrix    (r, p); columns are the terms of `VoteWeights` one after the other, see ``columns``.
    ballot    int (r,): ballot of each row among the b; ``start`` int (b,): first row of each ballot.
    owner     int (r,): the same among the n ballots of the table; ``slot`` int (r,): slot of each row, -1 for "none".
    right     bool (r,): rows that are right; none of a closed ballot's when nobody chose the right candidate.
    unvoted   float (b,): options without a vote, each of which scores 0. A closed ballot of which no option is right
              has one more, for what would have been.
    Ballots without a row say nothing about weights and are left out.
    """

    matrix: csr_matrix
    ballot: Ints
    start: Ints
    owner: Ints
    slot: Ints
    right: NDArray[np.bool_]
    unvoted: Floats
    columns: dict[str, tuple[int, int]]
    names: _Names

    @classmethod
    def of(cls, ballots: Ballots) -> Self:
        """Design of labelled ballots (n, m); rows of the table whose truth is unknown must be left out before."""
        tally, names = Tally.of(ballots), _Names.of(ballots)
        owner, slot = np.nonzero(tally.count)
        opened = np.flatnonzero(ballots.open_set)
        cells = _slot_cells(ballots, tally, names, owner, slot) | _none_cells(tally, names, opened, len(owner))
        columns, matrix = _assemble(cells, names.sizes, len(owner) + len(opened))
        right = np.concatenate([tally.right[owner, slot], ~tally.right[opened].any(axis=1)])
        every = np.concatenate([owner, opened])
        order = np.argsort(every, kind="stable")
        slots = np.concatenate([slot, np.full(len(opened), -1)])[order]
        kept, start, ballot = np.unique(every[order], return_index=True, return_inverse=True)
        unvoted = np.where(ballots.open_set, 0, tally.unvoted + (ballots.truth < 0))[kept].astype(float)
        return cls(matrix[order], ballot, start, every[order], slots, right[order], unvoted, columns, names)

    def weights(self, theta: Floats) -> VoteWeights:
        """Parameters (p,) as vote weights."""
        part = {term: theta[low:high] for term, (low, high) in self.columns.items()}
        names = self.names
        return VoteWeights(
            steps=tuple(part["steps"].tolist()),
            models=_named(names.models, part["models"]),
            domains=_rows(names.domains, names.models, part["domains"]),
            types=_rows(names.types, names.models, part["types"]),
            positions=tuple(part["positions"].tolist()),
            crowd=float(part["crowd"].sum()),
            options=names.options,
            silence=float(part["silence"].sum()),
            none=float(part["none"].sum()),
            none_votes=float(part["none_votes"].sum()),
            none_domains=_named(names.domains, part["none_domains"]) if len(part["none_domains"]) else {},
        )

    def lay_out(self, values: Floats, none: Floats) -> Floats:
        """Float (r,): values (n, s) of slots and ``none`` (n,) of "none of these", at the rows they belong to."""
        return np.where(self.slot >= 0, values[self.owner, np.maximum(self.slot, 0)], none[self.owner])


@dataclass(frozen=True)
class _Names:
    """What the columns stand for, and each ballot's domain and answer type as numbers."""

    models: tuple[str, ...]
    domains: tuple[str, ...]
    types: tuple[str, ...]
    domain: Ints
    type: Ints
    options: tuple[int, int, int]
    sizes: dict[str, int]

    @classmethod
    def of(cls, ballots: Ballots) -> Self:
        domains, domain = _codes(ballots.domains)
        if domains[:1] == ("",):  # sorts first, and gets no terms
            domains, domain = domains[1:], domain - 1
        types, kind = _codes(ballots.answer_types)
        options = _options_seen(ballots)
        m, d = len(ballots.models), len(domains)
        closed, opened = not ballots.open_set.all(), bool(ballots.open_set.any())
        sizes = {
            "steps": m,
            "models": m,
            # Where all rows are of one domain, or of one type, its terms would be the models' own again.
            "domains": d * m if (domain != 0).any() else 0,
            "types": len(types) * m if len(types) > 1 else 0,
            "positions": min(options[2], _POSITIONS) if closed else 0,
            "crowd": int(closed),
            "silence": 1,
            "none": int(opened),
            "none_votes": int(opened),
            "none_domains": d if opened and (domain != 0).any() else 0,
        }
        return cls(ballots.models, domains, types, domain, kind, options, sizes)


def _slot_cells(ballots: Ballots, tally: Tally, names: _Names, owner: Ints, slot: Ints) -> dict[str, Cells]:
    """Cells of the rows of voted candidates."""
    m, rows = len(names.models), np.arange(len(owner))
    number = np.zeros(tally.count.shape, dtype=np.int64)
    number[owner, slot] = rows
    voter, model = np.nonzero(tally.slot >= 0)
    voted = number[voter, tally.slot[voter, model]]
    one = np.ones(len(voted))
    count = tally.count[owner, slot]
    step_row = np.repeat(rows, count)
    step = np.arange(len(step_row)) - np.repeat(np.cumsum(count) - count, count)
    place = positions_of(tally, ballots, names.sizes["positions"])[owner, slot]
    placed = place < names.sizes["positions"]
    cells: dict[str, Cells] = {
        "steps": (step_row, step, np.ones(len(step_row))),
        "models": (voted, model, one),
        "positions": (rows[placed], place[placed], np.ones(int(placed.sum()))),
        "silence": (rows, np.zeros_like(rows), silent_members(ballots)[owner]),
    }
    if names.sizes["domains"]:
        somewhere = names.domain[voter] >= 0
        column = names.domain[voter] * m + model
        cells["domains"] = (voted[somewhere], column[somewhere], one[somewhere])
    if names.sizes["types"]:
        cells["types"] = (voted, names.type[voter] * m + model, one)
    if names.sizes["crowd"]:
        cells["crowd"] = (rows, np.zeros_like(rows), count * log_options(ballots, names.options)[owner])
    return cells


def _none_cells(tally: Tally, names: _Names, opened: Ints, first_row: int) -> dict[str, Cells]:
    """Cells of the rows of "none of these", which come after ``first_row`` others."""
    if not len(opened):
        return {}
    rows, one = first_row + np.arange(len(opened)), np.ones(len(opened))
    votes = tally.count[opened].sum(axis=1).astype(float)
    cells = {"none": (rows, np.zeros_like(rows), one), "none_votes": (rows, np.zeros_like(rows), votes)}
    if names.sizes["none_domains"]:
        somewhere = names.domain[opened] >= 0
        cells["none_domains"] = (rows[somewhere], names.domain[opened][somewhere], one[somewhere])
    return cells


def _assemble(
    cells: dict[str, Cells], sizes: dict[str, int], rows: int
) -> tuple[dict[str, tuple[int, int]], csr_matrix]:
    ends = np.cumsum(list(sizes.values())).tolist()
    columns = {term: (end - size, end) for (term, size), end in zip(sizes.items(), ends, strict=True)}
    row = np.concatenate([row for row, _, _ in cells.values()])
    column = np.concatenate([column + columns[term][0] for term, (_, column, _) in cells.items()])
    value = np.concatenate([value for _, _, value in cells.values()])
    return columns, coo_matrix((value, (row, column)), shape=(rows, ends[-1])).tocsr()


def _options_seen(ballots: Ballots) -> tuple[int, int, int]:
    closed = np.sort(ballots.candidates[~ballots.open_set])
    return (int(closed[0]), int(closed[len(closed) // 2]), int(closed[-1])) if len(closed) else (2, 2, 2)


def _rows(keys: tuple[str, ...], names: tuple[str, ...], values: Floats) -> dict[str, dict[str, float]]:
    """Key → name → value of a flat (keys × names) table; empty where the term has no columns."""
    table = values.reshape(-1, len(names))
    return {key: _named(names, row) for key, row in zip(keys, table, strict=True)} if len(table) else {}


def _named(names: tuple[str, ...], values: Floats) -> dict[str, float]:
    return dict(zip(names, values.tolist(), strict=True))


def _codes(names: tuple[str, ...]) -> tuple[tuple[str, ...], Ints]:
    distinct, codes = np.unique(np.array(names, dtype=str), return_inverse=True)
    return tuple(distinct.tolist()), codes.astype(np.int64)
