"""`rxstream stream`, `rxstream record` and `rxstream replay`."""

from __future__ import annotations

from argparse import ArgumentTypeError, Namespace
from collections.abc import Sequence
from typing import Any, cast

from reactivex import operators as ops

from rxstream import operators as rxs
from rxstream.cli._output import show
from rxstream.cli._recordings import recordings
from rxstream.cli._request import headers_of, request_of
from rxstream.cli._stopwatch import Stopwatch
from rxstream.session import Session
from rxstream.sinks import result


def stream(options: Namespace) -> int:
    """Send one request and print the answer while it arrives. With tools it is a run."""
    request, headers = request_of(options), headers_of(options)
    to_the_end = options.save is not None
    if options.tool:
        return _run(options, request, headers, to_the_end)
    with Session(base_url=options.base_url, headers=headers, tape=options.save) as session:
        answer = session.response(**request)
        return show(answer, whole=options.whole, to_the_end=to_the_end, with_stages=options.inspect, **_form(options))


def _run(options: Namespace, request: dict[str, Any], headers: dict[str, str], to_the_end: bool) -> int:
    from rxstream.cli._tools import Approvals, tools_of

    tools = tools_of(options.tool, asks=not options.yes)
    approvals = Approvals(yes=options.yes)
    of_server = request.pop("tools", None) or ()
    if not isinstance(of_server, list | tuple):
        raise ArgumentTypeError("--body: expected a list in tools")
    request["tools"] = [*cast("Sequence[Any]", of_server), *tools]
    with Session(base_url=options.base_url, headers=headers, tape=options.save) as session:
        run = session.run(**request, approve=approvals.approve)
        return show(
            run,
            whole=options.whole,
            to_the_end=to_the_end,
            approvals=approvals,
            with_stages=options.inspect,
            **_form(options),
        )


def _form(options: Namespace) -> dict[str, Any]:
    """How it is printed."""
    return {"as_json": options.json, "markdown": options.markdown, "times": options.times}


def record(options: Namespace) -> int:
    """Send one request, write its stream to a tape, and print one line about it."""
    watch = Stopwatch()
    request, headers = request_of(options), headers_of(options)
    with Session(base_url=options.base_url, headers=headers, tape=options.tape) as session:
        answer = session.response(**request)
        result(answer.pipe(watch.events(), rxs.text_only(), watch.text(), ops.count())).wait()
    print(f"{options.tape}: {watch.summary()}")
    return 0


def replay(options: Namespace) -> int:
    """Print the stream of a tape, at `speed` times its own speed, or without waiting. Several follow each other."""
    with Session() as session:
        tapes = recordings(options.file)
        return max(show(session.replay(tape, speed=options.speed), **_form(options)) for tape in tapes)
