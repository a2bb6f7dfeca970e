"""Fit the weights of lexical equivalence on a panel of judged answers and write them into the package.

    python benchmarks/fit_equivalence.py [../shared/data/open_qa_panel.jsonl.gz]

Writes consensus/answers/lexical_weights.json and consensus/answers/common_words.txt. Deterministic.
"""

from __future__ import annotations

import dataclasses
import gzip
import json
import sys
import textwrap
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from consensus import equivalence
from consensus.answers.lexical import Weights
from consensus.answers.tokens import stem, tokens

DEFAULT = Path(__file__).parents[1] / "../shared/data/open_qa_panel.jsonl.gz"
PACKAGE = Path(__file__).parents[1] / "consensus/answers"
COMMON_QUESTIONS = 2
"""Questions in whose answers a word must be written in lower case to count as an ordinary one."""


def read(path: Path) -> list[dict[str, Any]]:
    """The questions of a recorded panel."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def common_words(questions: Sequence[dict[str, Any]]) -> list[str]:
    """Stems of ordinary words: a capital at the start of a sentence does not make them names."""
    seen: Counter[str] = Counter()
    for question in questions:
        texts = [answer["text"] for answer in question["answers"].values()]
        seen.update({stem(t.lower) for text in texts for t in tokens(text) if t.text.islower() and t.text.isascii()})
    return sorted(word for word, n in seen.items() if n >= COMMON_QUESTIONS and len(word) >= 3 and word.isalpha())


def weights(questions: Sequence[dict[str, Any]], *, asked: bool) -> tuple[Weights, list[Weights]]:
    """The weights on all questions, and one set per fold that leaves its questions out (their rare words as well)."""
    table = equivalence.rarity(questions)
    labelled = equivalence.pairs(questions, asked=asked)
    features, same = equivalence.design(labelled, table)
    folds = []
    for k in range(equivalence.FOLDS):
        rest = [i for i, pair in enumerate(labelled) if pair.fold != k]
        folds.append(equivalence.fit_weights([labelled[i] for i in rest], features[rest], same[rest]))
    return equivalence.fit_weights(labelled, features, same), folds


def main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT
    if not path.exists():
        sys.exit(f"no panel at {path}: name one")
    questions = read(path)
    (PACKAGE / "common_words.txt").write_text(textwrap.fill(" ".join(common_words(questions)), 118) + "\n", "utf-8")
    asked, asked_folds = weights(questions, asked=True)
    alone, alone_folds = weights(questions, asked=False)
    fitted = {
        "asked": dataclasses.asdict(asked),
        "alone": dataclasses.asdict(alone),
        "asked_folds": [dataclasses.asdict(fold) for fold in asked_folds],
        "alone_folds": [dataclasses.asdict(fold) for fold in alone_folds],
        "rarity": equivalence.rarity(questions),
        "seen": "".join(sorted(equivalence.seen_hash(question["id"]) for question in questions)),
    }
    (PACKAGE / "lexical_weights.json").write_text(json.dumps(fitted) + "\n", "utf-8")
    print(f"asked {asked}\nalone {alone}")


if __name__ == "__main__":
    main()
