"""A process to be killed: `python -m tests.relay._producer_process ENGINE_URL BASE_URL STREAM_ID [take_over]`.

It publishes a background response, or takes one over that another process has left.
"""

from __future__ import annotations

import sys

import anyio

import rxstream
from rxstream.relay import Log, NatsLog, ValkeyLog, publish, take_over


def log_at(url: str) -> Log:
    return NatsLog(url, storage="memory") if url.startswith("nats") else ValkeyLog(url)


async def main(engine: str, base_url: str, stream_id: str, *how: str) -> None:
    log = log_at(engine)
    async with rxstream.Session(api_key="k", base_url=base_url) as session:
        if how:
            await take_over(log, stream_id, session.resume)
        else:
            events = session.response(model="m", input="Hi", background=True, resume=True)
            await publish(events, log, stream_id, lease=1.0, takeover_within=60.0)


if __name__ == "__main__":
    anyio.run(main, *sys.argv[1:])
