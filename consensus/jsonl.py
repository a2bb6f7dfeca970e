"""Files of JSON lines, gzipped or not, read line by line with their numbers."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from consensus.errors import ConfigError


def numbered(path: Path) -> Iterator[tuple[int, bytes]]:
    """Numbered lines that are not blank. Gzip is told by the first two bytes. Raises ConfigError naming the line."""
    number = 0
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield number, line
    except (OSError, EOFError, zlib.error) as error:
        raise ConfigError(f"{path}:{number + 1}", f"cannot be read: {error}") from None
