"""Hints that a stream has changed, by pub/sub: one connection for all streams that the process watches."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from reactivex import abc
from reactivex.disposable import Disposable

from rxstream.relay._engine import Engine
from rxstream.relay._valkey_client import Scripts

_LISTEN_SECONDS = 5.0
_WAIT_SECONDS = 0.5
"""Before the next try, after the connection was lost."""


class ValkeyHints:
    """Who waits for what. A hint that is lost is made up for by the follower, which looks now and then."""

    def __init__(self, engine: Engine[Scripts], prefix: str) -> None:
        self._engine = engine
        self._always = f"{prefix}hints"
        """A channel that is always subscribed to, because a subscription to none cannot be listened to."""
        self._lock = threading.Lock()
        self._wakes: dict[str, list[Callable[[], object]]] = {}
        """Channel -> who is woken."""
        self._generation = 0
        """Of the engine's loop that `_listen` runs on. On the thread of the engine only, as what follows."""
        self._pubsub: Any = None
        self._subscribed: set[str] = set()
        self._updating: asyncio.Lock

    def watch(self, channel: str, wake: Callable[[], object]) -> abc.DisposableBase:
        """Call `wake` when something is published on the channel, and when the watch begins."""
        with self._lock:
            self._wakes.setdefault(channel, []).append(wake)
        self._engine.start(self._begin(channel, wake))

        def stop() -> None:
            with self._lock:
                self._wakes[channel].remove(wake)
                if not self._wakes[channel]:
                    del self._wakes[channel]
            if self._engine.is_open:
                self._engine.start(self._update(channel))

        return Disposable(stop)

    # ------------------------------------------------------------------ on the thread of the engine

    async def _begin(self, channel: str, wake: Callable[[], object]) -> None:
        if self._generation != self._engine.generation:
            self._generation = self._engine.generation
            self._pubsub, self._subscribed, self._updating = None, set(), asyncio.Lock()
            self._engine.start(self._listen())
        await self._update(channel)
        wake()

    async def _update(self, channel: str) -> None:
        """Subscribe to a channel, or end that, as those who wait for it need."""
        with suppress(*self._engine.failures):
            async with self._updating:
                if self._pubsub is None or self._generation != self._engine.generation:
                    return  # `_listen` subscribes to all channels when it has a connection
                needed = channel in self._wakes
                if needed and channel not in self._subscribed:
                    self._subscribed.add(channel)
                    await self._pubsub.subscribe(channel)
                elif not needed and channel in self._subscribed:
                    self._subscribed.discard(channel)
                    await self._pubsub.unsubscribe(channel)

    async def _listen(self) -> None:
        while True:
            try:
                client = await self._engine.client()
                async with client.redis.pubsub(ignore_subscribe_messages=True) as pubsub:
                    async with self._updating:
                        self._pubsub = pubsub
                        self._subscribed = set(self._wakes)
                        await pubsub.subscribe(self._always, *self._subscribed)
                    self._wake_all()
                    while True:
                        message = await pubsub.get_message(timeout=_LISTEN_SECONDS)
                        if message is not None:
                            self._wake(message["channel"].decode())
            except self._engine.failures:
                self._pubsub = None
            await asyncio.sleep(_WAIT_SECONDS)

    def _wake(self, channel: str) -> None:
        with self._lock:
            wakes = tuple(self._wakes.get(channel, ()))
        for wake in wakes:
            wake()

    def _wake_all(self) -> None:
        with self._lock:
            channels = tuple(self._wakes)
        for channel in channels:
            self._wake(channel)
