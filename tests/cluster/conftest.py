from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.lenders import Lenders


@pytest.fixture
def lenders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lenders]:
    """Machines that lend themselves; whatever still runs of them at the end is ended."""
    lenders = Lenders(tmp_path, monkeypatch)
    yield lenders
    for host in tmp_path.iterdir():
        lenders.kill(host.name)
