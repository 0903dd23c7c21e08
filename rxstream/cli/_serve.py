"""`rxstream serve`: the gateway as a process."""

from __future__ import annotations

import argparse
import os
import socket
import sys
from argparse import ArgumentTypeError
from collections.abc import Sequence
from typing import Any, cast

from rxstream import operators as rxs
from rxstream.cli._files import load_file
from rxstream.errors import RxStreamError
from rxstream.gateway import Authorize, GatewayLimits, gateway
from rxstream.gateway._callers import one_of
from rxstream.relay import Log, MemoryLog, NatsLog, ValkeyLog
from rxstream.typing import Operator

_MODERATE = "--moderate: expected a Python file that defines `checks` or `operators`"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_LOG_SECONDS = 5.0
"""For which a call to the log is tried again. A response that the log does not take is sent without it."""


def serve(options: argparse.Namespace) -> int:
    """Serve until a signal ends it."""
    import uvicorn

    from rxstream.gateway._server import GatewayServer

    key = _secret(options.key_env, "--key-env")
    authorize = _tokens(options.tokens_env)
    if key is not None and authorize is None and options.host not in _LOOPBACK:
        raise ArgumentTypeError(
            f"--key-env without --tokens-env: expected a loopback address as --host, got {options.host}: others would "
            "use the key of the gateway; name a variable with their tokens, separated by commas"
        )
    if options.inspect and options.host not in _LOOPBACK:
        raise ArgumentTypeError(
            f"--inspect: expected a loopback address as --host, got {options.host}: its page is open to everybody; "
            "mount rxstream.web.probes_app() in an application that checks who asks"
        )
    log = _log_at(options.relay) if options.relay else None
    try:
        limits = GatewayLimits(**{name: value for name in _LIMITS if (value := getattr(options, name)) is not None})
        app = gateway(
            options.upstream,
            key=key,
            authorize=authorize,
            allow_reference=_refuse if options.refuse_references else None,
            moderate=moderation_of(options.moderate) if options.moderate else (),
            log=log,
            ttl=options.ttl,
            lease=options.lease,
            record=options.record,
            fallback=options.fallback,
            fallback_key=_secret(options.fallback_key_env, "--fallback-key-env"),
            fallback_model=options.fallback_model,
            timeouts=cast("Any", dict(options.timeout)),
            retries=options.retries,
            limits=limits,
            cors=options.cors,
            shutdown_seconds=options.shutdown_seconds,
            inspect=options.inspect,
        )
    except (TypeError, ValueError) as error:
        raise ArgumentTypeError(str(error)) from None
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,  # it has the queries, and these may have a key
        lifespan="on",
        ws="none",
        server_header=False,
        timeout_graceful_shutdown=5,  # after the gateway has ended its streams
        h11_max_incomplete_event_size=limits.header_bytes + 4096,
    )
    try:
        with _listener(options.host, options.port) as listener:
            host = f"[{options.host}]" if ":" in options.host else options.host
            address = f"http://{host}:{listener.getsockname()[1]}"
            print(f"rxstream: {address}/v1 for {options.upstream}", file=sys.stderr)
            if options.inspect:
                print(f"rxstream: {address}/inspect watches the streams", file=sys.stderr)
            GatewayServer(config, app.state.gateway).run([listener])
    finally:
        if log is not None:
            log.close()
    return 0


def _listener(host: str, port: int) -> socket.socket:
    """A socket that listens. Opened here, because uvicorn says what went wrong after the address, and exits 3."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        failure = error
    reason = str(failure.strerror).partition(" (while")[0]  # Python adds the address
    raise RxStreamError(f"cannot listen on {host}, port {port}: {reason}: name another --host or --port")


_LIMITS = ("body_bytes", "header_bytes", "open_streams")


def moderation_of(file: str) -> Sequence[Operator[Any, Any]]:
    """The operators of a file: its `operators`, or `debounce_moderation` with its `checks`.

    Raises: ArgumentTypeError: it has none of them, or both, or something else.
    """
    module = load_file(file, _MODERATE, "rxstream_moderation")
    checks: Any = getattr(module, "checks", None)
    operators: Any = getattr(module, "operators", None)
    if (checks is None) == (operators is None):
        has = "none of them" if checks is None else "both"
        raise ArgumentTypeError(f"{_MODERATE}, and {file} has {has}")
    try:
        if operators is None:
            return [rxs.debounce_moderation(checks)]
        given: list[Any] = [operators] if callable(operators) else list(operators)
    except (TypeError, ValueError) as error:
        raise ArgumentTypeError(f"{file}: {error}") from None
    if not given or not all(callable(each) for each in given):
        raise ArgumentTypeError(f"{file}: expected an operator, or a list of them, as `operators`")
    return given


def _log_at(url: str) -> Log:
    if url == "memory":
        return MemoryLog()
    try:
        if url.startswith("nats"):
            return NatsLog(url, retry_seconds=_LOG_SECONDS)
        return ValkeyLog(url, retry_seconds=_LOG_SECONDS)
    except (ModuleNotFoundError, ValueError) as error:
        raise ArgumentTypeError(f"--relay: expected memory, valkey://…, redis://… or nats://…: {error}") from None


def _secret(variable: str | None, option: str) -> str | None:
    if variable is None:
        return None
    value = os.environ.get(variable, "").strip()
    if not value:
        raise ArgumentTypeError(f"{option}: expected a variable that is set, and {variable} is empty or is not set")
    return value


def _refuse(*_: str) -> bool:
    return False


def _tokens(variable: str | None) -> Authorize | None:
    value = _secret(variable, "--tokens-env")
    return None if value is None else one_of([token.strip() for token in value.split(",") if token.strip()])
