"""A page that shows an answer while it arrives, and its server, in one file.

python examples/browser_stream.py            ask once as the page does, and print what it gets
python examples/browser_stream.py --serve    serve http://127.0.0.1:8000, to be opened in a browser
"""

import asyncio
import sys
from contextlib import suppress

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


async def main() -> None:
    app = Starlette(routes=[Route("/", page), Route("/answer", answer)])
    with LocalServer([answers.text("Hello, browser. This came word by word.")], pace=10) as upstream:
        async with rxstream.Session("none", base_url=upstream.base_url) as app.state.session:
            if "--serve" in sys.argv:
                await uvicorn.Server(uvicorn.Config(app, port=8000)).serve()
                return
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://page") as browser:
                for line in (await browser.get("/answer")).text.splitlines():
                    print(line if len(line) < 100 else f"{line[:100]} …")


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):  # Ctrl-C ends the server
        asyncio.run(main())
