"""Real servers for the tests: llama.cpp with a random model, and one that says what it is told."""

from __future__ import annotations

import json
import struct
import threading
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
from tiny_gguf import write_language_model, write_projector

CONTEXT = 4096  # tokens, that is bytes, of each of the four slots


def start_llama(folder: Path, *, eyes: bool) -> tuple[Any, str]:
    """Start llama.cpp's own server in this process; it lives as long as the object."""
    import xllamacpp

    options = xllamacpp.CommonParams()
    options.model.path = str(write_language_model(folder / "model.gguf"))
    if eyes:
        options.mmproj.path = str(write_projector(folder / "eyes.gguf"))
    options.n_parallel, options.n_ctx = 4, 4 * CONTEXT
    options.cpuparams.n_threads = options.cpuparams_batch.n_threads = 1
    options.verbosity, options.warmup = 0, False
    server = xllamacpp.Server(options)
    return server, f"{server.listening_address}/v1"


@dataclass
class Reply:
    """What a server sends."""

    status: int = 200
    body: Any = ""  # JSON values, or bytes as they are
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Scripted:
    """A server of our own: the address, and what it was sent."""

    address: str
    asked: list[dict[str, Any]]
    headers: list[dict[str, str]]


Answerer = Callable[[dict[str, Any], int], Reply]


def completion(text: Any, usage: Any = None) -> Reply:
    """A chat completion that says `text`."""
    told = {"prompt_tokens": 10, "completion_tokens": 5} if usage is None else usage
    return Reply(body={"choices": [{"message": {"content": text}}], "usage": told})


def serve(answer: Answerer) -> tuple[ThreadingHTTPServer, Scripted]:
    """Start a server that answers each request as `answer` says."""
    asked: list[dict[str, Any]] = []
    headers: list[dict[str, str]] = []
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet

        def do_GET(self) -> None:
            self._send(Reply(body={"data": [{"id": "qwen3-8b"}, {"id": "gemma3-4b"}]}))

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            with lock:
                number = len(asked)
                asked.append(json.loads(raw))
                headers.append(dict(self.headers))
            self._send(answer(asked[number], number))

        def _send(self, reply: Reply) -> None:
            body = reply.body
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            pass  # a client that hung up

    server = Quiet(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server, Scripted(f"http://127.0.0.1:{server.server_port}/v1", asked, headers)


def png(picture: np.ndarray) -> bytes:
    """A picture, (height, width, 3) bytes, as a PNG file."""
    height, width, _ = picture.shape
    rows = b"".join(b"\0" + row.tobytes() for row in picture)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body
