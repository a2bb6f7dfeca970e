"""Calibration of what members say about themselves, by source, model, version, prompt and answer type."""

from __future__ import annotations

import math
from functools import cached_property

from calibration.curve import Curve
from calibration.frozen import Frozen


class MemberCurve(Frozen):
    """Curve of one key. ``key`` is a prefix of (source, model, version, prompt hash, answer type), at least two long."""

    key: tuple[str, ...]
    curve: Curve


class MemberCurves(Frozen):
    """Curves by key; a key that was never fitted answers with its nearest fitted parent, at worst the model's own."""

    curves: tuple[MemberCurve, ...] = ()

    @cached_property
    def _by_key(self) -> dict[tuple[str, ...], Curve]:
        return {entry.key: entry.curve for entry in self.curves}

    def value(
        self, source: str, model: str, version: str, prompt_hash: str, answer_type: str, domain: str, raw: float
    ) -> float | None:
        """Calibrated confidence; ``None`` where not even (source, model) has been fitted, or ``raw`` is not in [0, 1].

        A curve is never borrowed from another source or another model.
        """
        if not (math.isfinite(raw) and 0.0 <= raw <= 1.0):
            return None
        key = (source, model, version, prompt_hash, answer_type)
        for length in range(len(key), 1, -1):
            curve = self._by_key.get(key[:length])
            if curve is not None:
                return curve.value(raw, domain)
        return None
