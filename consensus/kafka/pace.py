"""How often the calibrator looks at what it derives from the store: soon after news, and never for most of its time."""

from __future__ import annotations

from collections.abc import Callable

SPACING = 20
"""A look takes a twentieth of the time at most, unless somebody waits for it."""

STALE_S = 5.0
"""After this long it looks without news: other members ingest some of them, and deadlines pass."""


class Pace:
    """``clock``: seconds. ``spacing``: rest after a look, in times that it took."""

    def __init__(self, clock: Callable[[], float], spacing: float = SPACING) -> None:
        self._clock = clock
        self._spacing = spacing
        self._news = True
        self._begun = self._again_at = self._stale_at = 0.0

    def begins(self, *, news: bool) -> bool:
        """Whether it is time for a look; if so, `ended` must follow. ``news``: since the last question."""
        self._news = self._news or news
        self._begun = self._clock()
        if self._begun < (self._again_at if self._news else self._stale_at):
            return False
        self._news = False
        return True

    def ended(self) -> None:
        """The look is over."""
        now = self._clock()
        self._again_at = now + self._spacing * (now - self._begun)
        self._stale_at = max(self._again_at, now + STALE_S)
