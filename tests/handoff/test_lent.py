"""What comes back from another machine: it lacked an aligner, or had one that did not fit."""

from __future__ import annotations

from typing import cast

import pytest

from daemon.domain.ladder import Aligned, climb
from daemon.domain.transcript import Recognition, Segment, Word, WordSource
from daemon.handoff.artefacts import Prepared
from daemon.handoff.lent import LentReport, LentResults

OWN = (Word("hello", 0.0, 1.0, 0.9, WordSource.ASR),)
UNFIT = Aligned((Word("hello", 0.0, 1.0, 0.1, WordSource.ALIGNED),))


@pytest.mark.parametrize(("without", "expected"), [("there is no model", True), ("", False)])
def test_an_aligner_that_did_not_hear_the_words_was_there_all_the_same(
    without: str, expected: bool
) -> None:
    segment = Segment(0, 0.0, 1.0, "hello", -0.1, 0.0, OWN)
    alignment = climb([segment], {} if without else {0: UNFIT}, "a model", without)
    assert alignment.words[0] == OWN
    found = LentResults(
        cast(LentReport, None),
        cast(Prepared, None),
        cast(Recognition, None),
        alignment,
        None,
    )
    assert found.lacked_aligner is expected
