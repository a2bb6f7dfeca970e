"""States of classes on the snapshots topic: what a process that follows it knows, and in doubt the class stops."""

from __future__ import annotations

from datetime import UTC, datetime

import structlog

from calibration.classes import REASONS, ClassInvalid, ClassState, named
from calibration.snapshot import SnapshotCertificate

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

logger = structlog.get_logger(__name__)


class Classes:
    """The latest state of every class, from the records of one follower."""

    def __init__(self) -> None:
        self._states: dict[tuple[str, str], ClassState] = {}

    def take(self, key: str, value: bytes | None) -> None:
        """A record whose key begins with ``class/``; without a value the state is forgotten.

        What cannot be read stops the class that the key names: somebody meant to say something about it.
        """
        cls, state = named(key)
        if value is None:
            self._states.pop((cls, state), None)
            return
        try:
            found = ClassState.from_json(value)
        except ClassInvalid as error:
            logger.error("class_state_unreadable", key=key, reason=str(error))
            found = _unreadable(cls, state)
        self._states[found.class_, found.state] = found
        logger.warning("class_state", cls=found.class_, state=found.state, active=found.active, reason=found.reason)

    def stopped(self, cls: str, certificate: SnapshotCertificate | None) -> str | None:
        """The reason code why a class accepts nothing, ``None`` while it may. ``certificate``: the newest it has."""
        for state, code in REASONS.items():
            found = self._states.get((cls, state))
            if found is not None and found.active and (state != "revoked" or _revokes(found, certificate)):
                return code
        return None

    def revoked(self, cls: str, certificate: SnapshotCertificate | None) -> bool:
        """Whether this certificate of the class was revoked."""
        found = self._states.get((cls, "revoked"))
        return found is not None and found.active and _revokes(found, certificate)


def _revokes(state: ClassState, certificate: SnapshotCertificate | None) -> bool:
    """A revocation names its certificate: one that was issued later stands."""
    return certificate is None or state.certificate in (None, certificate.campaign)


def _unreadable(cls: str, state: str) -> ClassState:
    plain = {"class": cls, "state": state, "active": True, "reason": "unreadable", "by": "unknown", "at": EPOCH}
    return ClassState.model_validate(plain)
