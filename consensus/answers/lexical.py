"""How alike two texts are: a logistic score of sixteen similarities of the pair, with plain weights and no model.

Only the pair and the question enter. Who answered, how long an answer is by itself and what other answers said would
predict which answer is right, not whether two mean the same, and are left out on purpose.

The weights were fitted on pairs of answers that people judged (Natural Questions answered by five systems: EVOUNA,
arXiv:2305.12421); `benchmarks/fit_equivalence.py` makes them again. docs/equivalence.md has the numbers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from consensus.answers.claims import Finding
from consensus.answers.profile import Profile, Word, profile, question

FEATURES = (
    "cover_high", "focus_cover_low", "shared_cover", "shared_mass", "words_cover", "left_top_low", "names_left_low",
    "numbers_left_low", "opening_cover", "trigram_cover", "focus_apart", "hedge_differs", "quantity_asked",
    "dates_apart", "numbers_apart", "names_apart",
)  # fmt: skip
"""Names of the features, in the order of the weights."""
RARE_MAX = 7.0
"""Cap on a word's weight (natural log of inverse question frequency)."""
_SOFT = 5
"""Letters at the beginning that make two words forms of one for the score (facts.py is stricter)."""
_ALIKE = 0.9


@dataclass(frozen=True)
class Weights:
    """Logistic regression on `FEATURES`; ``threshold``: least probability of being the same at which pairs merge."""

    bias: float
    weights: tuple[float, ...]
    threshold: float

    def probability(self, features: Sequence[float]) -> float:
        total = self.bias + math.fsum(w * f for w, f in zip(self.weights, features, strict=True))
        return 1 / (1 + math.exp(-max(-60.0, min(60.0, total))))


@dataclass(frozen=True)
class Fitted:
    """All that was fitted. Fold k never saw the questions of fold k; ``seen`` are 8-digit hashes of question ids."""

    rarity: Mapping[str, float]
    asked: Weights
    alone: Weights
    asked_folds: tuple[Weights, ...]
    alone_folds: tuple[Weights, ...]
    seen: frozenset[str]


@cache
def fitted() -> Fitted:
    """The shipped weights: ``asked`` for pairs whose question is known, ``alone`` for the others."""
    raw = json.loads((files(__package__) / "lexical_weights.json").read_text("utf-8"))

    def weights(part: Mapping[str, object]) -> Weights:
        return Weights(**{**part, "weights": tuple(part["weights"])})  # type: ignore[arg-type]

    return Fitted(
        rarity=raw["rarity"],
        asked=weights(raw["asked"]),
        alone=weights(raw["alone"]),
        asked_folds=tuple(map(weights, raw["asked_folds"])),
        alone_folds=tuple(map(weights, raw["alone_folds"])),
        seen=frozenset(raw["seen"][i : i + 8] for i in range(0, len(raw["seen"]), 8)),
    )


@dataclass(frozen=True)
class _Match:
    """Two profiles with the words that they share in some form (``forms``: of a, to that of b)."""

    a: Profile
    b: Profile
    forms: Mapping[str, str]
    back: Mapping[str, str]
    ours: tuple[str, ...]
    theirs: tuple[str, ...]
    weigh: Callable[[str], float]


def features(
    a: str, b: str, asked: str, found: Iterable[Finding], rarity: Mapping[str, float] | None = None
) -> tuple[float, ...]:
    """The sixteen similarities of a pair, as `FEATURES` names them. Symmetric.

    ``asked`` is the question, empty when unknown; ``found`` the findings of `facts` on the pair; ``rarity`` the weight
    of each stem (the shipped table by default).
    """
    about = question(asked)
    table = fitted().rarity if rarity is None else rarity
    match = _match(profile(a), profile(b), about.stems, lambda key: table.get(key, RARE_MAX))
    focus = _of_kind({"quantity": "n", "name": "c", "any": "ncl"}[about.focus])
    shared = math.fsum(min(match.weigh(x), match.weigh(y)) for x, y in match.forms.items())
    codes = {finding.code for finding in found}
    return (
        max(_placed_covers(match, _of_kind("ncl"))),
        min(_placed_covers(match, focus)),
        _cover(match, "ncl", 1.0),
        math.log1p(shared),
        _cover(match, "l", 2.0),
        _left_top(match),
        _left(match, "c"),
        _left(match, "n"),
        _opening(match, about.stems),
        _trigram_cover(match),
        _apart(match, focus),
        float(match.a.hedges != match.b.hedges),
        float(about.focus == "quantity"),
        float("date" in codes),
        float("number" in codes or "unit" in codes),
        float("entity" in codes),
    )


def _of_kind(kinds: str) -> Callable[[Word], bool]:
    return lambda word: word.kind in kinds


def _match(a: Profile, b: Profile, known: frozenset[str], weigh: Callable[[str], float]) -> _Match:
    forms = {key: key for key in a.words if key in b.words and key not in known}
    ours = tuple(key for key in a.words if key not in b.words and key not in known)
    theirs = tuple(key for key in b.words if key not in a.words and key not in known)
    # Pairs of forms are taken in alphabetical order on both sides, so that swapping the texts changes nothing.
    stock: dict[str, list[str]] = {}
    for key in sorted(theirs, reverse=True):
        if len(key) >= _SOFT and key.isalpha():
            stock.setdefault(key[:_SOFT], []).append(key)
    for key in sorted(ours):
        if len(key) >= _SOFT and key.isalpha() and stock.get(key[:_SOFT]):
            forms[key] = stock[key[:_SOFT]].pop()
    back = {y: x for x, y in forms.items()}
    left_a = tuple(key for key in ours if key not in forms)
    left_b = tuple(key for key in theirs if key not in back)
    return _Match(a, b, forms, back, left_a, left_b, weigh)


def _placed_covers(match: _Match, chosen: Callable[[Word], bool]) -> tuple[float, float]:
    """Share of each text's weight, early words counting most, that the other one has."""
    return (
        _placed_cover(match.a, match.b, match.forms, match.ours, match.weigh, chosen),
        _placed_cover(match.b, match.a, match.back, match.theirs, match.weigh, chosen),
    )


def _placed_cover(
    one: Profile,
    other: Profile,
    forms: Mapping[str, str],
    left: Iterable[str],
    weigh: Callable[[str], float],
    chosen: Callable[[Word], bool],
) -> float:
    found = total = 0.0
    for key, form in forms.items():
        word = one.words[key]
        if chosen(word):
            mass = weigh(key) * word.placed
            total += mass
            found += mass * math.sqrt(other.words[form].placed) * (1.0 if key == form else _ALIKE)
    total += math.fsum(weigh(key) * one.words[key].placed for key in left if chosen(one.words[key]))
    return (found + 1) / (total + 2)


def _cover(match: _Match, kinds: str, smoothing: float) -> float:
    """Share of the lighter text's weight that is shared, wherever it stands."""
    shared = math.fsum(
        min(match.weigh(x), match.weigh(y)) for x, y in match.forms.items() if match.a.words[x].kind in kinds
        or match.b.words[y].kind in kinds
    )  # fmt: skip
    left = min(_mass(match.a, match.ours, kinds, match.weigh), _mass(match.b, match.theirs, kinds, match.weigh))
    return (shared + smoothing) / (shared + left + 2 * smoothing)


def _mass(side: Profile, keys: Iterable[str], kinds: str, weigh: Callable[[str], float]) -> float:
    return math.fsum(weigh(key) for key in keys if side.words[key].kind in kinds)


def _left(match: _Match, kinds: str) -> float:
    """Log weight that the side with less has for itself: high only when both say what the other does not."""
    return math.log1p(
        min(_mass(match.a, match.ours, kinds, match.weigh), _mass(match.b, match.theirs, kinds, match.weigh))
    )


def _left_top(match: _Match) -> float:
    """The heaviest word that a side has for itself, early words counting most, on the side where that is less."""
    ours = [match.weigh(key) * match.a.words[key].placed for key in match.ours]
    theirs = [match.weigh(key) * match.b.words[key].placed for key in match.theirs]
    return min(max(ours, default=0.0), max(theirs, default=0.0))


def _opening(match: _Match, known: frozenset[str]) -> float:
    """Share of the first sentence's weight found in the other text, the lower way round."""
    sides = ((match.a.opening, match.b.words), (match.b.opening, match.a.words))
    return min(_opening_cover(keys - known, words, match.weigh) for keys, words in sides)


def _opening_cover(keys: frozenset[str], words: Mapping[str, Word], weigh: Callable[[str], float]) -> float:
    total = math.fsum(weigh(key) for key in keys)
    return (math.fsum(weigh(key) for key in keys if key in words) + 1) / (total + 2)


def _trigram_cover(match: _Match) -> float:
    ours, theirs = match.a.trigrams, match.b.trigrams
    return len(ours & theirs) / max(1, min(len(ours), len(theirs)))


def _apart(match: _Match, chosen: Callable[[Word], bool]) -> float:
    """1 when both have words of the kind that was asked for and share none."""
    if any(chosen(match.a.words[x]) or chosen(match.b.words[y]) for x, y in match.forms.items()):
        return 0.0
    ours = any(chosen(match.a.words[key]) for key in match.ours)
    return float(ours and any(chosen(match.b.words[key]) for key in match.theirs))
