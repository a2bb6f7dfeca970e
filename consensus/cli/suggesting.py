"""``consensus models --suggest-panel``: the least redundant panel within a cost, by the store or a recording."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from consensus.cli import options
from consensus.errors import ConfigError

if TYPE_CHECKING:
    from calibration.ballots import Ballots
    from calibration.suggestion import Suggestion
    from consensus.settings import Settings

TOKENS_IN, TOKENS_OUT = 1_000, 400
"""Of a call whose price has to be worked out from the configuration: a page read, a few sentences written."""


@dataclass(frozen=True)
class Wish:
    """What is asked for: judged by which recording (``None``: the store), within which cost, size and domain."""

    panel: Path | None
    cost: float | None
    size: int | None
    domain: str | None


def run(wish: Wish, config: str | None, *, as_json: bool) -> None:
    """Print the suggestion. Raises ConfigError where nothing bounds it, or nothing fits."""
    from calibration.correlation import POOLED
    from calibration.suggestion import TrackRecord, suggest

    if wish.cost is None and wish.size is None:
        raise ConfigError("--suggest-panel", "needs --cost or --size: without a bound everybody would be asked")
    ballots, prices = _stored(config) if wish.panel is None else _recorded(wish.panel)
    if wish.domain is not None and wish.domain not in ballots.domains:
        raise ConfigError("--domain", f"nothing is labelled in {wish.domain!r}")
    record = TrackRecord.of(ballots)
    budget = float("inf") if wish.cost is None else wish.cost
    found = suggest(record, prices, budget=budget, size=wish.size, domain=wish.domain or POOLED)
    if found is None:
        raise ConfigError("--suggest-panel", f"no panel of models with labels fits ({len(record.models)} have labels)")
    tree = _tree(found, record.labels, dict(zip(ballots.models, ballots.families, strict=True)))
    options.show(tree, _text(tree), as_json=as_json)


def _recorded(path: Path) -> tuple[Ballots, dict[str, float]]:
    """The ballots of a recording and what its calls cost, 1 each where it does not say."""
    from consensus.evaluation import ballots, prices, recorded

    questions = list(recorded(path))
    names = tuple(sorted({model for question in questions for model in question.answers}))
    return ballots(questions, names), prices(questions) or dict.fromkeys(names, 1.0)


def _stored(config: str | None) -> tuple[Ballots, dict[str, float]]:
    """The labelled ballots of the store and what a call costs by the configuration, 1 each where prices are missing."""
    settings = options.settings_of(config)
    return options.run(_gathered(settings)), _configured(settings)


async def _gathered(settings: Settings) -> Ballots:
    from calibration.store.gathering import gather
    from consensus.app import migrated_store
    from consensus.ledger.transactions import Transactions

    async with migrated_store(settings) as engine:
        transactions = Transactions(engine, settings.store.timeout_s)
        async with transactions.read("reading labelled ballots") as connection:
            return (await gather(connection, frozenset(settings.models))).ballots()


def _configured(settings: Settings) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, model in settings.model_policies().items():
        if model.price_in is None or model.price_out is None:
            return dict.fromkeys(settings.models, 1.0)
        found[name] = (TOKENS_IN * model.price_in + TOKENS_OUT * model.price_out) / 1e6
    return found


def _tree(found: Suggestion, labels: int, families: Mapping[str, str]) -> dict[str, Any]:
    return {
        "models": list(found.models),
        "families": sorted({families[name] for name in found.models}),
        "effective_votes": found.effective_votes,
        "interval": list(found.interval),
        "price": found.price,
        "labels": labels,
    }


def _text(tree: dict[str, Any]) -> str:
    low, high = tree["interval"]
    return (
        f"{', '.join(tree['models'])}\n{tree['effective_votes']:.2f} effective votes of {len(tree['models'])} "
        f"(95 %: {low:.2f} to {high:.2f}) on {tree['labels']} labels; {tree['price']:g} per request"
    )
