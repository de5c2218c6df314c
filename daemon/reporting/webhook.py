"""Posting a message to a web address, with patience for a server that is away for a moment.

The address may hold a secret, so errors name the host only. Nothing that the server says is
followed or kept: a redirect could point the message, and our credentials, anywhere.
"""

from __future__ import annotations

import base64
import hmac
import http.client
import socket
import ssl
import threading
import urllib.parse

import certifi

from daemon.files.answering import start_thread

PAUSES = (1.0, 5.0)  # seconds before the second and the third try
SIGNATURE = "X-Dropscribe-Signature-256"
_ANSWER_SECONDS = 10.0  # for a whole exchange, however slowly the server drips
_WORTH_ANOTHER_TRY = {408, 425, 429}  # the only 4xx that may change by themselves


class RefusedError(OSError):
    """The server does not want this message; sending it again would be pointless."""


class Webhook:
    """An http or https address that takes JSON.

    A user and password in it travel in a header. With a `secret`, another header proves that the
    message is ours and whole: sha256= and the HMAC-SHA-256 of the body, as GitHub's webhooks have.
    """

    def __init__(self, url: str, secret: str = "", seconds: float = _ANSWER_SECONDS) -> None:
        self._url = urllib.parse.urlsplit(url)
        self._secret = secret.encode()
        self._seconds = seconds
        self._tls = trusted_certificates()

    def send(self, notice: bytes, stop: threading.Event) -> None:
        """POST `notice`. Raises OSError when the last try has failed; `stop` ends the pauses."""
        for pause in PAUSES:
            try:
                return self._post(notice)
            except RefusedError:
                raise
            except OSError:
                stop.wait(pause)
        return self._post(notice)

    def _post(self, notice: bytes) -> None:
        host = self._url.hostname or ""
        try:
            code = self._exchange(host, notice)
        except TimeoutError:
            raise OSError(f"{host}: no answer within {self._seconds:g} s") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else None
            raise OSError(f"{host}: {reason or type(error).__name__}") from None
        if 200 <= code < 300:
            return
        final = 300 <= code < 500 and code not in _WORTH_ANOTHER_TRY
        raise (RefusedError if final else OSError)(f"{host} answered {code}")

    def _exchange(self, host: str, notice: bytes) -> int:
        """One request; the status code of its answer. Raises TimeoutError when time is over."""
        connection = self._connection(host)
        late = threading.Event()

        def give_up() -> None:
            late.set()
            if connection.sock is not None:
                connection.sock.shutdown(socket.SHUT_RDWR)

        deadline = threading.Timer(self._seconds, give_up)
        deadline.daemon = True
        start_thread(deadline)
        try:
            path = urllib.parse.urlunsplit(("", "", self._url.path or "/", self._url.query, ""))
            connection.request("POST", path, notice, self._headers(notice))
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            if late.is_set():
                raise TimeoutError from None
            raise
        finally:
            deadline.cancel()
            connection.close()

    def _connection(self, host: str) -> http.client.HTTPConnection:
        port = self._url.port
        if self._url.scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=self._seconds, context=self._tls)
        return http.client.HTTPConnection(host, port, timeout=self._seconds)

    def _headers(self, notice: bytes) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "User-Agent": "dropscribe"}
        if self._secret:
            digest = hmac.new(self._secret, notice, "sha256").hexdigest()
            headers[SIGNATURE] = f"sha256={digest}"
        if self._url.username is not None:
            pair = f"{_plain(self._url.username)}:{_plain(self._url.password or '')}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        return headers


def _plain(text: str) -> str:
    return urllib.parse.unquote(text)


def trusted_certificates() -> ssl.SSLContext:
    """The system's authorities and Mozilla's: python.org's Python for macOS comes without any."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context
