"""Stand-ins on loopback for the services that `docs/how-to/bring-your-own-check.md` names."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class _Services(BaseHTTPRequestHandler):
    """Both judge a text by one word."""

    def do_POST(self) -> None:
        body: Any = json.loads(self.rfile.read(int(self.headers["content-length"])))
        flagged = "hate" in json.dumps(body)
        # learn.microsoft.com/rest/api/contentsafety/text-operations/analyze-text
        answer: Any = {"categoriesAnalysis": [{"category": "Hate", "severity": 4 if flagged else 0}]}
        if self.path.endswith("/apply"):
            # docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ApplyGuardrail.html
            found = {"type": "HATE", "confidence": "HIGH", "action": "BLOCKED"}
            answer = {
                "usage": {},
                "action": "GUARDRAIL_INTERVENED" if flagged else "NONE",
                "outputs": [],
                "assessments": [{"contentPolicy": {"filters": [found]}}] if flagged else [],
            }
        data = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is printed."""


@contextmanager
def services() -> Iterator[dict[str, str]]:
    """The environment in which programs find them."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Services) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield {
                "CONTENT_SAFETY_ENDPOINT": url,
                "CONTENT_SAFETY_KEY": "key",
                "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": url,
                "AWS_ACCESS_KEY_ID": "key",
                "AWS_SECRET_ACCESS_KEY": "key",
            }
        finally:
            server.shutdown()
            thread.join()
