"""What a person reads when a model cannot be fetched."""

from __future__ import annotations

from pathlib import Path

import huggingface_hub.constants
import pytest

from daemon.commands import download
from daemon.errors import DropscribeError
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
