"""Time of one assessment at request time: agreement, calibrated confidences, posterior, kind and route of a ballot.

Nine simulated models, ten options, fourteen domains, a snapshot with curves for every member and a certificate. The
reach is 200 µs on one core; the first ballots, on which the snapshot compiles what it keeps, are not counted.

    python benchmarks/assessment.py [--ballots 4000] [--rounds 5]
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from calibration.ballots import Ballots
from calibration.fitting import EPOCH, fit
from calibration.snapshot import Snapshot, SnapshotCertificate
from consensus.assessment import assess
from consensus.ballot import Ballot
from consensus.case import Case
from consensus.certificate import rule_of
from consensus.policy import PanelPolicy, Policy
from consensus.types import AuditDraw, BallotEntry, ChoiceSpec, ConfidenceSource, LabelKind, Option, Request, Stakes

MODELS = tuple(f"model-{letter}" for letter in "abcdefghi")
OPTIONS = tuple(Option(id=letter, text=f"{number}.5 m/s") for number, letter in enumerate("ABCDEFGHIJ"))
DOMAINS = tuple(f"domain-{number}" for number in range(14))
POLICY = Policy(name="default", panel="main")
PANEL = PanelPolicy(name="main", models=MODELS, quorum=3)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
REACH_US = 200


def labelled(n: int) -> Ballots:
    """Ballots of nine models, right between .55 and .75 of the time, that state a confidence each."""
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 10, n)
    wrong = (truth[:, None] + rng.integers(1, 10, (n, 9))) % 10
    votes = np.where(rng.random((n, 9)) < np.linspace(0.55, 0.75, 9), truth[:, None], wrong)
    return Ballots(
        models=MODELS, families=MODELS, domains=tuple(DOMAINS[i % 14] for i in range(n)), answer_types=("choice",) * n,
        ids=tuple(f"q{i}" for i in range(n)), votes=votes, candidates=np.full(n, 10), open_set=np.zeros(n, dtype=bool),
        truth=truth, confidence=rng.uniform(0.5, 1.0, (n, 9)), sources=(("verbal", "v1", "p1"),),
        source=np.zeros((n, 9), dtype=np.int64),
    )  # fmt: skip


def fitted() -> Snapshot:
    """A snapshot with a certificate of the default class."""
    snapshot = fit(labelled(3_000), fitted_at=EPOCH)
    if snapshot is None:
        raise ValueError("too few labels")
    certificate = SnapshotCertificate.model_validate(
        {"class": "default", "alpha": 0.1, "delta": 0.05, "n": 1000, "method": "growing_region", "threshold": 0.9,
         "snapshot_version": snapshot.basis, "rule": rule_of(POLICY, PANEL), "issued_at": NOW, "revoked_by": "monitor"}
    )  # fmt: skip
    return snapshot.with_changes(certificates=(certificate,))


def cases(snapshot: Snapshot) -> dict[str, Case]:
    """One case per domain."""
    case = Case(
        request=Request(id="r", domain="d", stakes=Stakes.STANDARD, prompt="?", answer=ChoiceSpec(options=OPTIONS)),
        policy=POLICY, panel=PANEL,
        cls="default", snapshot=snapshot, suspended=None, nonce="0" * 16, place="0", started=NOW, deadline=NOW,
        audit=AuditDraw(), full_panel=False, context_marks=(), due_minutes=60.0,
    )  # fmt: skip
    return {name: replace(case, request=case.request.model_copy(update={"domain": name})) for name in DOMAINS}


def ballots(n: int) -> list[tuple[str, Ballot]]:
    """(domain, ballot) of n questions."""
    table, found = labelled(n), []
    ids = tuple(option.id for option in OPTIONS)
    for row in range(n):
        entries = tuple(
            BallotEntry(
                model=name, family=name, model_version="v1", label_kind=LabelKind.ANSWER, label=ids[vote], cluster=vote,
                raw_confidence=float(stated), confidence_source=ConfidenceSource.VERBAL,
            )
            for name, vote, stated in zip(MODELS, table.votes[row].tolist(), table.confidence[row], strict=True)
        )  # fmt: skip
        found.append((table.domains[row], Ballot(entries, ids, open_set=False)))
    return found


def microseconds(asked: dict[str, Case], drawn: list[tuple[str, Ballot]]) -> float:
    """Mean CPU time of one assessment."""
    started = time.process_time()
    for domain, ballot in drawn:
        assess(asked[domain], ballot, can_extend=False, expired=False, prompt_hash="p1")
    return (time.process_time() - started) / len(drawn) * 1e6


def main(count: int, rounds: int) -> None:
    """Print the median over the rounds."""
    asked, drawn = cases(fitted()), ballots(count)
    microseconds(asked, drawn)
    found = [microseconds(asked, drawn) for _ in range(rounds)]
    print(
        f"one assessment of {len(MODELS)} models × {len(OPTIONS)} options: {statistics.median(found):.0f} µs of CPU "
        f"(best {min(found):.0f}, worst {max(found):.0f} of {rounds} rounds; reach {REACH_US})"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--ballots", type=int, default=4_000)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    main(chosen.ballots, chosen.rounds)
