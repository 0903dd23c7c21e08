"""The arguments of `rxstream`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from rxstream._version import __version__


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options; `.run` is the function of the command. Exits with 2 if the arguments are wrong."""
    parser = argparse.ArgumentParser(
        prog="rxstream", description="Stream responses of the OpenAI Responses API to the terminal."
    )
    parser.add_argument("--version", action="version", version=f"rxstream {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    demo = commands.add_parser(
        "demo",
        help="show how it works, without a key or network",
        description="Streams from a server on your own machine.",
    )
    kinds = demo.add_mutually_exclusive_group()
    kinds.add_argument(
        "--moderated", action="store_true", help="hold text until it was checked, and cut it where it is flagged"
    )
    kinds.add_argument(
        "--tools", action="store_true", help="run tools: in parallel, one that fails, one that needs approval"
    )
    demo.add_argument("--pace", type=_positive, default=40.0, metavar="N", help="events per second (default: 40)")
    demo.set_defaults(run=_demo)

    stream = commands.add_parser(
        "stream", help="send a request, and print the answer as it arrives", description="Stream one response."
    )
    _add_request_arguments(stream)
    stream.add_argument("--json", action="store_true", help="print each event as a line of JSON")
    stream.add_argument("--save", metavar="TAPE", help="also write the stream to this file")
    stream.set_defaults(run=_stream)

    record = commands.add_parser(
        "record",
        help="send a request, and write the stream to a file",
        description="Record one response, without printing it.",
    )
    record.add_argument("tape", help="the file to write")
    _add_request_arguments(record)
    record.set_defaults(run=_record)

    replay = commands.add_parser(
        "replay", help="print a recorded stream", description="Print the stream of a tape, or of any .sse file."
    )
    replay.add_argument("file", help="a tape or an .sse file; - reads stdin")
    replay.add_argument(
        "--speed", type=_positive, metavar="N", help="the speed; 1 is that of the recording (default: without waiting)"
    )
    replay.add_argument("--json", action="store_true", help="print each event as a line of JSON")
    replay.set_defaults(run=_replay)

    inspect = commands.add_parser(
        "inspect",
        help="show the timeline of a recorded stream",
        description="Show how streams went: a picture to scale, numbers, texts and calls. Several tapes follow each "
        "other, as the turns of a run do.",
    )
    inspect.add_argument("files", nargs="+", metavar="TAPE", help="a tape or an .sse file; - reads stdin")
    inspect.add_argument(
        "--through",
        action="append",
        default=[],
        metavar="OPERATORS",
        help='add a lane of what operators emit, such as "debounce_moderation:hold | text_only"; may be repeated',
    )
    inspect.add_argument("--compare", action="store_true", help="two tapes on one scale, and where they differ")
    inspect.add_argument(
        "--stall", type=_positive, default=2.0, metavar="SECONDS", help="a silence that long is a stall (default: 2)"
    )
    shape = inspect.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="print it as one JSON object")
    shape.add_argument("--html", metavar="FILE", help="write it to this file as a page that needs no network")
    inspect.set_defaults(run=_inspect)
    return parser.parse_args(arguments)


def _add_request_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("prompt", help="the input of the request; - reads it from stdin")
    parser.add_argument("--model", default="gpt-4o-mini", help="default: %(default)s")
    parser.add_argument("--base-url", metavar="URL", help="default: OPENAI_BASE_URL, or else the address of OpenAI")


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not number > 0:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return number


# Each command is imported when it runs, so that `--help` and `--version` are fast.


def _demo(options: argparse.Namespace) -> int:
    if options.moderated:
        from rxstream.cli._moderated_demo import moderated_demo

        return moderated_demo(options.pace)
    if options.tools:
        from rxstream.cli._tools_demo import tools_demo

        return tools_demo(options.pace)
    from rxstream.cli._demo import demo

    return demo(options.pace)


def _stream(options: argparse.Namespace) -> int:
    from rxstream.cli._stream import stream

    return stream(
        options.prompt, model=options.model, base_url=options.base_url, as_json=options.json, save=options.save
    )


def _record(options: argparse.Namespace) -> int:
    from rxstream.cli._stream import record

    return record(options.prompt, model=options.model, base_url=options.base_url, tape=options.tape)


def _replay(options: argparse.Namespace) -> int:
    from rxstream.cli._stream import replay

    return replay(options.file, speed=options.speed, as_json=options.json)


def _inspect(options: argparse.Namespace) -> int:
    from rxstream.cli._inspect import inspect

    return inspect(
        options.files,
        through=options.through,
        side_by_side=options.compare,
        as_json=options.json,
        html=options.html,
        stall=options.stall,
    )
