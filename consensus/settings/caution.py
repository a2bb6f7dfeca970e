"""One finding about a configuration."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Caution:
    """What is allowed but worth knowing, at the configuration's key ``path``."""

    path: str
    message: str
