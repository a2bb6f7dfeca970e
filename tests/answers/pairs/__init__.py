"""Pairs of our own writing: what contradicts, and what says the same. ``held_out`` ones were written last."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypedDict


class Pair(TypedDict, total=False):
    """``kind`` says how a contradiction was made; paraphrases have none."""

    kind: str
    domain: str
    a: str
    b: str


def read(name: str) -> list[Pair]:
    """The pairs of one file, e.g. ``contradictions_held_out``."""
    lines = (Path(__file__).parent / f"{name}.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]
