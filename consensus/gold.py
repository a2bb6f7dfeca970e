"""Labelled cases of a user's own: one Request a line, with ``gold``, the right answer in the form of ``answer``.

``gold`` has the form of a verdict's ``answer``: an option's id, a boolean, a number in the request's unit, ids, an
object or a text; ``null`` says that no answer of the spec is right. A line may also hold ``answers``, what each model
said: then it is a line of a recorded panel.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from consensus import answers, wire
from consensus.errors import ConfigError, Malformed
from consensus.jsonl import numbered
from consensus.types import Answer, LabelValue, Request

ANSWERS = "answers"
GOLD = "gold"


@dataclass(frozen=True)
class GoldCase:
    """A request whose right answer is known: ``gold`` in canonical form, ``None`` where no answer of the spec is."""

    request: Request
    gold: LabelValue

    @property
    def key(self) -> str:
        """Its name among the cases of a file: the request's id, after the tenant where it is not the default one."""
        tenant = self.request.tenant
        return self.request.id if tenant == "default" else f"{tenant}/{self.request.id}"


def read(line: bytes) -> GoldCase:
    """Read one line. Raises Malformed with the field at fault."""
    return _case(wire.read(Request, line.strip()), json.loads(line))


def read_recorded(record: Mapping[str, Any]) -> GoldCase:
    """The case of a parsed line of a recorded panel; its answers, which may be long, are not looked at."""
    request = {name: value for name, value in record.items() if name not in (GOLD, ANSWERS)}
    return _case(wire.read(Request, json.dumps(request).encode()), record)


def cases(path: Path) -> list[GoldCase]:
    """All cases of a file of JSON lines, gzipped or not. Raises ConfigError naming the line and the field at fault."""
    found: dict[str, GoldCase] = {}
    for number, line in numbered(path):
        try:
            case = read(line)
        except Malformed as error:
            raise ConfigError(f"{path}:{number}", str(error)) from None
        if case.key in found:
            raise ConfigError(f"{path}:{number}", f"id: {case.key!r} is there twice")
        found[case.key] = case
    return list(found.values())


def recorded_line(case: GoldCase, said: Mapping[str, Answer]) -> str:
    """A line of a recorded panel: the case with the whole of what each model said."""
    kept = {
        name: answer.model_dump(mode="json", exclude={"model"}, exclude_defaults=True) for name, answer in said.items()
    }
    return json.dumps({**case.request.model_dump(mode="json"), GOLD: case.gold, ANSWERS: kept}, ensure_ascii=False)


def _case(request: Request, record: Mapping[str, Any]) -> GoldCase:
    if GOLD not in record:
        raise Malformed("is missing: what is the right answer?", field=GOLD, code="missing_field")
    gold = record[GOLD]
    try:
        return GoldCase(request, None if gold is None else answers.check(request.answer, gold))
    except Malformed as error:
        raise Malformed(error.reason, field=GOLD, code=error.code) from None
