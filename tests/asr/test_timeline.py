"""daemon.asr.utterances, .quality, .language and .timeline: from tokens to segments."""

from __future__ import annotations

import pytest

from daemon.asr.chunks import Chunk
from daemon.asr.language import Language, choose_language
from daemon.asr.quality import Decoded, better, compression_ratio
from daemon.asr.recognizer import RecognitionOptions
from daemon.asr.timeline import Timeline
from daemon.asr.utterances import Reading, Utterance, read_utterances
from daemon.domain.transcript import Segment
from daemon.errors import UsageError

T0 = 1000  # the token <|0.00|> of the tests' small vocabulary; texts are tokens below


class Letters:
    """A vocabulary of one letter a token."""

    timestamp_begin = T0

    def decode(self, tokens: list[int]) -> str:
        return "".join(chr(token) for token in tokens)


def _ts(seconds: float) -> int:
    return T0 + round(seconds * 50)


@pytest.mark.parametrize(
    ("tokens", "reading"),
    [
        pytest.param([], Reading((), 9.0), id="nothing"),
        pytest.param([65], Reading((Utterance(0.0, 9.0, (65,)),), 9.0), id="no timestamps"),
        pytest.param([_ts(1), 65], Reading((Utterance(1.0, 9.0, (65,)),), 9.0), id="a start only"),
        pytest.param(
            [_ts(1), 65, _ts(4)], Reading((Utterance(1.0, 4.0, (65,)),), 9.0), id="one utterance"
        ),
        pytest.param(
            [_ts(1), 65, _ts(4), _ts(5), 66, _ts(6)],
            Reading((Utterance(1.0, 4.0, (65,)), Utterance(5.0, 6.0, (66,))), 6.0),
            id="two utterances",
        ),
        pytest.param(
            [_ts(1), 65, _ts(4), _ts(4), 66],
            Reading((Utterance(1.0, 4.0, (65,)),), 4.0),
            id="the second one unfinished",
        ),
    ],
)
def test_tokens_are_cut_where_two_timestamps_meet(tokens: list[int], reading: Reading) -> None:
    assert read_utterances(tokens, T0, 9.0) == reading


def _decoded(*tokens: int, logprob: float = -0.1, no_speech: float = 0.0) -> Decoded:
    return Decoded(tokens, "", logprob, no_speech)


def test_segments_are_reported_in_order_of_time_whatever_finishes_first() -> None:
    heard: list[Segment] = []
    first, second = Chunk(0, 20, ((0, 20),)), Chunk(20, 40, ((20, 40),))
    timeline = Timeline([first, second], Letters(), heard.append)
    assert timeline.add(second, _decoded(_ts(0), 66, _ts(20))) is None
    assert heard == []
    assert not timeline.complete
    assert timeline.add(first, _decoded(_ts(0.5), 65, _ts(20))) is None
    assert [(each.id, each.start, each.end, each.text) for each in heard] == [
        (0, 0.5, 20.0, "A"),
        (1, 20.0, 40.0, "B"),
    ]
    assert timeline.complete


def test_speech_that_the_model_left_is_decoded_again_before_the_next_chunk_is_reported() -> None:
    heard: list[Segment] = []
    first, second = Chunk(0, 20, ((0, 20),)), Chunk(20, 40, ((20, 40),))
    timeline = Timeline([first, second], Letters(), heard.append)
    rest = timeline.add(first, _decoded(_ts(0), 65, _ts(8), _ts(8), 67))
    assert rest == Chunk(8, 20, ((8, 20),))
    timeline.add(second, _decoded(_ts(0), 66, _ts(20)))
    assert [each.text for each in heard] == ["A"]
    timeline.add(rest, _decoded(_ts(0), 67, _ts(12)))
    assert [(each.text, each.start) for each in heard] == [("A", 0), ("C", 8), ("B", 20)]


def test_a_chunk_that_does_not_advance_is_not_decoded_for_ever() -> None:
    chunk = Chunk(0, 20, ((0, 20),))
    timeline = Timeline([chunk], Letters(), lambda _: None)
    assert timeline.add(chunk, _decoded(_ts(0), 65, _ts(0.5), _ts(0.5))) is None
    assert timeline.complete


def test_times_stay_inside_the_chunk_and_segments_have_a_length() -> None:
    heard: list[Segment] = []
    chunk = Chunk(10, 12, ((10, 12),))
    Timeline([chunk], Letters(), heard.append).add(chunk, _decoded(_ts(2.5), 65, _ts(29)))
    assert [(each.start, each.end) for each in heard] == [(11.98, 12)]


def test_silence_has_no_text() -> None:
    heard: list[Segment] = []
    chunk = Chunk(0, 5, ((0, 5),))
    timeline = Timeline([chunk], Letters(), heard.append)
    timeline.add(chunk, _decoded(_ts(0), 65, _ts(5), logprob=-1.5, no_speech=0.9))
    assert (heard, timeline.complete) == ([], True)


def test_going_round_in_circles_is_bad_and_so_is_guessing() -> None:
    circles = Decoded((), "and then " * 30, -0.2, 0.0)
    guess = Decoded((), "Hello Anna, this is Ben.", -1.4, 0.1)
    assert compression_ratio(circles.text) > 2.4
    assert not circles.good
    assert not guess.good
    assert Decoded((), guess.text, -0.4, 0.1).good
    assert Decoded((), guess.text, -1.4, 0.9).good, "silence need not be tried again"
    assert better(circles, guess) is guess
    assert better(None, circles) is circles


def test_detection_is_limited_to_the_languages_allowed() -> None:
    heard = {"en": 0.6, "de": 0.3, "fr": 0.1}
    assert choose_language(RecognitionOptions(), list(heard), lambda: heard) == Language("en", 0.6)
    limited = RecognitionOptions(languages=("fr", "de"))
    assert choose_language(limited, list(heard), lambda: heard) == Language("de", 0.75)
    assert choose_language(limited, list(heard), None) == Language("fr", 0.0)
    assert choose_language(RecognitionOptions(), ["en"], None) == Language("en", 1.0)
    with pytest.raises(UsageError, match="'nl'"):
        choose_language(RecognitionOptions(languages=("nl",)), list(heard), lambda: heard)
