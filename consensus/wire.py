"""Bytes ⇄ messages for every edge (Kafka, files, stored decisions), with the limits that come before parsing."""

from __future__ import annotations

import hashlib
import json
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from consensus.errors import Malformed
from consensus.types import Request

M = TypeVar("M", bound=BaseModel)


def read(kind: type[M], value: bytes | None) -> M:
    """Parse one JSON message. Raises Malformed naming the field."""
    if value is None or not value:
        raise Malformed("the value is empty")
    if value[0] == 0:
        raise Malformed("looks like a schema-registry frame; send plain JSON")
    try:
        return kind.model_validate_json(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        path = ".".join(str(part) for part in first["loc"])
        raise Malformed(first["msg"], field=path or None) from None


def write(message: BaseModel) -> bytes:
    """The message's JSON in UTF-8; the same message always gives the same bytes."""
    return message.model_dump_json().encode()


def payload_hash(request: Request) -> str:
    """SHA-256 of the canonical payload: the request without ``metadata`` and ``deadline_ms``, keys sorted."""
    payload = request.model_dump(mode="json", exclude={"metadata", "deadline_ms"})
    text = json.dumps(payload, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
