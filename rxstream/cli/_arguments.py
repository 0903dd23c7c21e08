"""The arguments of `rxstream`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib.util import find_spec

from rxstream._version import __version__


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options; `.run` is the function of the command. Exits with 2 if the arguments are wrong."""
    return make_parser().parse_args(arguments)


def make_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="rxstream", description="Stream responses of the OpenAI Responses API to the terminal."
    )
    parser.add_argument("--version", action="version", version=f"rxstream {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    parser.set_defaults(run=_first)

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
    form = stream.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print each event as a line of JSON")
    form.add_argument("--whole", action="store_true", help="print the answer when it is whole, as indented JSON")
    _add_form_arguments(stream, form)
    stream.add_argument("--save", metavar="TAPE", help="also write the stream to this file")
    stream.add_argument("--inspect", action="store_true", help="show on stderr what each stage has counted, live")
    stream.add_argument(
        "--tool",
        action="append",
        default=[],
        metavar="FILE.py:FUNCTION",
        help="a function that the model may call; may be repeated. Asks before each call, unless the tool is pure",
    )
    stream.add_argument("--yes", action="store_true", help="run tools without asking")
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
        "replay",
        help="print a recorded stream",
        description="Print the stream of a tape, or of an .sse file, a HAR file or a cassette of vcr.",
    )
    replay.add_argument("file", help="a tape, or an .sse, .har or cassette (.yaml) file; - reads stdin")
    replay.add_argument(
        "--speed", type=_positive, metavar="N", help="the speed; 1 is that of the recording (default: without waiting)"
    )
    form = replay.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print each event as a line of JSON")
    _add_form_arguments(replay, form)
    replay.set_defaults(run=_replay)

    inspect = commands.add_parser(
        "inspect",
        help="show the timeline of a recorded stream",
        description="Show how streams went: a picture to scale, numbers, texts and calls. Several tapes follow each "
        "other, as the turns of a run do.",
    )
    inspect.add_argument(
        "files", nargs="+", metavar="TAPE", help="a tape, or an .sse, .har or cassette (.yaml) file; - reads stdin"
    )
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

    _add_serve(
        commands.add_parser(
            "serve",
            help="serve the Responses API in front of a server that speaks it",
            description="A gateway: clients of any language get moderation, time limits and streams that can be "
            "resumed, from http://HOST:PORT/v1 as their base URL.",
        )
    )

    completion = commands.add_parser(
        "completion",
        help="print a script that completes the command in your shell",
        description='Print a script for the shell: eval "$(rxstream completion bash)".',
    )
    completion.add_argument("shell", choices=("bash", "zsh", "fish"), help="the shell")
    completion.set_defaults(run=_completion)
    return parser


def _add_serve(serve: argparse.ArgumentParser) -> None:
    serve.add_argument("--upstream", required=True, metavar="URL", help="the base URL of the server")
    serve.add_argument("--host", default="127.0.0.1", help="the address to listen at (default: 127.0.0.1)")
    serve.add_argument("--port", type=_port, default=8080, help="the port, 0 for any that is free (default: 8080)")
    serve.add_argument("--key-env", metavar="NAME", help="go up with the key of this variable, not with the callers'")
    serve.add_argument("--tokens-env", metavar="NAME", help="take callers only with a token of this variable: A,B,C")
    serve.add_argument(
        "--refuse-references",
        action="store_true",
        help="refuse a request that names files, vector stores, containers, prompts, skills or items by their ids",
    )
    serve.add_argument("--moderate", metavar="FILE", help="a Python file with `checks` or `operators`")
    serve.add_argument(
        "--relay", metavar="URL", help="keep streams, and let them run on: memory, valkey://…, redis://…, nats://…"
    )
    serve.add_argument("--ttl", type=_positive, default=3600.0, metavar="SECONDS", help="for which they are kept")
    serve.add_argument(
        "--lease", type=_positive, default=10.0, metavar="SECONDS", help="after which a silent process counts as lost"
    )
    serve.add_argument("--record", metavar="DIR", help="write a tape of each stream to this folder")
    serve.add_argument("--fallback", metavar="URL", help="a server to ask where the first cannot answer")
    serve.add_argument("--fallback-key-env", metavar="NAME", help="its key is in this variable")
    serve.add_argument("--fallback-model", metavar="NAME", help="its model, in place of that of the request")
    serve.add_argument(
        "--timeout",
        type=_limit,
        action="append",
        default=[],
        metavar="NAME=SECONDS",
        help="a time limit: connect, idle, first_event, first_text, between or total; may be repeated",
    )
    serve.add_argument("--retries", type=int, default=0, metavar="N", help="further tries of a request (default: 0)")
    serve.add_argument(
        "--cors", action="append", default=[], metavar="ORIGIN", help="pages of this origin may call; may be repeated"
    )
    serve.add_argument("--body-bytes", type=int, metavar="N", help="the largest body (default: 64 MiB)")
    serve.add_argument("--header-bytes", type=int, metavar="N", help="the largest headers (default: 32 KiB)")
    serve.add_argument("--open-streams", type=int, metavar="N", help="streams at a time (default: 1000)")
    serve.add_argument(
        "--shutdown-seconds", type=float, default=10.0, metavar="N", help="for which open streams may go on at the end"
    )
    serve.add_argument("--inspect", action="store_true", help="a page at /inspect that watches the streams")
    serve.set_defaults(run=_serve)


def _limit(text: str) -> tuple[str, float]:
    name, equals, seconds = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"expected NAME=SECONDS, such as first_event=20, got {text!r}")
    return name.strip(), _positive(seconds)


def _add_form_arguments(parser: argparse.ArgumentParser, form: argparse._MutuallyExclusiveGroup) -> None:  # pyright: ignore[reportPrivateUsage]
    form.add_argument("--markdown", action="store_true", help="draw the Markdown of the answer, on a terminal")
    parser.add_argument("--times", action="store_true", help="the seconds before each line on stderr, and a last line")


def _add_request_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "prompt", nargs="?", help="the input of the request; - reads it from stdin, as does a pipe if it is left out"
    )
    parser.add_argument("--model", help="default: that of --body, or else gpt-4o-mini")
    parser.add_argument("--base-url", metavar="URL", help="default: OPENAI_BASE_URL, or else the address of OpenAI")
    parser.add_argument("--instructions", metavar="TEXT", help="what the model is told before the prompt")
    parser.add_argument("--schema", metavar="FILE", help="a JSON Schema: the answer is JSON that fits it, made strict")
    parser.add_argument("--body", metavar="JSON", help="fields of the request, or @FILE with them; options go before")
    parser.add_argument(
        "--header",
        type=_header,
        action="append",
        default=[],
        metavar="NAME:VALUE",
        help="a header of the request; may be repeated. It is never printed",
    )


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not (colon and name.strip() and value.strip()):
        # the text may be a secret
        raise argparse.ArgumentTypeError("expected NAME:VALUE as one word, in quotes if it has spaces")
    return name.strip(), value.strip()


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not number > 0:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return number


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 6 and int(text) < 65536):
        raise argparse.ArgumentTypeError(f"expected a port from 0 to 65535, got {text!r}")
    return int(text)


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

    return stream(options)


def _record(options: argparse.Namespace) -> int:
    from rxstream.cli._stream import record

    return record(options)


def _replay(options: argparse.Namespace) -> int:
    from rxstream.cli._stream import replay

    return replay(options)


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


def _serve(options: argparse.Namespace) -> int:
    missing = [package for package in ("starlette", "uvicorn") if find_spec(package) is None]
    if missing:
        raise argparse.ArgumentTypeError(
            f"serve needs {' and '.join(missing)}, not installed here: pip install 'rxstream[serve]'"
        )
    from rxstream.cli._serve import serve

    return serve(options)


def _first(options: argparse.Namespace) -> int:
    from rxstream.cli._first import first

    return first()


def _completion(options: argparse.Namespace) -> int:
    from rxstream.cli._completion import script

    print(script(make_parser(), options.shell), end="")
    return 0
