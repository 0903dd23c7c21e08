"""What may be written after `rxstream`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from rxstream._version import __version__


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The arguments; `.run` is the function of the command that was asked for. Exits 2 where they are wrong."""
    parser = argparse.ArgumentParser(
        prog="rxstream", description="The event stream of the OpenAI Responses API, on your terminal."
    )
    parser.add_argument("--version", action="version", version=f"rxstream {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    demo = commands.add_parser(
        "demo", help="see it work: no key, no network", description="Real streams from a server on your own machine."
    )
    demo.add_argument("--moderated", action="store_true", help="hold text until it is checked; cut what is flagged")
    demo.add_argument("--pace", type=_positive, default=40.0, metavar="N", help="events a second (default: 40)")
    demo.set_defaults(run=_demo)

    stream = commands.add_parser(
        "stream", help="ask a model, and see the answer arrive", description="Stream one response."
    )
    _request(stream)
    stream.add_argument("--json", action="store_true", help="print each event as a line of JSON")
    stream.add_argument("--save", metavar="TAPE", help="record the stream, to replay it later")
    stream.set_defaults(run=_stream)

    record = commands.add_parser(
        "record", help="ask a model, and keep the stream", description="Record one response, without printing it."
    )
    record.add_argument("tape", help="the file to write")
    _request(record)
    record.set_defaults(run=_record)

    replay = commands.add_parser(
        "replay", help="play a recorded stream", description="Play a tape, or any .sse file, as if it came now."
    )
    replay.add_argument("file", help="a tape or an .sse file; - reads a pipe")
    replay.add_argument(
        "--speed", type=_positive, metavar="N", help="1 keeps the times of the recording (default: do not wait)"
    )
    replay.add_argument("--json", action="store_true", help="print each event as a line of JSON")
    replay.set_defaults(run=_replay)

    inspect = commands.add_parser(
        "inspect", help="what is on a tape", description="Count the events of a tape, or of any .sse file."
    )
    inspect.add_argument("file", help="a tape or an .sse file; - reads a pipe")
    inspect.set_defaults(run=_inspect)
    return parser.parse_args(arguments)


def _request(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("prompt", help="what to ask; - reads it from a pipe")
    parser.add_argument("--model", default="gpt-4o-mini", help="default: %(default)s")
    parser.add_argument("--base-url", metavar="URL", help="default: OPENAI_BASE_URL, else the official address")


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not number > 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return number


# Each command is imported when it is asked for, so that `--help` and `--version` answer at once.


def _demo(asked: argparse.Namespace) -> int:
    if asked.moderated:
        from rxstream.cli._moderated_demo import moderated_demo

        return moderated_demo(asked.pace)
    from rxstream.cli._demo import demo

    return demo(asked.pace)


def _stream(asked: argparse.Namespace) -> int:
    from rxstream.cli._stream import stream

    return stream(asked.prompt, model=asked.model, base_url=asked.base_url, as_json=asked.json, save=asked.save)


def _record(asked: argparse.Namespace) -> int:
    from rxstream.cli._stream import record

    return record(asked.prompt, model=asked.model, base_url=asked.base_url, tape=asked.tape)


def _replay(asked: argparse.Namespace) -> int:
    from rxstream.cli._stream import replay

    return replay(asked.file, speed=asked.speed, as_json=asked.json)


def _inspect(asked: argparse.Namespace) -> int:
    from rxstream.cli._inspect import inspect

    return inspect(asked.file)
