"""A Responses API on loopback: real HTTP/1.1, chunked server-sent events, scripted answers.

It has a thread and an asyncio loop of its own, so it serves sync code and tests on any loop. All its sizes and times
are limited, and after its `with` block no thread and no socket is left.
"""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from importlib.util import find_spec
from types import TracebackType
from typing import Any, cast

from rxstream.testing.answers._answer import Answer, ReceivedRequest, Reply
from rxstream.testing.answers._build import text
from rxstream.testing.server._http import BadRequestError, ClientGoneError, Connection, HttpRequest
from rxstream.testing.server._log import Exchange, ExchangeLog
from rxstream.testing.server._moderations import Moderations, TextJudge
from rxstream.testing.server._responses import AnswerScript, ScriptedAnswer, error_reply
from rxstream.testing.server._sender import Sender
from rxstream.testing.server._websocket import SocketConversation, is_upgrade

_STEPS_OF_ACCEPTING = 5
"""How often the loop turns, at most, from an accepted connection to its task, which closes it."""


class LocalServer:
    """A local Responses API server, for demos and tests.

        with LocalServer(answers=[text("Hello.")]) as server:
            httpx.post(f"{server.base_url}/responses", json={"model": "m", "input": "Hi", "stream": True})

    Serves `POST {prefix}/responses` (a stream, or plain JSON for a request without `stream`),
    `GET {prefix}/responses/{id}?stream=true&starting_after=N` for its earlier answers, also under `{id}/events`, and as
    JSON without `stream`, `DELETE {prefix}/responses/{id}`, `GET {prefix}/responses/{id}/input_items`,
    `POST {prefix}/responses/{id}/cancel`, and `POST {prefix}/moderations`; any other path is a 404 in the API's form.
    `{prefix}/responses` is a WebSocket too, of which each message has a record in the log.

    All methods may be called from any thread, before and while it runs.
    """

    def __init__(
        self,
        answers: Iterable[ScriptedAnswer] = (),
        *,
        pace: float | None = None,
        api_key: str | None = None,
        moderation: "TextJudge | Iterable[str]" = (),
        prefix: str = "/v1",
        port: int = 0,
        patience: float = 60.0,
        max_connections: int = 4096,
        log_limit: int = 20_000,
    ) -> None:
        """
        Args:
            answers: what to answer, one a request; the last repeats.
            pace: events a second; None sends as fast as the client reads. An answer may have its own.
            api_key: if set, requests without it get the API's 401.
            moderation: words that are flagged, or a function of a text that returns a bool or scores by category.
            patience: seconds for which the server waits for a client that neither sends nor closes.
            log_limit: how many records the log keeps.
        """
        self.pace = pace
        self._prefix = "/" + prefix.strip("/") if prefix.strip("/") else ""
        self._api_key = api_key
        self._port = port
        if isinstance(answers, str):
            raise TypeError(f"answers must be a list, got a str: write LocalServer([{answers!r}])")
        self._wait_limit = patience
        self._max_connections = max_connections
        self._log = ExchangeLog(log_limit)
        self._responses = AnswerScript()
        self._moderations = Moderations(moderation)
        self._url = ""
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._failures: list[BaseException] = []
        self.say(*answers)

    # The script

    def say(self, *answers: ScriptedAnswer) -> None:
        """From now on send these answers, one a request; the last repeats. They replace all earlier ones."""
        self._responses.say(answers or (text("Hello! I am a server on your own machine."),))

    def on_resume(self, *edits: Callable[[Answer], Answer | Reply]) -> None:
        """Change the answers to the next GETs of an earlier response, one each: `lambda rest: disconnect(rest, 2)`."""
        self._responses.on_resume(edits)

    def on_poll(self, *replies: "Reply | Mapping[str, Any]") -> None:
        """Answer the next GETs without `stream` so, one each: a reply, or fields that the response has instead, such
        as `{"status": "in_progress"}`."""
        self._responses.on_poll(replies)

    def on_cancel(self, *replies: Reply) -> None:
        """Answer the next requests to cancel a response so, one each, and do not cancel it."""
        self._responses.on_cancel(replies)

    def moderate(
        self,
        judge: "TextJudge | Iterable[str]",
        *,
        delay: float = 0.0,
        failures: Iterable[Reply] = (),
    ) -> None:
        """How `POST /moderations` judges: after `delay` seconds. The first requests get one of `failures` each."""
        self._moderations.script(judge, delay, failures)

    # Where it is

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`."""
        if not self._url:
            raise RuntimeError("the server is not running: enter its block first, `with LocalServer() as server:`")
        return self._url

    @property
    def base_url(self) -> str:
        """What clients of the API call the base URL: `http://127.0.0.1:PORT/v1`."""
        return self.url + self._prefix

    # Its log

    @property
    def log(self) -> list[Exchange]:
        """A record for each request so far, in order."""
        return self._log.records()

    def wait_requests(self, n: int = 1, timeout: float = 5.0) -> list[Exchange]:
        """Block until `n` requests have come; return the log. Raises `TimeoutError` with the last records.

        In async code await `until_requests` instead: while the loop is blocked, the request may not be sent.
        """
        return self._log.wait(f"{n} requests", self._log.has_requests(n), timeout)

    def wait_closed(self, n: int = 1, timeout: float = 5.0) -> list[Exchange]:
        """Block until `n` answers were closed by the client before they were finished; return the log."""
        return self._log.wait(f"{n} answers closed by the client", self._log.has_closed(n), timeout)

    def wait_over(self, n: int = 1, timeout: float = 5.0) -> list[Exchange]:
        """Block until `n` answers are over, finished or closed; return the log."""
        return self._log.wait(f"{n} answers over", self._log.has_ended(n), timeout)

    async def until_requests(self, n: int = 1, timeout: float = 5.0) -> list[Exchange]:  # noqa: ASYNC109
        """Wait like `wait_requests`, on asyncio or trio."""
        return await self._log.until(f"{n} requests", self._log.has_requests(n), timeout)

    async def until_closed(self, n: int = 1, timeout: float = 5.0) -> list[Exchange]:  # noqa: ASYNC109
        """Wait like `wait_closed`, on asyncio or trio."""
        return await self._log.until(f"{n} answers closed by the client", self._log.has_closed(n), timeout)

    async def until_over(self, n: int = 1, timeout: float = 5.0) -> list[Exchange]:  # noqa: ASYNC109
        """Wait like `wait_over`, on asyncio or trio."""
        return await self._log.until(f"{n} answers over", self._log.has_ended(n), timeout)

    # Its life

    def start(self) -> "LocalServer":
        """Listen. Raises `OSError` if the port is taken, `RuntimeError` if it runs already."""
        if self._thread is not None:
            raise RuntimeError("the server is running already")
        listener = socket.create_server(("127.0.0.1", self._port), backlog=1024)
        self._url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        ready = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(listener, ready)), name="rxstream-local-server", daemon=True
        )
        self._thread.start()
        ready.wait()
        return self

    def close(self) -> None:
        """Close every connection, the listener and the thread; may be called twice.

        Raises the first exception that a script raised meanwhile.
        """
        if self._thread is None:
            return
        loop, stop = self._loop, self._stop
        if loop is not None and stop is not None:
            loop.call_soon_threadsafe(stop.set)
        self._thread.join()
        self._thread = self._loop = self._stop = None
        self._url = ""
        if self._failures:
            failure, self._failures = self._failures[0], []
            raise failure

    def __enter__(self) -> "LocalServer":
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except BaseException:
            if error is None:
                raise

    async def __aenter__(self) -> "LocalServer":
        return self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    # On its own thread

    async def _serve(self, listener: socket.socket, ready: threading.Event) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        connections: set[asyncio.Task[None]] = set()
        accepted = 0

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal accepted
            if len(connections) >= self._max_connections:
                writer.transport.abort()
                return
            accepted += 1
            task = cast("asyncio.Task[None]", asyncio.current_task())
            connections.add(task)
            task.add_done_callback(connections.discard)
            connection = Connection(reader, writer)
            try:
                await self._connection(connection, accepted)
            except (ClientGoneError, TimeoutError):
                pass
            except asyncio.CancelledError:
                writer.transport.abort()  # the server closes, and its clients must not wait
            except Exception as failure:
                self._failures.append(failure)
            finally:
                with suppress(asyncio.CancelledError):  # asyncio 3.11 complains of a cancelled task
                    await connection.close()

        server = await asyncio.start_server(serve, sock=listener)
        ready.set()
        await self._stop.wait()
        with suppress(NotImplementedError):  # of the loop of Windows
            self._loop.remove_reader(listener)  # accept no more: a connection that meets a closed server stays open
        for _ in range(_STEPS_OF_ACCEPTING):
            await asyncio.sleep(0)
        server.close()
        while connections:
            for task in connections:
                task.cancel()
            await asyncio.wait(set(connections))
        await asyncio.sleep(0)  # the transports' last callbacks

    async def _connection(self, connection: Connection, number: int) -> None:
        while True:
            async with asyncio.timeout(self._wait_limit):
                try:
                    request = await connection.request()
                except BadRequestError as bad:
                    await Sender(connection, self._wait_limit).send_reply(error_reply(bad.status, str(bad)), close=True)
                    return
            if request is None:
                return
            if is_upgrade(request) and request.path == f"{self._prefix}/responses":
                await self._websocket(connection, request, number)
                return
            body = request.json()
            record = self._log.add(number, request.method, request.path, request.query, request.headers, body)
            if not await self._answer(connection, request, body, record):
                return

    async def _websocket(self, connection: Connection, request: HttpRequest, number: int) -> None:
        refusal: Reply | None = None
        if self._api_key is not None and not self._authorized(request):
            refusal = _wrong_key()
        elif find_spec("websockets") is None:
            refusal = error_reply(501, "The local server needs a package for this: pip install 'rxstream[websocket]'.")
        if refusal is not None:
            record = self._log.add(number, request.method, request.path, request.query, request.headers, None)
            await Sender(connection, self._wait_limit, record, self._log).send_reply(refusal, close=True)
            self._log.end(record, finished=True)
            return
        await SocketConversation(
            connection,
            request,
            number,
            self._decide_message,
            self._responses.cut,
            self._log,
            lambda: self.pace,
            self._wait_limit,
        ).run()

    def _decide_message(self, body: Any) -> Reply | tuple[Answer, ReceivedRequest]:
        """The answer to a message of a WebSocket."""
        fields = cast("dict[str, Any]", body) if isinstance(body, dict) else {}
        if fields.get("type") != "response.create":
            return error_reply(400, "Expected a message of type 'response.create'.", code="invalid_value")
        try:
            return self._responses.create({name: value for name, value in fields.items() if name != "type"}, True)
        except Exception as failure:
            self._failures.append(failure)
            return error_reply(500, f"The script of the local server raised {failure!r}.")

    async def _answer(self, connection: Connection, request: HttpRequest, body: Any, record: Exchange) -> bool:
        """Answer one request, and stop if the client closes. Returns whether the connection may be used again."""
        sender = Sender(connection, self._wait_limit, record, self._log)
        answer_task = asyncio.ensure_future(self._respond(sender, request, body))
        close_task = asyncio.ensure_future(connection.wait_closed())
        try:
            await asyncio.wait((answer_task, close_task), return_when=asyncio.FIRST_COMPLETED)
            if not answer_task.done():
                self._log.end(record, closed_by_client=True)
                return False
            answer_task.result()
            self._log.end(record, finished=True)
            return sender.usable and request.keep_alive
        except ClientGoneError:
            self._log.end(record, closed_by_client=True)
            return False
        finally:
            for task in (answer_task, close_task):
                task.cancel()
            await asyncio.wait((answer_task, close_task))
            self._log.end(record)

    async def _respond(self, sender: Sender, request: HttpRequest, body: Any) -> None:
        delay, reply = self._decide(request, body)
        if delay:
            await asyncio.sleep(delay)
        if isinstance(reply, Reply):
            await sender.send_reply(reply, close=not request.keep_alive)
        else:
            await sender.send_stream(*reply, self.pace, http10=request.version != "HTTP/1.1")

    def _decide(self, request: HttpRequest, body: Any) -> tuple[float, Reply | tuple[Answer, ReceivedRequest]]:
        if self._api_key is not None and not self._authorized(request):
            return 0.0, _wrong_key()
        path = request.path.removeprefix(self._prefix)
        if not request.path.startswith(self._prefix + "/"):
            path = ""
        try:
            if path == "/responses" and request.method == "POST":
                return 0.0, self._responses.create(body)
            if path.startswith("/responses/"):
                of_response = path.removeprefix("/responses/")
                if request.method == "DELETE":
                    return 0.0, self._responses.delete(of_response)
                if request.method == "GET" and of_response.endswith("/input_items"):
                    return 0.0, self._responses.input_items(of_response.removesuffix("/input_items"))
                if request.method == "GET":
                    response_id = of_response.removesuffix("/events")
                    query = {**request.query, **({"stream": "true"} if response_id != of_response else {})}
                    return 0.0, self._responses.retrieve(response_id, query)
                if request.method == "POST" and of_response.endswith("/cancel"):
                    return 0.0, self._responses.cancel(of_response.removesuffix("/cancel"))
            if path == "/moderations" and request.method == "POST":
                return self._moderations.judge(body)
        except Exception as failure:  # raised by a function of the test: the client gets a 500, the `with` raises it
            self._failures.append(failure)
            return 0.0, error_reply(500, f"The script of the local server raised {failure!r}.")
        return 0.0, error_reply(404, f"Invalid URL ({request.method} {request.path})")

    def _authorized(self, request: HttpRequest) -> bool:
        headers = request.headers
        return self._api_key in (headers.get("authorization", "").removeprefix("Bearer "), headers.get("api-key"))


def _wrong_key() -> Reply:
    return error_reply(401, "Incorrect API key provided.", code="invalid_api_key")
