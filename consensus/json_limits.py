"""Limits on JSON text before anything parses it: one pass over the tokens that knows where it is.

Every limit is a Malformed with a stable code and the path of the value at fault (``answer.options[3].id``), or
``value`` where the record as a whole is meant. The pass does not check the grammar; the parser that follows does.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field

from consensus.errors import Malformed

MAX_BYTES = 1_000_000
"""Size of a message: what a Kafka broker takes by default."""
MAX_DEPTH = 32
MAX_VALUES = 20_000
MAX_DIGITS = 64
"""Characters of one number; a double has 17 significant digits."""


@dataclass(frozen=True)
class Limits:
    """Largest size in bytes, nesting, count of values, and characters of one number."""

    size: int = MAX_BYTES
    depth: int = MAX_DEPTH
    values: int = MAX_VALUES
    digits: int = MAX_DIGITS


OUTSIDE = Limits()
OWN = Limits(size=16 * MAX_BYTES, depth=2 * MAX_DEPTH, values=16 * MAX_VALUES)
"""Our own messages hold many values from outside, each within its limits: whatever we write can be read again."""
WHOLE = "value"
"""Field name of a fault of the record as a whole."""

_TOKEN = re.compile(r'"(?:[^"\\]++|\\.?)*+(?:"|\Z)|[\[\]{},:]|[^\s\[\]{},:"]++', re.DOTALL)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"\x04\x22\x4d\x18": "lz4", b"\x82SNAPPY": "snappy"}


def text_of(value: bytes | None, limits: Limits = OUTSIDE) -> str:
    """The text of a record's value. Raises Malformed for what is no JSON text at all or is too long (in bytes)."""
    if value is None:
        raise Malformed("is null (a tombstone)", field=WHOLE, code="null_value")
    if not value:
        raise Malformed("is empty", field=WHOLE, code="empty_value")
    if len(value) > limits.size:
        raise Malformed(f"has {len(value)} bytes, at most {limits.size} are allowed", field=WHOLE, code="too_large")
    if value[0] == 0:
        raise Malformed(
            "looks like a schema-registry frame; send plain JSON", field=WHOLE, code="schema_registry_frame"
        )
    for magic, name in _MAGIC.items():
        if value.startswith(magic):
            raise Malformed(f"looks like {name}; send plain JSON", field=WHOLE, code="compressed_value")
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise Malformed(f"is not UTF-8 at byte {error.start}", field=WHOLE, code="not_utf8") from None


@dataclass
class _Frame:
    """An object or array that is open: the key or index of the member at hand, and the keys seen."""

    is_object: bool
    step: str = ""
    index: int = 0
    at_key: bool = True
    keys: set[str] = field(default_factory=set)


def check(text: str, limits: Limits = OUTSIDE) -> None:
    """Raise Malformed when the text breaks a limit: depth, count of values, digits, duplicate keys, NaN, surrogates."""
    frames: list[_Frame] = []
    values = 0
    for count, match in enumerate(_TOKEN.finditer(text)):
        piece = match[0]
        if count > 5 * limits.values or values > limits.values:
            # Key, colon, value, comma, closing bracket: more tokens than that are more values, or no JSON.
            raise Malformed(f"more than {limits.values} values", field=_top(frames), code="too_many_values")
        if piece in "]}":
            if frames:
                frames.pop()
        elif piece == ",":
            _next_member(frames)
        elif piece == ":":
            if frames:
                frames[-1].at_key = False
        elif frames and frames[-1].is_object and frames[-1].at_key and piece[0] == '"':
            _key(frames, piece)
        else:
            values += 1
            _value(frames, piece, limits)


def _next_member(frames: list[_Frame]) -> None:
    if frames:
        frames[-1].index += 1
        frames[-1].at_key = True


def _key(frames: list[_Frame], piece: str) -> None:
    name = _string(frames, piece)
    frame = frames[-1]
    frame.step = name
    if name in frame.keys:
        raise Malformed("the key is given twice", field=_path(frames), code="duplicate_key")
    frame.keys.add(name)


def _value(frames: list[_Frame], piece: str, limits: Limits) -> None:
    if piece in "[{":
        if len(frames) == limits.depth:
            raise Malformed(f"nested more than {limits.depth} deep", field=_top(frames), code="too_deep")
        frames.append(_Frame(is_object=piece == "{"))
    elif piece[0] == '"':
        _string(frames, piece)
    elif piece not in ("true", "false", "null"):
        _number(frames, piece, limits)


def _string(frames: list[_Frame], piece: str) -> str:
    """The string's text. A broken string is left to the parser."""
    if "\\" not in piece:
        return piece[1:-1]
    try:
        text = str(json.loads(piece))
    except ValueError:
        # Not a JSON string: the parser says so, and where.
        return piece
    if _SURROGATE.search(piece) and any(0xD800 <= ord(c) < 0xE000 for c in text):
        raise Malformed("holds half of a surrogate pair", field=_path(frames), code="lone_surrogate")
    return text


def _number(frames: list[_Frame], piece: str, limits: Limits) -> None:
    if piece.lstrip("+-").lower() in ("nan", "infinity", "inf"):
        raise Malformed("is not a finite number", field=_path(frames), code="not_finite")
    if len(piece) > limits.digits:
        raise Malformed(f"a number of {len(piece)} characters", field=_path(frames), code="too_many_digits")
    if _NUMBER.fullmatch(piece) and not math.isfinite(float(piece)):
        raise Malformed("is beyond the largest double", field=_path(frames), code="not_finite")


def _top(frames: list[_Frame]) -> str:
    """The member of the member at fault: the whole path of something too deep would be as long as it is deep."""
    return _path(frames[:2])


def _path(frames: list[_Frame]) -> str:
    steps = [f".{frame.step}" if frame.is_object else f"[{frame.index}]" for frame in frames]
    return _printable("".join(steps).lstrip(".")) or WHOLE


def _printable(path: str) -> str:
    """A path is shown to people and put in headers: bounded, without control characters."""
    return "".join(c if c.isprintable() else "?" for c in path[:200])
