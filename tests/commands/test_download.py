"""What a person reads when a model cannot be fetched."""

from __future__ import annotations

import hashlib
import http.server
import os
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import huggingface_hub.constants
import pytest

from daemon.commands import download
from daemon.errors import DropscribeError
from daemon.models import checksums, registry
from daemon.models.registry import Source
from tests.kit.tls_server import untrusted_server


def test_a_certificate_that_is_not_trusted_has_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with untrusted_server(tmp_path) as address:
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", address)
        with pytest.raises(DropscribeError, match="REQUESTS_CA_BUNDLE") as raised:
            download.download("small", Source("somebody/a-model"))
    assert "certificate is not trusted" in str(raised.value)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ConnectionRefusedError("refused"), "the network cannot be reached"),
        (OSError("Failed to resolve 'huggingface.co'"), "the network cannot be reached"),
        (ValueError("first line\nsecond line"), "first line"),
        (ValueError(), "ValueError"),
    ],
)
def test_other_faults_are_one_line(error: Exception, reason: str) -> None:
    assert download._reason(error) == reason


CONTENT = os.urandom(100_000)
_ALIGNER = Source("WAV2VEC2_ASR_BASE_960H")


@dataclass
class Mirror:
    """Serves CONTENT with ranges; `faults` happen first: "cut", or an HTTP status."""

    faults: list[str] = field(default_factory=list)
    ranges: list[str | None] = field(default_factory=list)


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    script = Mirror()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            fault = script.faults.pop(0) if script.faults else ""
            wanted = self.headers.get("Range")
            script.ranges.append(wanted)
            begin = int(found[1]) if (found := re.match(r"bytes=(\d+)-", wanted or "")) else 0
            body = b"" if fault.isdigit() else CONTENT[begin:]
            code = 206 if wanted else 200
            self.send_response(int(fault) if fault.isdigit() else code if body else 416)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Range", f"bytes {begin}-{len(CONTENT)}/{len(CONTENT)}")
            self.end_headers()
            self.wfile.write(body[:1000] if fault else body)

        def log_message(self, *_: object) -> None:
            pass

    name = registry.TORCHAUDIO[_ALIGNER.repository]
    monkeypatch.setattr(checksums, "TORCHAUDIO", {name: hashlib.sha256(CONTENT).hexdigest()})
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as listener:
        address = f"http://127.0.0.1:{listener.server_port}/"
        monkeypatch.setattr(download, "_TORCHAUDIO", address)
        thread = threading.Thread(target=listener.serve_forever, args=(0.01,))
        thread.start()
        yield script
        listener.shutdown()
        thread.join()


def _part() -> Path:
    """What an interrupted download has left."""
    path = registry.torchaudio_file(_ALIGNER.repository, os.environ)
    assert path is not None
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.with_name(f"{path.name}.part")


def test_a_download_that_was_interrupted_goes_on_where_it_was(mirror: Mirror) -> None:
    _part().write_bytes(CONTENT[:60_000])
    assert Path(download.download("en", _ALIGNER)).read_bytes() == CONTENT
    assert mirror.ranges == ["bytes=60000-"]
    assert not _part().exists()


@pytest.mark.parametrize("begun", [CONTENT, CONTENT + b"more"])
def test_a_part_with_nothing_after_it_is_fetched_anew(mirror: Mirror, begun: bytes) -> None:
    _part().write_bytes(begun)
    assert Path(download.download("en", _ALIGNER)).read_bytes() == CONTENT
    assert mirror.ranges[-1] is None


def test_a_part_that_is_damaged_is_thrown_away(mirror: Mirror) -> None:
    _part().write_bytes(b"x" * 60_000)
    with pytest.raises(DropscribeError, match="not the published file, and was thrown away"):
        download.download("en", _ALIGNER)
    assert Path(download.download("en", _ALIGNER)).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("fault", "said"),
    [("cut", "en: the connection broke off. Try"), ("404", "en: the server answered 404. Try")],
)
def test_a_server_that_fails_is_named_in_plain_words(mirror: Mirror, fault: str, said: str) -> None:
    mirror.faults.append(fault)
    with pytest.raises(DropscribeError, match=said):
        download.download("en", _ALIGNER)
    assert Path(download.download("en", _ALIGNER)).read_bytes() == CONTENT
