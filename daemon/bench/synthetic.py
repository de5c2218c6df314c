"""The synthetic pair and its recordings: what the pipeline is measured with, beside the peers.

They lie in the tests of a checkout, not in the package.
"""

from __future__ import annotations

from pathlib import Path

from daemon.errors import DropscribeError

_TESTS = Path(__file__).parents[2] / "tests"
WHISPER = _TESTS / "models" / "whisper-demo"
ALIGNER = _TESTS / "models" / "align-demo"
MEETING = _TESTS / "audio" / "meeting-60s.mp3"
MEMO = _TESTS / "audio" / "memo-10s.wav"


def require() -> None:
    """Raises DropscribeError where this is not a checkout."""
    if not WHISPER.is_dir():
        raise DropscribeError(
            "this part of the benchmark needs the models of dropscribe's tests:"
            " run it in a checkout of the repository"
        )
