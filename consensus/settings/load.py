"""Read the configuration, once, and refuse it with everything that is wrong with it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime

from pydantic import ValidationError

from consensus.errors import ConfigError
from consensus.settings.faults import faults
from consensus.settings.rules import violations
from consensus.settings.sources import overlay, read_file
from consensus.settings.tree import Settings

FILE_VARIABLE = "CONSENSUS_CONFIG"


def load(path: str | None = None, env: Mapping[str, str] = os.environ, *, today: date | None = None) -> Settings:
    """The settings of the YAML file at ``path`` (else ``CONSENSUS_CONFIG``, else defaults), overridden by ``env``.

    ``today`` (default: the current UTC date) decides which models are retired. Raises ConfigError; when several things
    are wrong the first error carries the others in ``also``.
    """
    file = path or env.get(FILE_VARIABLE)
    settings = parse(read_file(file) if file else {}, env)
    broken = violations(settings, today or datetime.now(UTC).date())
    if broken:
        raise together(broken)
    return settings


def parse(raw: Mapping[str, object], env: Mapping[str, str]) -> Settings:
    """The tree of a plain mapping and an environment, without the rules between its parts. Raises ConfigError."""
    tree, origins = overlay(raw, env)
    try:
        return Settings(**{str(key): value for key, value in tree.items()})
    except ValidationError as error:
        raise together(faults(error, origins)) from None


def together(found: Sequence[ConfigError]) -> ConfigError:
    """One error for one or more findings."""
    return ConfigError(found[0].path, found[0].message, also=tuple(found[1:]))
