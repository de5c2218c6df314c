"""The webhook against a real HTTP server on this machine."""

from __future__ import annotations

import hmac
import http.server
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from daemon.reporting.webhook import Webhook, trusted_certificates
from tests.kit.tls_server import untrusted_server


@dataclass
class Server:
    """Answers with `codes`, one after the other, then with 200."""

    codes: list[int] = field(default_factory=list)
    bodies: list[dict[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    port: int = 0

    def answer(self, body: bytes, headers: dict[str, str]) -> int:
        self.bodies.append(json.loads(body))
        self.headers.append(headers)
        return self.codes.pop(0) if self.codes else 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?token=secret"


@pytest.fixture
def server() -> Iterator[Server]:
    script = Server()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(script.answer(body, dict(self.headers)))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as listener:
        script.port = listener.server_port
        thread = threading.Thread(target=listener.serve_forever, args=(0.01,))
        thread.start()
        yield script
        listener.shutdown()
        thread.join()


class Pauses(threading.Event):
    """Never set; remembers for how long it was waited for, and does not wait."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.seconds.append(timeout)
        return False


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


def test_the_message_arrives_as_json(server: Server, pauses: Pauses) -> None:
    Webhook(server.url).send(b'{"event": "done"}', pauses)
    assert server.bodies == [{"event": "done"}]
    assert server.headers[0]["Content-Type"] == "application/json"


def test_a_server_that_is_away_for_a_moment_gets_it_in_the_end(
    server: Server, pauses: Pauses
) -> None:
    server.codes = [503, 429]
    Webhook(server.url).send(b"{}", pauses)
    assert len(server.bodies) == 3
    assert pauses.seconds == [1.0, 5.0]


def test_three_failures_are_enough(server: Server, pauses: Pauses) -> None:
    server.codes = [500] * 9
    with pytest.raises(OSError, match=r"127\.0\.0\.1 answered 500"):
        Webhook(server.url).send(b"{}", pauses)
    assert len(server.bodies) == 3


def test_a_refusal_is_not_repeated(server: Server, pauses: Pauses) -> None:
    server.codes = [404] * 9
    with pytest.raises(OSError, match="answered 404"):
        Webhook(server.url).send(b"{}", pauses)
    assert len(server.bodies) == 1
    assert pauses.seconds == []


def test_nobody_listening_is_an_error_that_keeps_the_secret(pauses: Pauses) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(OSError, match="refused") as caught:
        Webhook(f"http://127.0.0.1:{port}/?token=secret").send(b"{}", pauses)
    assert "secret" not in str(caught.value)
    assert len(pauses.seconds) == 2


def test_an_answer_that_is_no_http_is_an_error_and_not_a_crash(pauses: Pauses) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def babble() -> None:
            for _ in range(3):
                connection, _address = listener.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(b"220 mail.example ESMTP\r\n\r\n")

        thread = threading.Thread(target=babble)
        thread.start()
        with pytest.raises(OSError, match=r"127\.0\.0\.1: "):
            Webhook(f"http://127.0.0.1:{listener.getsockname()[1]}/").send(b"{}", pauses)
        thread.join()


def test_a_python_without_certificates_knows_the_usual_authorities(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As python.org's on a Mac, until somebody runs "Install Certificates"."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert ssl.create_default_context().cert_store_stats()["x509_ca"] == 0
    assert trusted_certificates().cert_store_stats()["x509_ca"] > 50


def test_a_password_in_the_address_travels_in_a_header(server: Server, pauses: Pauses) -> None:
    Webhook(server.url.replace("http://", "http://me:s%3Acret@")).send(b"{}", pauses)
    assert server.headers[0]["Authorization"] == "Basic bWU6czpjcmV0"


def test_a_secret_signs_the_body_and_is_not_sent(server: Server, pauses: Pauses) -> None:
    body = b'{"event":"done"}'
    Webhook(server.url, "k\u00e9y").send(body, pauses)
    Webhook(server.url).send(body, pauses)
    signed, unsigned = server.headers
    digest = hmac.new("k\u00e9y".encode(), body, "sha256").hexdigest()
    assert signed["X-Dropscribe-Signature-256"] == f"sha256={digest}"
    assert "X-Dropscribe-Signature-256" not in unsigned


def test_a_redirect_is_a_refusal(server: Server, pauses: Pauses) -> None:
    server.codes = [302] * 9
    with pytest.raises(OSError, match="answered 302"):
        Webhook(server.url).send(b"{}", pauses)
    assert len(server.bodies) == 1


def test_a_server_that_drips_is_left_in_time(pauses: Pauses) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        over = threading.Event()

        def drip() -> None:
            for _ in range(3):
                connection, _address = listener.accept()
                with connection:
                    while not over.wait(0.05):
                        try:
                            connection.sendall(b"H")
                        except OSError:
                            break

        thread = threading.Thread(target=drip)
        thread.start()
        hook = Webhook(f"http://127.0.0.1:{listener.getsockname()[1]}/", seconds=0.3)
        with pytest.raises(OSError, match="no answer within"):
            hook.send(b"{}", pauses)
        over.set()
        thread.join()


def test_a_server_with_an_untrusted_certificate_gets_nothing(
    tmp_path: Path, pauses: Pauses
) -> None:
    with untrusted_server(tmp_path) as address, pytest.raises(OSError, match="certificate"):
        Webhook(f"{address}/secret").send(b"{}", pauses)
