"""Commit metadata: which offsets at and above the committed one are not done yet, in at most 4,096 characters.

Layout, base64 of: one version byte; the span as a varint (everything at ``base + span`` and above is untouched); then
for each incomplete offset after ``base`` itself the varint of its distance from the one before, less one. The empty
string means that nothing is incomplete. With at most `MOST_INCOMPLETE` offsets and a span below `SPAN_LIMIT` each
number takes at most five bytes, so 3,420 characters are never exceeded: inside a transaction, longer metadata would
kill the producer.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from itertools import pairwise

MOST_INCOMPLETE = 512
SPAN_LIMIT = 1 << 35
MAX_CHARACTERS = 4_096
FORMAT = 1


class MapDamaged(ValueError):
    """The metadata is not of this format: another program has committed, or another version."""


def encode(incomplete: Sequence[int], end: int) -> str:
    """Metadata for the incomplete offsets (ascending, the first is what is committed) below ``end``.

    Raises ValueError when there are more than `MOST_INCOMPLETE` or the span reaches `SPAN_LIMIT`.
    """
    if not incomplete:
        return ""
    span = end - incomplete[0]
    if len(incomplete) > MOST_INCOMPLETE or not 0 < span < SPAN_LIMIT:
        raise ValueError(f"{len(incomplete)} incomplete offsets over a span of {span} do not fit")
    out = bytearray([FORMAT])
    _put(out, span)
    for before, offset in pairwise(incomplete):
        _put(out, offset - before - 1)
    return base64.b64encode(out).decode("ascii")


def decode(base: int, metadata: str) -> tuple[tuple[int, ...], int]:
    """The incomplete offsets (ascending) and the end that `encode` was given; ``base`` is the committed offset.

    Raises MapDamaged for anything that `encode` does not write.
    """
    if metadata == "":
        return (), base
    if len(metadata) > MAX_CHARACTERS:
        raise MapDamaged("too long")
    try:
        data = base64.b64decode(metadata, validate=True)
    except ValueError:
        raise MapDamaged("not base64") from None
    if not data or data[0] != FORMAT:
        raise MapDamaged("not of this format")
    numbers = _numbers(data[1:])
    if not 0 < len(numbers) <= MOST_INCOMPLETE:
        raise MapDamaged("a wrong count of offsets")
    incomplete = [base]
    for gap in numbers[1:]:
        incomplete.append(incomplete[-1] + gap + 1)
    end = base + numbers[0]
    if not incomplete[-1] < end < base + SPAN_LIMIT:
        raise MapDamaged("offsets outside the span")
    return tuple(incomplete), end


def _put(out: bytearray, number: int) -> None:
    """Append a varint: seven bits a byte, lowest first, the top bit set while more follow."""
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)


def _numbers(data: bytes) -> list[int]:
    numbers: list[int] = []
    value = shift = 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte & 0x80:
            continue
        numbers.append(value)
        value = shift = 0
    if shift:
        raise MapDamaged("cut off")
    return numbers
