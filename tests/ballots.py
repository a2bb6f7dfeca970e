"""Short ways to write ballots, requests and policies in tests."""

from __future__ import annotations

from typing import Any

from consensus.ballot import Ballot
from consensus.policy import PanelPolicy, Policy
from consensus.types import BallotEntry, LabelKind, Request


def entry(model: str, vote: int | None, *, family: str | None = None, **changes: Any) -> BallotEntry:
    """A member of its own family that voted for candidate ``vote``, or abstained."""
    kind = changes.pop("kind", LabelKind.ABSTAINED if vote is None else LabelKind.ANSWER)
    label = f"option-{vote}" if kind is LabelKind.ANSWER else None
    return BallotEntry(
        **{
            "model": model,
            "model_version": f"{model}-v1",
            "family": family or f"family-{model}",
            "label_kind": kind,
            "label": label,
            "cluster": vote,
            **changes,
        }
    )


def ballot(*votes: int | None, candidates: int = 4, open_set: bool = False) -> Ballot:
    """One member per vote, named a, b, c …"""
    entries = tuple(entry(chr(97 + i), vote) for i, vote in enumerate(votes))
    return Ballot(entries, tuple(f"option-{i}" for i in range(candidates)), open_set)


def panel(size: int = 3, quorum: int = 2, min_families: int = 2) -> PanelPolicy:
    return PanelPolicy(
        name="main", models=tuple(chr(97 + i) for i in range(size)), quorum=quorum, min_families=min_families
    )


def policy(**changes: Any) -> Policy:
    return Policy(**{"name": "default", "panel": "main", "audit_rate": 0.0, "exploration_rate": 0.0, **changes})


def request(**changes: Any) -> Request:
    """A choice between A, B and C, at standard stakes."""
    base: dict[str, Any] = {
        "id": "r-1",
        "domain": "law",
        "stakes": "standard",
        "prompt": "Which one?",
        "answer": {"type": "choice", "options": ["A", "B", "C"]},
    }
    return Request.model_validate({**base, **changes})
