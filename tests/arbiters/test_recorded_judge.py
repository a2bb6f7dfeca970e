"""A real judge's recorded decisions on 254 pairs in both orders, put through the bench."""

from __future__ import annotations

import asyncio
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from consensus.models.protocol import MemoryLog, Prompt
from tests.arbiters.bench import arbiter, bench, budget, dispute, says, shown

RECORDED = Path(__file__).parents[3] / "shared" / "data" / "judge_pairs.jsonl.gz"


def _rows() -> list[dict[str, Any]]:
    if not RECORDED.exists():
        pytest.skip("judge_pairs.jsonl.gz is not in ../shared/data: the recorded judge is left out")
    with gzip.open(RECORDED, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


async def _ruling(row: dict[str, Any]) -> str | None:
    """The label that the bench decides for when its arbiter says what the recorded judge said."""

    def reply(prompt: Prompt) -> str:
        (first, text), (second, _) = shown(prompt)
        slots = row["decision_ab"] if text.startswith("A") else row["decision_ba"]
        return says({"A>B": first, "B>A": second, "A=B": "tie"}[slots])

    ruling = await bench(arbiter("first", "gamma", reply)).arbitrate(
        dispute({"alpha": "A", "beta": "B"}),
        log=MemoryLog(),
        deadline=asyncio.get_running_loop().time() + 60,
        budget=budget(),
    )
    assert ruling is not None
    return None if ruling.label is None else str(ruling.label)


async def test_a_judge_that_flips_never_decides_and_what_is_decided_is_more_often_right() -> None:
    rows = _rows()
    rulings = [await _ruling(row) for row in rows]
    consistent = [{row["decision_ab"], row["decision_ba"]} == {"A>B", "B>A"} for row in rows]
    assert [ruling is not None for ruling in rulings] == consistent
    truth = ["A" if row["label"] == "A>B" else "B" for row in rows]
    right = sum(ruling == label for ruling, label in zip(rulings, truth, strict=True))
    one_order = sum(row["decision_ab"] == row["label"] for row in rows)
    assert (len(rows), sum(consistent)) == (254, 171)
    assert (round(right / 171, 3), round(one_order / 254, 3)) == (0.854, 0.701)
