"""Which words can stand for one another, which contradict, and which carry no content: a small English lexicon."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

from consensus.answers.tokens import stem

Sense = tuple[int, int]
"""(group, side): equal senses are synonyms, the two sides of one group are opposites."""

_OPPOSING = (
    ("hyper", "hypo"), ("pre", "post"), ("over", "under"), ("inter", "intra"), ("micro", "macro"), ("endo", "exo"),
    ("anti", "pro"), ("up", "down"), ("homo", "hetero"), ("super", "sub"), ("in", "ex"), ("im", "ex"), ("max", "min"),
    ("brady", "tachy"), ("ante", "post"), ("centri", "petri"), ("mono", "poly"), ("uni", "multi"), ("en", "de"),
)  # fmt: skip
_NEGATING = ("un", "in", "im", "il", "ir", "non", "dis", "mis", "anti", "counter", "de", "a")
_STEM_MIN = 4
"""Letters that must remain behind a prefix for two words to be taken for forms of one."""


def _read() -> tuple[dict[str, frozenset[str]], dict[str, tuple[Sense, ...]]]:
    sets: dict[str, set[str]] = {}
    senses: dict[str, list[Sense]] = {}
    section, group = "", 0
    for line in (files(__package__) / "lexicon.txt").read_text("utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#") and section != "words":
            sets.setdefault(section, set()).update(line.split())
        elif line and not line.startswith("#"):
            group += 1
            for side, words in enumerate(line.split("<>")):
                for key in {stem(word) for word in words.split()}:
                    senses.setdefault(key, []).append((group, side))
    return {name: frozenset(words) for name, words in sets.items()}, {key: tuple(s) for key, s in senses.items()}


_SETS, _SENSES = _read()
FUNCTION = _SETS["function"]
"""Words without content of their own (lower case, whole words)."""
NEGATION = _SETS["negation"]
QUALIFIER = _SETS["qualifier"]
"""Words that change what an otherwise equal text claims, wherever they are inserted."""
HEDGE = _SETS["hedge"]


def senses(key: str) -> tuple[Sense, ...]:
    """The senses of a stem; empty when the lexicon does not know it."""
    return _SENSES.get(key, ())


_COMMON = frozenset((files(__package__) / "common_words.txt").read_text("utf-8").split())


def common(key: str) -> bool:
    """Whether a stem is one of an ordinary word, which a capital at the start of a sentence does not make a name."""
    return key in _SENSES or key in _COMMON


def synonyms(a: str, b: str) -> bool:
    """Whether two stems share a sense. Reflexive and symmetric."""
    return a == b or any(sense in senses(b) for sense in senses(a))


@lru_cache(maxsize=16384)
def opposite_forms(key: str) -> tuple[str, ...]:
    """Stems that would be opposites of this one by their form: illegal, harmless, hypotension, downstream."""
    forms = [prefix + key for prefix in _NEGATING if len(key) >= _STEM_MIN]
    forms += [key[len(p) :] for p in _NEGATING if key.startswith(p) and len(key) - len(p) >= _STEM_MIN]
    for one, other in _OPPOSING:
        for p, q in ((one, other), (other, one)):
            if key.startswith(p) and len(key) - len(p) >= _STEM_MIN:
                forms.append(q + key[len(p) :])
    if key.endswith("less"):
        forms.append(key[:-4] + "ful")
    if key.endswith("ful"):
        forms.append(key[:-3] + "less")
    return tuple(forms)


def opposites(a: str, b: str) -> bool:
    """Whether two stems contradict. A word with several senses is a synonym before it is an opposite. Symmetric."""
    if synonyms(a, b):
        return False
    return any((group, 1 - side) in senses(b) for group, side in senses(a)) or b in opposite_forms(a)
