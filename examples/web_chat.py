"""The server of a chat page: `useChat` of the AI SDK posts the conversation, and gets the answer word by word.

python examples/web_chat.py            ask once as the page does, and print what it gets: no key, no network
python examples/web_chat.py --live     serve http://127.0.0.1:8000/api/chat with OPENAI_API_KEY
"""

import asyncio
import sys

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

import rxstream
from rxstream.errors import ProtocolError
from rxstream.testing import LocalServer
from rxstream.web import EventStreamResponse, from_ui_messages, to_ui_messages


async def chat(request: Request) -> Response:
    session: rxstream.Session = request.app.state.session
    try:
        items = from_ui_messages(await request.body())
    except ProtocolError as error:
        return PlainTextResponse(str(error), status_code=400)
    return EventStreamResponse(session.response(model="gpt-4o-mini", input=items), to_ui_messages())


def application(session: rxstream.Session) -> Starlette:
    app = Starlette(routes=[Route("/api/chat", chat, methods=["POST"])])
    app.state.session = session
    return app


async def live() -> None:
    async with rxstream.Session() as session:
        await uvicorn.Server(uvicorn.Config(application(session), port=8000)).serve()


async def offline() -> None:
    question = {"id": "1", "role": "user", "parts": [{"type": "text", "text": "Say hello."}]}
    with LocalServer(["Hello, page."], pace=40) as server:
        async with (
            rxstream.Session("none", base_url=server.base_url) as session,
            httpx.AsyncClient(transport=httpx.ASGITransport(application(session)), base_url="http://page") as page,
        ):
            for messages in ([question], "no list"):
                response = await page.post("/api/chat", json={"id": "chat", "messages": messages})
                print(response.status_code, response.text, sep="\n")


if __name__ == "__main__":
    asyncio.run(live() if "--live" in sys.argv else offline())
