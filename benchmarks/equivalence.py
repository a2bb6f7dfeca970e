"""What equivalence of free texts achieves: on judged answers, on edited copies of them, and what it costs.

    python benchmarks/equivalence.py [../shared/data/open_qa_panel.jsonl.gz]

Prints one JSON object. Copies: every answer with "not" put at a random place, with one number changed by one, and with
two of its names exchanged; none of these may be merged with its original.
"""

from __future__ import annotations

import gzip
import json
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from consensus.answers.protocol import Sameness
from consensus.answers.text import sameness
from consensus.equivalence import equivalence_metrics

DEFAULT = Path(__file__).parents[1] / "../shared/data/open_qa_panel.jsonl.gz"
SEED = 7
_NUMBER = re.compile(r"\d+")
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]+(?: [A-Z][a-z]+)*")

Edit = Callable[[str, random.Random], str | None]


def with_not(text: str, draw: random.Random) -> str | None:
    """The text with "not" before one of its words."""
    words = text.split(" ")
    place = draw.randrange(len(words))
    return " ".join([*words[:place], "not", *words[place:]]) if len(words) > 2 else None


def with_number_changed(text: str, draw: random.Random) -> str | None:
    """The text with one number higher by one."""
    found = list(_NUMBER.finditer(text))
    if not found:
        return None
    number = draw.choice(found)
    return f"{text[: number.start()]}{int(number.group()) + 1}{text[number.end() :]}"


def _apart(between: str) -> bool:
    """Whether something of lower case other than "and" or "or" stands between two names."""
    return any(word.islower() and word not in ("and", "or") for word in re.findall(r"\w+", between))


def with_names_exchanged(text: str, draw: random.Random) -> str | None:
    """The text with two different names in each other's place, unless they are members of one list."""
    found = list(_NAME.finditer(text))
    pairs = [(a, b) for a, b in combinations(found, 2) if a.group() != b.group() and _apart(text[a.end() : b.start()])]
    if not pairs:
        return None
    a, b = draw.choice(pairs)
    middle = text[a.end() : b.start()]
    return f"{text[: a.start()]}{b.group()}{middle}{a.group()}{text[b.end() :]}"


def edited(texts: Sequence[str], edit: Edit) -> dict[str, Any]:
    """How pairs of an answer and its edited copy are called."""
    draw = random.Random(SEED)
    counts: Counter[str] = Counter()
    for text in texts:
        copy = edit(text, draw)
        if copy is not None and copy != text:
            counts[sameness(text, copy).value] += 1
    total = sum(counts.values())
    return {"pairs": total, "merged": counts[Sameness.SAME.value] / max(1, total), **counts}


def cost(questions: Sequence[dict[str, Any]]) -> dict[str, float]:
    """CPU milliseconds per pair over whole ballots, nothing prepared before."""
    pairs = 0
    start = time.process_time()
    for question in questions:
        texts = [answer["text"] for answer in question["answers"].values()]
        for a, b in combinations(texts, 2):
            sameness(a, b, question["question"])
            pairs += 1
    return {"ms_per_pair": 1000 * (time.process_time() - start) / max(1, pairs), "pairs": pairs}


def questions(path: Path) -> Iterator[dict[str, Any]]:
    """The questions of a recorded panel."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT
    if not path.exists():
        sys.exit(f"no panel at {path}: name one")
    panel = list(questions(path))
    texts = [answer["text"] for question in panel for answer in question["answers"].values()]
    report = {
        "asked": equivalence_metrics(panel),
        "alone": equivalence_metrics(panel, asked=False),
        "with_not": edited(texts, with_not),
        "with_number_changed": edited(texts, with_number_changed),
        "with_names_exchanged": edited(texts, with_names_exchanged),
        "cost": cost(panel[:400]),
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
