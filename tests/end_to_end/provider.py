"""The provider of a running house, from outside: its call log, and orders to misbehave."""

from __future__ import annotations

from typing import Any

import aiohttp

from consensus.demo.house import House


async def calls(home: House) -> int:
    """Model calls so far, as the provider counts them."""
    async with aiohttp.ClientSession() as session, session.get(home.provider.replace("/v1", "/calls")) as reply:
        return int((await reply.json())["total"])


async def control(home: House, **order: Any) -> None:
    """Tell the provider how to misbehave (`consensus.demo.trouble.Order`)."""
    url = home.provider.replace("/v1", "/control")
    async with aiohttp.ClientSession() as session, session.post(url, json=order) as reply:
        assert reply.status == 200, await reply.text()
