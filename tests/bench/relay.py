"""What a log costs: `python -m tests.bench.relay`. The figures of docs/explanation/at-scale.md."""

from __future__ import annotations

import os
import tempfile
import time
import uuid
from pathlib import Path

import anyio

from rxstream.relay import Claim, Log, LogBatch, MemoryLog, NatsLog, ValkeyLog
from rxstream.relay._batches import to_bytes
from tests.relay._servers import EngineServer, nats_server, valkey_server
from tests.relay._streams import EVENTS

STREAMS = 200
EVENTS_EACH = 100
AT_ONCE = 50


async def produce(log: Log, stream_id: str, batch_size: int) -> None:
    claimed = await log.claim(stream_id, Claim(uuid.uuid4().hex, 60.0, 3600.0))
    event = to_bytes(EVENTS[5])
    for first in range(0, EVENTS_EACH, batch_size):
        await log.append(stream_id, claimed.token, LogBatch(first, batch_size, event * batch_size))
    await log.append(stream_id, claimed.token, None, "end")


async def measure(name: str, log: Log, server: EngineServer | None) -> None:
    for batch_size in (1, 10):
        before, server_cpu = resident(server), processor_seconds(server)
        began, cpu = time.perf_counter(), time.process_time()
        limit = anyio.CapacityLimiter(AT_ONCE)

        async def one(size: int = batch_size, limit: anyio.CapacityLimiter = limit) -> None:
            async with limit:
                await produce(log, uuid.uuid4().hex, size)

        async with anyio.create_task_group() as group:
            for _ in range(STREAMS):
                group.start_soon(one)
        seconds = time.perf_counter() - began
        calls = STREAMS * (EVENTS_EACH // batch_size + 2)
        memory = (resident(server) - before) / STREAMS if server else 0
        print(
            f"{name}, {batch_size} events a batch: {calls / seconds:8.0f} calls/s, "
            f"{(time.process_time() - cpu) / calls * 1e6:5.0f} µs of CPU a call here, "
            f"{(processor_seconds(server) - server_cpu) / calls * 1e6:5.0f} µs in the server, "
            f"{memory / 1024:6.1f} KiB a stream of {EVENTS_EACH} events in the server"
        )
    stream_id = uuid.uuid4().hex
    claimed = await log.claim(stream_id, Claim("one", 60.0, 3600.0))
    began = time.perf_counter()
    for position in range(200):
        await log.append(stream_id, claimed.token, LogBatch(position, 1, to_bytes(EVENTS[5])))
    print(f"{name}: {(time.perf_counter() - began) / 200 * 1000:.2f} ms for one append")
    began = time.perf_counter()
    for _ in range(200):
        await log.read(stream_id, 199)
    print(f"{name}: {(time.perf_counter() - began) / 200 * 1000:.2f} ms for one read of nothing")


def resident(server: EngineServer | None) -> int:
    if server is None or server.process is None:
        return 0
    lines = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


def processor_seconds(server: EngineServer | None) -> float:
    if server is None or server.process is None:
        return 0.0
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    print(f"one event: {len(to_bytes(EVENTS[5]))} bytes")
    anyio.run(measure, "memory", MemoryLog(), None)
    with tempfile.TemporaryDirectory() as folder:
        for name, make_server in (("valkey", valkey_server), ("nats", nats_server)):
            server = make_server(Path(folder))
            server.start()
            log = (
                ValkeyLog(f"redis://127.0.0.1:{server.port}")
                if name == "valkey"
                else NatsLog(f"nats://127.0.0.1:{server.port}", storage="memory")
            )
            try:
                anyio.run(measure, name, log, server)
            finally:
                log.close()
                server.kill()


if __name__ == "__main__":
    main()
