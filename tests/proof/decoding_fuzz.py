"""`decode_events()` against `decode_sse()`, `parse_events()`, `normalize()`, on streams that were made up and split.

    python -m tests.proof.decoding_fuzz [--cases 30000] [--seed 0]

Both must emit the same events, and end with the same error. Exits 1 at the first difference, and prints the case.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import sys
from typing import Any

import reactivex
from reactivex import Observable
from reactivex.scheduler import ImmediateScheduler

from rxstream import operators as rxs
from rxstream.testing import answers

Json = dict[str, Any]

ANSWERS = [
    [event.model_dump() for event in answers.events_of(answer)]
    for answer in (
        answers.text("One. Zwölf 😀 words.", split=3),
        answers.function_calls([("f", {"a": 1}), ("g", {"b": "ü"})], interleaved=True, split=4),
        answers.text("x"),
    )
]
TEXTS = ["", "[DONE]", "{", "null", "7", "[]", "Bad gateway", "{}", '{"type":7}', '{"error":"no"}', '{"message":"m"}']
ODD: list[Json] = [
    {"type": "acme", "n": 1},
    {"type": "error", "message": "no"},
    {"error": {"code": 500, "message": "no"}},
    {"type": "keepalive"},
    {"type": "response.output_text.delta", "delta": "\ud83d"},
    {"type": "response.output_text.delta", "delta": "\ude00 x"},
    {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": {"a": 1}},
    {"type": "response.done", "response": {"id": "r", "status": "completed"}},
    {"type": "response.completed", "response": {"id": "r", "status": "incomplete"}},
    {"item": {"type": "message"}, "type": "response.output_item.added", "output_index": 3},
]
NAMES = ["error", "message", "", "response.output_text.delta", "acme", "response.completed", "x y", "\xff", "a: b"]
OTHER_LINES = [
    *(b": comment", b":", b"id: 7", b"id: a\0b", b"id", b"retry: 10", b"retry: x", b"event", b"foo: bar", b"data"),
    *(b"event: error", b"event: response.output_text.delta", b"event:", b"\xef\xbb\xbfdata: {}"),
]


def sent_events(rng: random.Random) -> list[Json]:
    """The events of one or two responses, some of them changed, repeated, lost or moved."""
    events = [event for _ in range(rng.choice((1, 1, 1, 2))) for event in rng.choice(ANSWERS)]
    for _ in range(rng.randrange(4)):
        index = rng.randrange(len(events))
        match rng.randrange(6):
            case 0:
                events.insert(rng.randrange(len(events)), events[index])
            case 1:
                events.insert(rng.randrange(len(events)), events.pop(index))
            case 2:
                events.insert(index, rng.choice(ODD))
            case 3:
                del events[index]
            case 4:
                events[index:index] = events[max(0, index - rng.randrange(9)) : index]
            case _:
                name = rng.choice(list(events[index]))
                events[index] = {key: value for key, value in events[index].items() if key != name}
        events = events or [rng.choice(ODD)]
    for name in ("output_index", "content_index", "item_id", "sequence_number"):
        if rng.random() < 0.1:
            events = [{key: value for key, value in event.items() if key != name} for event in events]
    return events


def data_lines(event: Json, rng: random.Random, odd: float) -> list[bytes]:
    """The `data` lines of an event."""
    if rng.random() < odd:
        text = rng.choice(TEXTS)
    else:
        style: Any = rng.choice([{"separators": (",", ":")}] * 4 + [{}, {"indent": 1}])
        text = json.dumps(event, ensure_ascii=rng.random() < 0.3, **style)
    data = text.encode("utf-8", "surrogatepass")
    if rng.random() < odd and data:
        at = rng.randrange(len(data))
        data = data[:at] + rng.choice([b"\xff", b"\xe2\x82", b"\0", b"\xc2\x85", b"\xe2\x80\xa8"]) + data[at:]
    lead = b"data: " if rng.random() > odd else rng.choice([b"data:", b"data:  "])
    return [lead + line for line in data.split(b"\n")]


def block(event: Json, rng: random.Random, odd: float, named: bool) -> list[bytes]:
    """The lines of a block, without the blank one."""
    lines = data_lines(event, rng, odd)
    name = str(event.get("type", "")) if rng.random() > odd else rng.choice(NAMES)
    if named:
        lines.insert(0 if rng.random() > odd else rng.randrange(len(lines) + 1), b"event: " + name.encode("latin-1"))
    while rng.random() < odd:
        lines.insert(rng.randrange(len(lines) + 1), rng.choice(OTHER_LINES))
    return lines


def stream(rng: random.Random) -> bytes:
    """The bytes of a stream."""
    odd = rng.choice((0.0, 0.0, 0.02, 0.1, 0.4))
    named = rng.random() < 0.8
    ends = rng.choice(([b"\n"], [b"\n"], [b"\n"], [b"\r\n"], [b"\r"], [b"\n", b"\r\n", b"\r"]))
    data = bytearray(rng.choice((b"", b"", b"\xef\xbb\xbf", b"\xef\xbb", b"\n", b": hi\n\n")))
    for event in sent_events(rng):
        for line in [*block(event, rng, odd, named), b""]:
            data += line + rng.choice(ends)
        if rng.random() < odd:
            data += rng.choice(ends)
    if rng.random() < 0.4:
        del data[rng.randrange(len(data) + 1) :]
    return bytes(data)


def pieces(data: bytes, rng: random.Random) -> list[bytes]:
    """The bytes, split."""
    match rng.randrange(4):
        case 0:
            return [data]
        case 1:
            step = rng.choice((1, 2, 3, 7, 61, 997))
            return [data[at : at + step] for at in range(0, len(data), step)]
        case _:
            cuts = sorted(rng.randrange(len(data) + 1) for _ in range(rng.randrange(1, 12)))
            return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def outcome(sent: list[bytes], decode: Any) -> list[str]:
    """The events that a decoder emits, and its error."""
    seen: list[str] = []
    source: Observable[bytes] = reactivex.from_iterable(sent, scheduler=ImmediateScheduler())
    source.pipe(decode).subscribe(
        lambda event: seen.append(f"{type(event).__name__} {event.model_dump_json()} {event!r}"),
        lambda error: seen.append(repr(error)),
    )
    return seen


def difference(seed: int) -> str:
    """How the two differ in one case; empty if they agree."""
    rng = random.Random(seed)
    data = stream(rng)
    limit = rng.choice((64 * 1024 * 1024, 64 * 1024 * 1024, 5000, 900, 200))
    sent = pieces(data, rng)
    for name, after in (("normalize", [rxs.normalize()]), ("no normalize", [])):
        fused = outcome(sent, rxs.decode_events(normalize=bool(after), max_frame_bytes=limit))
        steps = outcome(sent, reactivex.compose(rxs.decode_sse(max_frame_bytes=limit), rxs.parse_events(), *after))
        if fused != steps:
            at = next((n for n, (a, b) in enumerate(zip(fused, steps, strict=False)) if a != b), -1)
            lines = [f"case {seed}, {name}, at most {limit} bytes, value {at}:"]
            lines += [f"  in one step: {fused[at:][:2]}", f"  in three:    {steps[at:][:2]}", f"  sent: {sent}"]
            return "\n".join(lines)
    return ""


def main() -> int:
    logging.disable(logging.WARNING)  # the streams are broken on purpose
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--cases", type=int, default=30_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    for seed in range(arguments.seed, arguments.seed + arguments.cases):
        found = difference(seed)
        if found:
            print(found)
            return 1
    print(f"{arguments.cases} cases without a difference")
    return 0


if __name__ == "__main__":
    sys.exit(main())
