"""The baseline that follows the member that is surest of itself, after calibration."""

from __future__ import annotations

import numpy as np

from calibration import member_confidence, reliability
from calibration.ballots import UNKNOWN, Ballots
from calibration.correlation import POOLED
from calibration.frozen import Frozen
from calibration.member_confidence import MemberCurves
from calibration.reliability import Reliability
from calibration.tally import Floats, Tally


class MostConfident(Frozen):
    """A member's confidence is its own, calibrated; where it stated none, its reliability in the domain."""

    reliability: tuple[Reliability, ...]
    members: MemberCurves

    def posterior(self, ballots: Ballots) -> Floats:
        """Float (n, w) as of `VoteWeights`: the surest member's confidence on its candidate, the rest spread evenly.

        Members that are equally sure of different candidates share the confidence of one.
        """
        tally = Tally.of(ballots)
        sure = np.where(tally.slot >= 0, self.confidences(ballots), -1.0)
        best = sure.max(axis=1, initial=-1.0)
        row, member = np.nonzero((sure >= best[:, None]) & (tally.slot >= 0))
        width = int(ballots.candidates.max(initial=0)) + 1
        chosen = np.zeros((len(ballots), width), dtype=np.bool_)
        chosen[row, ballots.votes[row, member]] = True
        size = ballots.candidates + ballots.open_set
        winners = chosen.sum(axis=1)
        # Never below an even share, or the member's candidate would not lead.
        lead = np.maximum(best, (winners + 1e-9) / np.maximum(size, 1))
        rest = np.where(size > winners, (1.0 - lead) / np.maximum(size - winners, 1), 0.0)
        table = np.where(chosen, (lead / np.maximum(winners, 1))[:, None], rest[:, None])
        table[winners == 0] = (1.0 / np.maximum(size, 1))[winners == 0, None]
        table[np.arange(width) >= size[:, None]] = 0.0
        return np.asarray(table / np.maximum(table.sum(axis=1, keepdims=True), 1e-300))

    def confidences(self, ballots: Ballots) -> Floats:
        """Float (n, m): each member's calibrated confidence, else its reliability, else even odds."""
        known = {(entry.model, entry.domain): entry.mean for entry in self.reliability}
        own = member_confidence.values(self.members, ballots)
        fallback = np.array(
            [
                [known.get((model, domain), known.get((model, POOLED), 0.5)) for model in ballots.models]
                for domain in ballots.domains
            ]
        ).reshape(ballots.votes.shape)
        return np.where(np.isnan(own), fallback, own)


def fit(ballots: Ballots) -> MostConfident:
    """Reliabilities and members' calibration curves of the labelled rows."""
    known = ballots.take(ballots.truth != UNKNOWN)
    return MostConfident(reliability=reliability.fit(known), members=member_confidence.fit(known))
