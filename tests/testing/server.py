"""A server that answers like the APIs of OpenAI and Anthropic, by a fixed script. Out: answers, and a log of bytes.

The log holds requests and responses as they crossed the wire (undone compression aside), which is what a recording
of them has to agree with.
"""

from __future__ import annotations

import gzip
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = Any


def chat(number: int) -> Json:
    """A reply of Chat Completions."""
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": 1_800_000_000,
        "model": "example-1",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": f"answer {number} ☕"},
            }
        ],
        "usage": {"prompt_tokens": 10 + number, "completion_tokens": 4, "total_tokens": 14 + number},
    }


def chat_stream(number: int) -> list[str]:
    """The same as events."""
    base = {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion.chunk",
        "created": 1_800_000_000,
        "model": "example-1",
    }
    deltas: list[Json] = [
        {"role": "assistant", "content": ""},
        {"content": f"answer {number}"},
        {"content": " ☕"},
    ]
    chunks = [{**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append({**base, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    return [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks] + ["data: [DONE]\n\n"]


def message(number: int) -> Json:
    """A reply of Anthropic Messages."""
    return {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": "claude-example-1",
        "content": [{"type": "text", "text": f"answer {number} ☕"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 10 + number, "output_tokens": 4},
    }


def message_stream(number: int) -> list[str]:
    """The same as events."""
    whole = message(number)
    start = {**whole, "content": [], "stop_reason": None}
    events: list[Json] = [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": f"answer {number}"},
        },
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": " ☕"}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 4},
        },
        {"type": "message_stop"},
    ]
    return [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events]


def response(number: int) -> Json:
    """A reply of the Responses API."""
    return {
        "id": f"resp_{number}",
        "object": "response",
        "created_at": 1_800_000_000,
        "status": "completed",
        "model": "example-1",
        "output": [
            {
                "id": f"item_{number}",
                "type": "message",
                "role": "assistant",
                "status": "completed",
                "content": [{"type": "output_text", "text": f"answer {number} ☕", "annotations": []}],
            }
        ],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": 10 + number,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 4,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 14 + number,
        },
    }


def response_stream(number: int) -> list[str]:
    """The same as events: the first and the last ones, which hold all there is."""
    whole = response(number)
    events: list[Json] = [
        {
            "type": "response.created",
            "sequence_number": 0,
            "response": {**whole, "status": "in_progress", "output": [], "usage": None},
        },
        {
            "type": "response.output_item.done",
            "sequence_number": 1,
            "output_index": 0,
            "item": whole["output"][0],
        },
        {"type": "response.completed", "sequence_number": 2, "response": whole},
    ]
    return [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events]


SCRIPTS = {
    "/v1/chat/completions": (chat, chat_stream),
    "/v1/messages": (message, message_stream),
    "/v1/responses": (response, response_stream),
}


@dataclass
class Server:
    """`url` of the server; `log` of (path, request body, response text), in the order of answers.

    `compressed`: bodies are sent with gzip. `gate`: when set to an Event, streams stop after their first event until
    it is set, or `waited_out`; `status`: of all answers. `cut_after`: events after which the connection is lost.
    """

    url: str = ""
    log: list[tuple[str, str, str]] = field(default_factory=list)
    compressed: bool = False
    gate: threading.Event | None = None
    waited_out: bool = False
    status: int = 200
    cut_after: int | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


@contextmanager
def running() -> Iterator[Server]:
    """A server in a thread, on a free port of this machine."""
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        #: A test that hangs must not hang for ever.
        timeout = 20

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            self._send("application/json", b'{"object": "list", "data": []}')

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            path = self.path.partition("?")[0]
            if state.status != 200:
                text = json.dumps({"error": {"message": f"refused: {self.headers.get('Authorization')}"}})
                with state.lock:
                    state.log.append((path, body, text))
                self._send("application/json", text.encode())
                return
            one, many = SCRIPTS[path]
            with state.lock:
                number = len(state.log)
                streamed = json.loads(body).get("stream")
                events = many(number) if streamed else [json.dumps(one(number), indent=1)]
                state.log.append((path, body, "".join(events)))
            if streamed:
                self._stream(events)
            else:
                self._send("application/json", events[0].encode())

        def _send(self, kind: str, body: bytes) -> None:
            self.send_response(state.status)
            self.send_header("Content-Type", kind)
            if state.compressed:
                body = gzip.compress(body)
                self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _stream(self, events: list[str]) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            if state.compressed:
                self.send_header("Content-Encoding", "gzip")
                events = [gzip.compress("".join(events).encode()).decode("latin-1")]
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for at, event in enumerate(events):
                if state.cut_after == at:
                    self.close_connection = True
                    return
                data = event.encode("latin-1" if state.compressed else "utf-8")
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
                self.wfile.flush()
                if at == 0 and state.gate is not None:
                    state.waited_out |= not state.gate.wait(3)
            self.wfile.write(b"0\r\n\r\n")

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            if not isinstance(sys.exc_info()[1], ConnectionError):  # a client that closes early is no fault
                super().handle_error(request, client_address)

    with Quiet(("127.0.0.1", 0), Handler) as server:
        state.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()
