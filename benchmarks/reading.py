"""How real replies are read, and what reading costs.

    python benchmarks/reading.py [--panel ../shared/data/mmlu_pro_panel.jsonl.gz] [--limit N]

Prints one JSON value: the reading metrics of the recorded panel (where it is there), and per answer type the CPU
milliseconds of reading and comparing a ballot of nine replies of 2 KB.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

from consensus import answers
from consensus.evaluation import reading_metrics, recorded
from consensus.types import (
    Answer,
    AnswerSpec,
    BooleanSpec,
    ChoiceSpec,
    LabelsSpec,
    NumberSpec,
    ObjectSpec,
    Option,
    TextSpec,
)

MEMBERS = 9
SIZE = 2_000
REPEATS = 50
FILLER = "The clause obliges the tenant to pay the rent on the first day of each month, and notice runs from then. "

CASES: dict[str, tuple[AnswerSpec, list[Any]]] = {
    "choice": (ChoiceSpec(options=tuple(Option(id=c, text=f"reading {c}") for c in "ABCDEFGHIJ")), ["A", "B", "C"]),
    "boolean": (BooleanSpec(), [True, False]),
    "number": (NumberSpec(unit="km", rel_tolerance=0.01), [5, 5.01, 7]),
    "labels": (LabelsSpec(options=tuple(Option(id=c, text=c) for c in "xyz")), [["x"], ["x", "y"], ["z"]]),
    "object": (
        ObjectSpec.model_validate({"schema": {"type": "object", "properties": {"a": {"type": "integer"}}}}),
        [{"a": 1}, {"a": 2}],
    ),
    "text": (TextSpec(), ["The rent is due on 1 May 2024.", "Rent is due May 1, 2024", "Never."]),
}


def _ballot(values: list[Any]) -> list[Answer]:
    reasoning = (FILLER * (SIZE // len(FILLER) + 1))[: SIZE - 60]
    replies = [{"reasoning": reasoning, "answer": values[i % len(values)], "confidence": 0.8} for i in range(MEMBERS)]
    return [Answer(model=f"m{i}", family="f", text=json.dumps(reply)) for i, reply in enumerate(replies)]


def _milliseconds(spec: AnswerSpec, ballot: list[Answer]) -> float:
    started = time.process_time()
    values = [answers.read(spec, answer, "nonce").value for answer in ballot]
    groups = answers.clusters(spec, values)
    answers.representatives(spec, values, groups)
    return 1_000 * (time.process_time() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--panel", type=Path, default=Path("../shared/data/mmlu_pro_panel.jsonl.gz"))
    parser.add_argument("--limit", type=int, default=None)
    options = parser.parse_args()
    report: dict[str, Any] = {"ballot_ms": {}}
    for name, (spec, values) in CASES.items():
        ballot = _ballot(values)
        report["ballot_ms"][name] = round(statistics.median(_milliseconds(spec, ballot) for _ in range(REPEATS)), 3)
    if options.panel.exists():
        report["reading"] = reading_metrics(recorded(options.panel, limit=options.limit))
    else:
        report["reading"] = f"skipped: no panel at {options.panel}"
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
