"""A page that shows an answer while it arrives, and its server, in one file.

python examples/browser_stream.py            serve on loopback, ask once as a browser does, print what it gets
python examples/browser_stream.py --serve    stay, and print the address to open
"""

import socket
import sys
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

import rxstream
from rxstream.testing import LocalServer, answers
from rxstream.web import EventStreamResponse

PAGE = """<!doctype html><meta charset="utf-8"><title>rxstream</title><h1>An answer</h1><p id="answer"></p>
<script>
  const source = new EventSource("/answer"), answer = document.getElementById("answer");
  source.addEventListener("response.output_text.delta", (event) => answer.append(JSON.parse(event.data).delta));
  source.addEventListener("response.completed", () => source.close());
</script>"""


async def page(request: Request) -> HTMLResponse:
    return HTMLResponse(PAGE)


async def answer(request: Request) -> EventStreamResponse:
    session: rxstream.Session = request.app.state.session
    return EventStreamResponse(session.response(model="gpt-4o-mini", input="Say hello to the browser."))


def application(base_url: str) -> Starlette:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None]:
        async with rxstream.Session("none", base_url=base_url) as session:
            app.state.session = session
            yield

    return Starlette(routes=[Route("/", page), Route("/answer", answer)], lifespan=lifespan)


def main(upstream: LocalServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(application(upstream.base_url), log_level="warning", ws="none"))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            if "--serve" in sys.argv:
                print(f"open {address}, end with Ctrl-C")
                thread.join()
            with httpx.stream("GET", f"{address}/answer", trust_env=False) as response:
                for line in response.iter_lines():
                    print(line)
        finally:
            server.should_exit = True
            thread.join()


if __name__ == "__main__":
    with LocalServer([answers.text("Hello, browser. This came word by word.")], pace=20) as local:
        main(local)
