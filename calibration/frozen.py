"""Base of everything that a snapshot holds: immutable, closed to unknown fields, and finite."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

T = TypeVar("T", bound="Frozen")


class Frozen(BaseModel):
    """A value that cannot change and in which NaN, infinity and unknown fields are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with other fields. What was computed from the old ones (``cached_property``) is not taken along."""
        copy = super().model_copy(update=update, deep=deep)
        for name in set(copy.__dict__) - set(type(self).model_fields):
            del copy.__dict__[name]
        return copy


def parsed(kind: type[T], data: bytes, invalid: type[ValueError], *, faults: int = 1) -> T:
    """JSON as a value of ``kind``.

    Raises ``invalid`` with the first ``faults`` faults and their paths, and none of the values.
    """
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[:faults]
        raise invalid("; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in first)) from error
