"""Stored rows → `Ballots`: one table of all labelled requests, in an order that no store can change."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.ext.asyncio import AsyncConnection

from calibration.ballots import Ballots, NoVote
from calibration.sampling import drawn
from calibration.store import outcomes, panels, signals
from calibration.store.panels import Member, Members
from calibration.store.signals import CONFIDENCE, VOTE, Labelled

Scalar = TypeVar("Scalar", bound=np.generic)

Origin = tuple[str, str, str]
"""(source, model version, prompt hash) of a stated confidence, "" where unknown."""

MOST = 60_000
"""Labelled ballots that a refit uses at most: more sharpen nothing, and a fit of them ends within half a minute."""

SEPARATOR = "\x1f"
"""Between tenant and request id in `Ballots.ids`; neither may hold control characters."""


@dataclass(frozen=True)
class Block:
    """Rows of one panel: ``votes`` and ``confidence`` (rows, members), the rest (rows,).

    ``prompts`` are the distinct prompt hashes ("" for unknown), ``prompt`` the index of each row's.
    """

    members: Members
    ids: list[str]
    domains: list[str]
    answer_types: list[str]
    open_set: NDArray[np.bool_]
    candidates: NDArray[np.int64]
    truth: NDArray[np.int64]
    votes: NDArray[np.int64]
    confidence: NDArray[np.float64]
    prompts: tuple[str, ...]
    prompt: NDArray[np.int64]


@dataclass
class Gathering:
    """Collects labelled rows chunk by chunk, keeping arrays only.

    ``models``: the models to keep as columns, ``None`` for all that ever voted. A ballot on which none of them was
    asked is left out, since it says nothing about them. ``share``: part of the requests in (0, 1] that is kept, drawn
    by hash of the id.
    """

    panels: Mapping[str, Members]
    models: Collection[str] | None = None
    share: float = 1.0
    newest: datetime | None = None
    """Time of the newest label gathered."""
    _blocks: list[Block] = field(default_factory=list)

    def add(self, rows: Sequence[Labelled]) -> None:
        """Take one chunk of rows."""
        by_panel: dict[str, list[Labelled]] = {}
        for row in rows:
            self.newest = row.observed_at if self.newest is None else max(self.newest, row.observed_at)
            if self.share >= 1 or drawn("gather", row.tenant, row.request_id, self.share):
                by_panel.setdefault(row.panel, []).append(row)
        for panel, members_rows in by_panel.items():
            self._blocks.append(_block(self.panels[panel], members_rows))

    def ballots(self) -> Ballots:
        """The table, rows sorted by id and columns by model name."""
        families = self._families()
        models = tuple(sorted(families))
        table = _Columns({model: index for index, model in enumerate(models)}, self._blocks)
        ids = [name for block in self._blocks for name in block.ids]
        order = np.array(sorted(range(len(ids)), key=ids.__getitem__), dtype=np.int64)
        whole = Ballots(
            models=models,
            families=tuple(families[model] for model in models),
            domains=tuple(name for block in self._blocks for name in block.domains),
            answer_types=tuple(name for block in self._blocks for name in block.answer_types),
            ids=tuple(ids),
            votes=table.votes(),
            candidates=_joined([block.candidates for block in self._blocks], np.int64),
            open_set=_joined([block.open_set for block in self._blocks], np.bool_),
            truth=_joined([block.truth for block in self._blocks], np.int64),
            confidence=table.confidence(),
            sources=table.sources,
            source=table.source(),
        ).take(order)
        return whole.take((whole.votes != NoVote.NOT_ASKED).any(axis=1))

    def _families(self) -> dict[str, str]:
        """Family by model; of a model that changed its family, the alphabetically last."""
        named = {(m.model, m.family) for block in self._blocks for m in block.members}
        return {model: family for model, family in sorted(named) if self.models is None or model in self.models}


@dataclass(frozen=True)
class _Columns:
    """Spreads the members of each block over the columns of the whole table."""

    column: Mapping[str, int]
    blocks: Sequence[Block]

    @cached_property
    def sources(self) -> tuple[Origin, ...]:
        """Where the confidences come from, sorted, so that no order of arrival shows."""
        named = {
            _origin(block.members[source], prompt)
            for block in self.blocks
            for prompt in block.prompts
            for source, _ in self._moves(block)
        }
        return tuple(sorted(named))

    def votes(self) -> NDArray[np.int64]:
        return np.concatenate([np.full((0, len(self.column)), 0), *(self._spread_votes(b) for b in self.blocks)])

    def confidence(self) -> NDArray[np.float64]:
        empty = np.full((0, len(self.column)), np.nan)
        return np.concatenate([empty, *(self._spread_confidence(block) for block in self.blocks)])

    def source(self) -> NDArray[np.int64]:
        number = {origin: index for index, origin in enumerate(self.sources)}
        empty = np.full((0, len(self.column)), -1, dtype=np.int64)
        return np.concatenate([empty, *(self._spread_source(block, number) for block in self.blocks)])

    def _spread_votes(self, block: Block) -> NDArray[np.int64]:
        wide = np.full((len(block.ids), len(self.column)), int(NoVote.NOT_ASKED), dtype=np.int64)
        for source, target in self._moves(block):
            wide[:, target] = block.votes[:, source]
        return wide

    def _spread_confidence(self, block: Block) -> NDArray[np.float64]:
        wide = np.full((len(block.ids), len(self.column)), np.nan)
        for source, target in self._moves(block):
            wide[:, target] = block.confidence[:, source]
        return wide

    def _spread_source(self, block: Block, number: Mapping[Origin, int]) -> NDArray[np.int64]:
        """Index into ``sources`` of each stated confidence, -1 where none was stated."""
        wide = np.full((len(block.ids), len(self.column)), -1, dtype=np.int64)
        for source, target in self._moves(block):
            known = np.array([number[_origin(block.members[source], prompt)] for prompt in block.prompts])
            wide[:, target] = np.where(np.isnan(block.confidence[:, source]), -1, known[block.prompt])
        return wide

    def _moves(self, block: Block) -> list[tuple[int, int]]:
        return [(i, self.column[m.model]) for i, m in enumerate(block.members) if m.model in self.column]


def _origin(member: Member, prompt: str) -> Origin:
    return (member.source, member.version or "", prompt)


def _block(members: Members, rows: Sequence[Labelled]) -> Block:
    shape = (len(rows), len(members))
    prompts, prompt = np.unique(np.array([row.prompt_hash or "" for row in rows], dtype=str), return_inverse=True)
    return Block(
        members=members,
        ids=[f"{row.tenant}{SEPARATOR}{row.request_id}" for row in rows],
        domains=[row.domain for row in rows],
        answer_types=[row.answer_type for row in rows],
        open_set=np.array([row.open_set for row in rows], dtype=np.bool_),
        candidates=np.array([row.candidates for row in rows], dtype=np.int64),
        truth=np.array([row.truth for row in rows], dtype=np.int64),
        votes=np.frombuffer(b"".join(row.votes for row in rows), VOTE).reshape(shape).astype(np.int64),
        confidence=np.frombuffer(b"".join(row.confidences for row in rows), CONFIDENCE).reshape(shape),
        prompts=tuple(prompts.tolist()),
        prompt=prompt.astype(np.int64),
    )


def _joined(parts: Sequence[NDArray[Scalar]], kind: type[Scalar]) -> NDArray[Scalar]:
    return np.concatenate([np.empty(0, dtype=kind), *parts])


async def gather(connection: AsyncConnection, models: Collection[str] | None = None, *, most: int = MOST) -> Gathering:
    """The labelled ballots of the store, about ``most`` of them where there are more."""
    labelled = (await outcomes.counts(connection)).labelled
    share = min(1.0, most / labelled) if labelled else 1.0
    gathering = Gathering(await panels.all_panels(connection), models, share)
    async for rows in signals.labelled(connection):
        gathering.add(rows)
    return gathering
