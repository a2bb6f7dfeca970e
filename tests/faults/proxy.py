"""A TCP proxy of a few lines: passes on, refuses, swallows, or loses the answer to one kind of Kafka request."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import StrEnum

END_TXN = 26
"""Kafka's api key of the request that commits or aborts a transaction."""

CHUNK = 65_536


class Mode(StrEnum):
    """What happens to connections: those that exist and those to come."""

    PASS = "pass"
    REFUSE = "refuse"  # closed at once
    SWALLOW = "swallow"  # accepted and read, never answered


class Proxy:
    """Stands in front of ``target`` (host and port) on ``port``.

    ``lost`` counts answers that were dropped; ``delay_s`` is how late every answer comes.
    """

    def __init__(self, port: int, target: tuple[str, int], *, framed: bool) -> None:
        self.port = port
        self._framed = framed
        self.lost = 0
        self.delay_s = 0.0
        self._target = target
        self._mode = Mode.PASS
        self._losing: int | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def turn(self, mode: Mode) -> None:
        """Change the mode; connections that exist are cut when it is `REFUSE`."""
        self._mode = mode
        if mode is Mode.REFUSE:
            self._cut()

    def lose_answer(self, api_key: int) -> None:
        """Let the next Kafka request of this kind through, drop its answer and cut the connection."""
        self._losing = api_key

    async def serve(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        """One connection, until either side closes it."""
        self._track(back)
        if self._mode is Mode.REFUSE:
            back.close()
            return
        server, forth = await asyncio.open_connection(*self._target)
        self._track(forth)
        awaited: set[int] = set()
        pumps = [self._pump(client, forth, awaited, asks=True), self._pump(server, back, awaited, asks=False)]
        for pump in pumps:
            task = asyncio.create_task(pump)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """End every connection."""
        self._cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, awaited: set[int], *, asks: bool
    ) -> None:
        """Pass frames on. ``awaited``: correlation ids whose answers are to be lost, shared by both directions."""
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                frame = await self._read(source)
                if not frame:
                    break
                if self._mode is Mode.SWALLOW:
                    continue
                if asks and self._framed:
                    self._note(frame, awaited)
                elif self._framed and struct.unpack_from(">i", frame, 4)[0] in awaited:
                    self.lost += 1
                    break
                elif not asks and self.delay_s:
                    await asyncio.sleep(self.delay_s)  # the fault itself
                sink.write(frame)
                await sink.drain()
        sink.close()

    async def _read(self, source: asyncio.StreamReader) -> bytes:
        """The next message of a protocol that begins them with their length, else what there is; empty at the end."""
        if not self._framed:
            return await source.read(CHUNK)
        length = await source.readexactly(4)
        return length + await source.readexactly(struct.unpack(">i", length)[0])

    def _note(self, frame: bytes, awaited: set[int]) -> None:
        api_key, _, correlation = struct.unpack_from(">hhi", frame, 4)
        if api_key == self._losing:
            self._losing = None
            awaited.add(correlation)

    def _track(self, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)

    def _cut(self) -> None:
        for writer in self._writers:
            writer.close()
        self._writers.clear()


@asynccontextmanager
async def proxy(port: int, target: tuple[str, int], *, framed: bool = True) -> AsyncIterator[Proxy]:
    """A proxy for as long as the context lasts. ``framed``: it is Kafka that passes, whose answers can be lost."""
    made = Proxy(port, target, framed=framed)
    server = await asyncio.start_server(made.serve, "127.0.0.1", port)
    try:
        yield made
    finally:
        server.close()
        await made.close()
