"""Questions on which a panel disagreed, grouped by their words, so that a person sees where the errors cluster. Pure.

TF–IDF over words and pairs of words, then k-means with a fixed seed: the same questions always make the same groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.feature_extraction.text import TfidfVectorizer

LEAST = 12
"""Questions below which nothing is grouped: three groups of four would be noise with a name."""

PER_GROUP = 15
MOST_GROUPS = 8
TERMS = 5
EXAMPLES = 3
CHARACTERS = 4_000
"""Of each question that are looked at."""

FEATURES = 5_000
SEED = 7


@dataclass(frozen=True)
class Question:
    """One question with its answer's fate: ``wrong`` by a ground truth, ``None`` where there is none."""

    text: str
    domain: str
    wrong: bool | None


@dataclass(frozen=True)
class Group:
    """Questions that share words.

    ``terms`` name it, the weightiest first; ``examples`` are the questions nearest to its middle; of ``labelled`` of
    its ``size`` questions the leading answer was wrong in ``wrong``.
    """

    terms: tuple[str, ...]
    size: int
    labelled: int
    wrong: int
    domains: tuple[str, ...]
    examples: tuple[str, ...]


def group(questions: Sequence[Question]) -> list[Group]:
    """The groups, the largest first; one for all where there are too few questions, or no words to tell them apart."""
    if len(questions) < LEAST:
        return [_group(questions, (), range(len(questions)))] if questions else []
    vectorizer = TfidfVectorizer(
        stop_words="english", ngram_range=(1, 2), min_df=2, max_df=0.6, max_features=FEATURES, sublinear_tf=True
    )
    try:
        vectors = vectorizer.fit_transform([question.text[:CHARACTERS] for question in questions])
    except ValueError:  # no word that two of them share
        return [_group(questions, (), range(len(questions)))]
    wanted = min(MOST_GROUPS, max(2, len(questions) // PER_GROUP))
    distinct = len({row.indices.tobytes() + row.data.tobytes() for row in vectors})
    found = KMeans(n_clusters=min(wanted, distinct), n_init=4, random_state=SEED).fit(vectors)
    words = vectorizer.get_feature_names_out()
    distances = found.transform(vectors)
    groups = []
    for number, centre in enumerate(found.cluster_centers_):
        members = np.flatnonzero(found.labels_ == number)
        nearest = members[np.argsort(distances[members, number], kind="stable")]
        groups.append(_group(questions, _terms(centre, words), nearest.tolist()))
    return sorted(groups, key=lambda one: (-one.size, one.terms))


def _terms(centre: NDArray[np.float64], words: NDArray[np.str_]) -> tuple[str, ...]:
    """The weightiest words of a centre; none that is a part of a pair that is named already."""
    terms: list[str] = []
    for index in np.argsort(-centre, kind="stable"):
        word = str(words[index])
        if centre[index] <= 0 or len(terms) == TERMS:
            break
        if not any(set(word.split()) & set(term.split()) for term in terms):
            terms.append(word)
    return tuple(terms)


def _group(questions: Sequence[Question], terms: tuple[str, ...], nearest: Sequence[int]) -> Group:
    """``nearest``: indices of its members, the nearest to its middle first."""
    members = [questions[index] for index in nearest]
    known = [question.wrong for question in members if question.wrong is not None]
    domains = sorted({question.domain for question in members})
    examples = tuple(dict.fromkeys(question.text for question in members))[:EXAMPLES]
    return Group(terms, len(members), len(known), sum(known), tuple(domains), examples)
