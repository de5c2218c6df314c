"""Posting a message to a web address, with patience for a server that is away for a moment."""

from __future__ import annotations

import http.client
import ssl
import threading
import urllib.error
import urllib.parse
import urllib.request

import certifi

PAUSES = (1.0, 5.0)  # seconds before the second and the third try
_ANSWER_SECONDS = 10.0
_WORTH_ANOTHER_TRY = {408, 425, 429}  # the only 4xx that may change by themselves


class RefusedError(OSError):
    """The server does not want this message; sending it again would be pointless."""


class Webhook:
    """An http or https address that takes JSON. It may hold a secret, so errors name the host."""

    def __init__(self, url: str) -> None:
        self._url = url

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
        host = urllib.parse.urlsplit(self._url).hostname
        headers = {"Content-Type": "application/json", "User-Agent": "dropscribe"}
        request = urllib.request.Request(self._url, data=notice, headers=headers)
        try:
            trusted = trusted_certificates()
            with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS, context=trusted):
                return
        except urllib.error.HTTPError as error:
            error.close()
            final = 400 <= error.code < 500 and error.code not in _WORTH_ANOTHER_TRY
            problem = f"{host} answered {error.code} {error.reason}"
            raise (RefusedError if final else OSError)(problem) from None
        except (OSError, http.client.HTTPException) as error:
            raise OSError(f"{host}: {getattr(error, 'reason', error)}") from error


def trusted_certificates() -> ssl.SSLContext:
    """The system's authorities and Mozilla's: python.org's Python for macOS comes without any."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context
