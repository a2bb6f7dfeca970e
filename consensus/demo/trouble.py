"""Trouble of a provider: what happens by chance in the simulation, and what a test or a developer switches on.

By chance, drawn from the seed, the model and the question: for 1 question of 100 the first attempt gets 429 and for 0.5
of 100 it gets 503, both gone when the call is repeated; for 0.3 of 100 the body is damaged, every time.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import replace
from typing import Annotated

from pydantic import ConfigDict, Field

from consensus.demo.outcome import Outcome, Source
from consensus.demo.simulated import uniform
from consensus.types import Frozen

LIMITED, DOWN, DAMAGED = 0.010, 0.005, 0.003
REMEMBERED = 100_000
"""Calls of which it is known that they were made before."""


class Chance:
    """Puts the failures that real providers have, at small fixed rates, in the way of outcomes."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._made: OrderedDict[str, None] = OrderedDict()

    def befall(self, model: str, question: str, prompt: str, outcome: Outcome) -> Outcome:
        """``outcome``, or trouble instead. The draw depends on the question, "again" on the very same prompt."""
        draw = uniform(self._seed, "trouble", model, question)
        again = self._repeated(model, prompt)
        if draw < LIMITED and not again:
            return Outcome(status=429, code="rate_limit_exceeded", retry_after_ms=50)
        if LIMITED <= draw < LIMITED + DOWN and not again:
            return Outcome(status=503, code="overloaded")
        return replace(outcome, damaged=True) if draw > 1 - DAMAGED else outcome

    def _repeated(self, model: str, prompt: str) -> bool:
        key = hashlib.sha256(f"{model}\x1f{prompt}".encode("utf-8", "replace")).hexdigest()
        known = key in self._made
        self._made[key] = None
        if len(self._made) > REMEMBERED:
            self._made.popitem(last=False)
        return known


class Order(Frozen):
    """What a model is told to do from now on; everything absent is as usual. ``model`` ``*`` stands for all."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    latency_s: Annotated[float, Field(ge=0, le=3_600)] | None = None
    status: Annotated[int, Field(ge=400, le=599)] | None = None
    hangs: bool = False
    damaged: bool = False


class Orders:
    """``source`` under orders, the last one for a model counting; an order for ``*`` forgets those before it."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._orders: dict[str, Order] = {}

    @property
    def models(self) -> tuple[str, ...]:
        return self._source.models

    def give(self, order: Order) -> None:
        """Follow ``order`` from the next call on. Raises KeyError for a model that does not exist."""
        if order.model == "*":
            self._orders = dict.fromkeys(self.models, order)
        elif order.model in self.models:
            self._orders[order.model] = order
        else:
            raise KeyError(order.model)

    def outcome(self, model: str, prompt: str) -> Outcome:
        """The source's outcome, changed as ordered."""
        order = self._orders.get(model)
        if order is not None and order.status is not None:
            return Outcome(status=order.status, code="as_ordered", latency_s=order.latency_s or 0.0)
        outcome = self._source.outcome(model, prompt)
        if order is None:
            return outcome
        seconds = outcome.latency_s if order.latency_s is None else order.latency_s
        damaged = outcome.damaged or order.damaged
        return replace(outcome, latency_s=seconds, hangs=order.hangs, damaged=damaged)
