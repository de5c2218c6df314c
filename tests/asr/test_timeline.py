"""daemon.asr.utterances, .quality, .language and .timeline: from tokens to segments."""

from __future__ import annotations

import numpy as np
import pytest

from daemon.asr.chunks import Chunk
from daemon.asr.language import FileLanguages, Language
from daemon.asr.quality import Decoded, better, circling, compression_ratio, loops
from daemon.asr.recognizer import RecognitionOptions
from daemon.asr.timeline import Timeline
from daemon.asr.utterances import Reading, Utterance, read_utterances
from daemon.audio import Span
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
        pytest.param([_ts(0), _ts(9)], Reading((), 9.0), id="only timestamps"),
        pytest.param(
            [65], Reading((Utterance(0.0, 9.0, (65,)),), 9.0, unfinished=True), id="no timestamps"
        ),
        pytest.param(
            [_ts(1), 65],
            Reading((Utterance(1.0, 9.0, (65,)),), 9.0, unfinished=True),
            id="a start only",
        ),
        pytest.param(
            [_ts(1), 65, _ts(4)], Reading((Utterance(1.0, 4.0, (65,)),), 4.0), id="one utterance"
        ),
        pytest.param(
            [_ts(1), 65, _ts(4), _ts(5), 66, _ts(6)],
            Reading((Utterance(1.0, 4.0, (65,)), Utterance(5.0, 6.0, (66,))), 6.0),
            id="two utterances",
        ),
        pytest.param(
            [_ts(1), 65, _ts(4), _ts(4)],
            Reading((Utterance(1.0, 4.0, (65,)),), 4.0),
            id="a second one begun",
        ),
        pytest.param(
            [_ts(1), 65, _ts(4), _ts(4), 66],
            Reading((Utterance(1.0, 4.0, (65,)), Utterance(4.0, 9.0, (66,))), 9.0, unfinished=True),
            id="the second one unfinished",
        ),
    ],
)
def test_tokens_are_cut_where_two_timestamps_meet(tokens: list[int], reading: Reading) -> None:
    assert read_utterances(tokens, T0, 9.0) == reading


_SENTENCE = "It was my reports from the north which chiefly induced people to buy."


def _text(first: str, seconds: float) -> list[int]:
    """As many words as fit into that time, all different; the first letter tells texts apart."""
    words = (f"{first}{number * number}b" for number in range(round(seconds * 2)))
    return [ord(letter) for letter in " ".join(words)]


class Listening:
    """A timeline over a recording of 60 s, and what it reports."""

    def __init__(self, *chunks: Chunk) -> None:
        self.heard: list[Segment] = []
        self.timeline = Timeline(np.zeros(60 * 16_000, np.float32), chunks, Letters(), self._on)

    def _on(self, segment: Segment) -> None:
        self.heard.append(segment)

    def add(
        self, chunk: Chunk, *tokens: int, logprob: float = -0.1, no_speech: float = 0.0
    ) -> list[Chunk]:
        decoded = self.timeline.decoded(chunk, tokens, logprob, no_speech)
        return self.timeline.add(chunk, decoded)

    @property
    def report(self) -> list[tuple[str, float, float]]:
        return [(segment.text[0], segment.start, segment.end) for segment in self.heard]


def test_segments_are_reported_in_order_of_time_whatever_finishes_first() -> None:
    first, second = Chunk(0, 20, ((0, 20),)), Chunk(20, 40, ((20, 40),))
    listening = Listening(first, second)
    assert listening.add(second, _ts(0), *_text("B", 20), _ts(20)) == []
    assert listening.report == []
    assert not listening.timeline.complete
    assert listening.add(first, _ts(0.5), *_text("A", 20), _ts(20)) == []
    assert listening.report == [("A", 0.5, 20.0), ("B", 20.0, 40.0)]
    assert [segment.id for segment in listening.heard] == [0, 1]
    assert listening.timeline.complete


def test_speech_after_the_only_utterance_is_decoded_before_the_next_chunk_is_reported() -> None:
    first, second = Chunk(0, 20, ((0, 8), (9, 20))), Chunk(20, 40, ((20, 40),))
    listening = Listening(first, second)
    (rest,) = listening.add(first, _ts(0), *_text("A", 8), _ts(8))
    assert (rest.start, rest.end, rest.speech) == (8.7, 20, ((9, 20),))
    assert rest.context[-1] == ord("b"), "what was said before"
    listening.add(second, _ts(0), *_text("B", 20), _ts(20))
    assert listening.report == [("A", 0, 8)]
    listening.add(rest, _ts(0.3), *_text("C", 11), _ts(11.3))
    assert listening.report == [("A", 0, 8), ("C", 9, 20), ("B", 20, 40)]


def test_what_broke_off_amid_speech_is_decoded_again_from_its_beginning() -> None:
    chunk = Chunk(0, 20, ((0, 20),))
    listening = Listening(chunk)
    text = [_ts(0), *_text("A", 6), _ts(6), _ts(6), *_text("B", 5), _ts(11)]
    (rest,) = listening.add(chunk, *text)
    assert (rest.start, rest.end) == (6, 20)
    listening.add(rest, _ts(0), *_text("C", 14), _ts(14))
    assert listening.report == [("A", 0, 6), ("C", 6, 20)]


def test_where_decoding_again_is_in_vain_the_first_reading_counts() -> None:
    chunk = Chunk(0, 20, ((0, 20),))
    listening = Listening(chunk)
    text = [_ts(0), *_text("A", 6), _ts(6), _ts(6), *_text("B", 12), _ts(18)]
    (rest,) = listening.add(chunk, *text)
    silent = listening.add(rest, _ts(0), ord("C"), _ts(14), logprob=-2.0, no_speech=0.9)
    assert silent == []
    assert listening.report == [("A", 0, 6), ("B", 6, 18)]


def test_speech_after_a_pause_in_which_whisper_stopped_listening_is_decoded_again() -> None:
    chunk = Chunk(0, 12, ((0, 4.2), (5.4, 9.6)))
    listening = Listening(chunk)
    (rest,) = listening.add(chunk, _ts(0), *map(ord, _SENTENCE), _ts(10))
    assert (rest.end, rest.speech) == (12, ((5.4, 9.6),))
    assert not listening.add(rest, _ts(0), *map(ord, _SENTENCE), _ts(5))
    assert listening.report == [("I", 0, 4.2), ("I", 5.4, 9.6)]


def test_what_a_slow_speaker_said_after_a_pause_is_not_written_twice() -> None:
    chunk = Chunk(0, 12, ((0, 4.2), (5.4, 8)))
    listening = Listening(chunk)
    (rest,) = listening.add(chunk, _ts(0), *map(ord, _SENTENCE), _ts(10))
    assert not listening.add(rest, _ts(0), *map(ord, "people to buy"), _ts(3))
    assert listening.report == [("I", 0, 4.2)]


def test_what_was_said_three_times_is_written_three_times() -> None:
    chunk = Chunk(0, 16, ((0, 8), (9.2, 13.2)))
    listening = Listening(chunk)
    (rest,) = listening.add(chunk, _ts(0), *map(ord, f"{_SENTENCE} {_SENTENCE}"), _ts(14))
    assert not listening.add(rest, _ts(0), *map(ord, _SENTENCE), _ts(4.2))
    assert listening.report == [("I", 0, 8), ("I", 9.2, 13.1)]


def test_a_sentence_that_needs_the_time_after_its_pause_is_left_alone() -> None:
    chunk = Chunk(0, 12, ((0, 2), (3.2, 5.6)))
    listening = Listening(chunk)
    assert not listening.add(chunk, _ts(0), *map(ord, _SENTENCE), _ts(6))
    assert listening.report == [("I", 0, 5.6)]


def test_a_last_utterance_without_an_end_lasts_until_the_end_of_the_chunk() -> None:
    chunk = Chunk(0, 20, ((0, 20),))
    listening = Listening(chunk)
    assert listening.add(chunk, _ts(0), *_text("A", 8), _ts(8), _ts(8), *_text("B", 12)) == []
    assert listening.report == [("A", 0, 8), ("B", 8, 20)]


def test_one_that_stops_after_a_word_is_decoded_again() -> None:
    chunk = Chunk(0, 20, ((0, 20),))
    listening = Listening(chunk)
    (rest,) = listening.add(chunk, _ts(0), *_text("A", 8), _ts(8), _ts(8), ord("B"))
    assert (rest.start, rest.end) == (8, 20)


def test_a_rest_whose_only_sentence_has_no_end_is_decoded_in_halves() -> None:
    chunk = Chunk(0, 20, ((0, 9), (9.5, 20)))
    listening = Listening(chunk)
    sentence = [
        ord(letter) for letter in "The narrative would be tedious to him and painful to myself."
    ]
    first, second = listening.add(chunk, _ts(0), *sentence)
    assert (first.speech, second.speech) == (((0, 9),), ((9.5, 20),))
    assert not listening.add(first, _ts(0), *sentence, _ts(9)), "one with an end is believed"


def test_a_fragment_that_only_repeats_what_was_said_is_left_out() -> None:
    chunk = Chunk(0, 20, ((0, 20),))
    listening = Listening(chunk)
    text = _text("A", 18)
    (rest,) = listening.add(chunk, _ts(0), *text, _ts(18))
    assert listening.add(rest, _ts(0), *text[-3:], _ts(2)) == []
    assert listening.report == [("A", 0, 18)]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("path " * 12, id="one word again and again"),
        pytest.param("A", id="one letter for 20 s of speech"),
    ],
)
def test_a_chunk_that_came_out_badly_is_decoded_in_halves_cut_in_a_pause(text: str) -> None:
    chunk = Chunk(0, 20, ((0, 4), (4.4, 9), (10.6, 20)))
    listening = Listening(chunk)
    first, second = listening.add(chunk, _ts(0), *map(ord, text), _ts(20))
    assert (first.start, first.end, first.speech) == (0, 9.3, ((0, 4), (4.4, 9)))
    assert (round(second.start, 3), second.end, second.speech) == (10.3, 20, ((10.6, 20),))
    listening.add(second, _ts(0), *_text("C", 9), _ts(9.5))
    assert listening.report == []
    listening.add(first, _ts(0), *_text("B", 9), _ts(9))
    assert listening.report == [("B", 0, 9), ("C", 10.6, 19.8)]


_SIX = tuple((5.0 * number, 5.0 * number + 4.2) for number in range(6))


def _six_times(*ends: float) -> list[int]:
    """The sentence six times; the times at which one ends and the next begins."""
    tokens = [_ts(0)]
    for end in ends:
        tokens += [*map(ord, _SENTENCE), _ts(end), _ts(end)]
    return tokens


def test_what_was_said_six_times_with_pauses_is_believed() -> None:
    chunk = Chunk(0, 29.5, _SIX)
    listening = Listening(chunk)
    assert listening.add(chunk, *_six_times(4.6, 9.6, 14.6, 19.6, 24.6, 29.4)) == []
    assert [round(segment.start) for segment in listening.heard] == [0, 5, 10, 15, 20, 25]


@pytest.mark.parametrize(
    ("speech", "ends"),
    [
        pytest.param(((0, 29.5),), (4.6, 9.6, 14.6, 19.6, 24.6, 29.4), id="without a pause"),
        pytest.param(_SIX, (2.5, 7.3, 12.2, 17.2, 22.4, 29.4), id="cut amid speech"),
        pytest.param(_SIX[:2], (4.6, 9.6, 14.6, 19.6, 24.6, 29.4), id="where nobody speaks"),
        pytest.param(_SIX, (0.4, 0.8, 1.2, 1.6, 2.0, 29.4), id="faster than anybody speaks"),
    ],
)
def test_a_loop_with_times_is_a_loop(speech: tuple[Span, ...], ends: tuple[float, ...]) -> None:
    chunk = Chunk(0, 29.5, speech)
    assert len(Listening(chunk).add(chunk, *_six_times(*ends))) == 2


def test_a_chunk_too_short_for_halves_is_taken_as_it_is() -> None:
    chunk = Chunk(0, 5, ((0, 5),))
    listening = Listening(chunk)
    assert listening.add(chunk, _ts(0), *map(ord, "no no no no no no"), _ts(5)) == []
    assert listening.report == [("n", 0, 5)]


def test_a_chunk_that_does_not_advance_is_not_decoded_for_ever() -> None:
    chunk = Chunk(0, 5, ((0, 5),))
    listening = Listening(chunk)
    assert listening.add(chunk, _ts(0), ord("A"), _ts(0.5), _ts(0.5)) == []
    assert listening.timeline.complete


def test_a_segment_ends_with_the_speech_in_it() -> None:
    chunk = Chunk(10, 30, ((10.5, 15), (15.5, 18)))
    listening = Listening(chunk)
    listening.add(chunk, _ts(0), *_text("A", 7), _ts(20))
    assert listening.report == [("A", 10.5, 18)]


def test_what_nobody_can_have_said_is_left_out() -> None:
    chunk = Chunk(0, 8, ((0, 8),))
    listening = Listening(chunk)
    text = [_ts(0), *_text("A", 8), _ts(7.96), _ts(7.96), *_text("B", 8), _ts(8)]
    assert listening.add(chunk, *text) == []
    assert listening.report == [("A", 0, 7.96)]
    (doubt,) = listening.timeline.left_out
    assert (doubt.start, doubt.end) == (7.96, 8)
    assert "cannot be said in 0.04 s" in doubt.reason


def test_dots_and_notes_are_no_text() -> None:
    chunk = Chunk(0, 8, ((0, 8),))
    listening = Listening(chunk)
    dots = [ord(letter) for letter in "... ... ♪" if ord(letter) < T0]
    listening.add(chunk, _ts(0), *dots, _ts(4), _ts(4), *_text("B", 4), _ts(8))
    assert listening.report == [("B", 4, 8)]


def test_silence_has_no_text() -> None:
    chunk = Chunk(0, 5, ((0, 5),))
    listening = Listening(chunk)
    listening.add(chunk, _ts(0), 65, _ts(5), logprob=-1.5, no_speech=0.9)
    assert (listening.heard, listening.timeline.complete) == ([], True)


def test_a_doubtful_word_for_seconds_of_sound_is_no_text_and_what_follows_is_decoded() -> None:
    chunk = Chunk(0, 6, ((0, 6),))
    listening = Listening(chunk)
    you = [ord(letter) for letter in "you"]
    (rest,) = listening.add(chunk, _ts(0), *you, _ts(2), logprob=-0.7, no_speech=0.9)
    assert rest.start == 2
    assert listening.add(rest, _ts(0), *_text("B", 4), _ts(4)) == []
    assert listening.report == [("B", 2, 6)]


def test_a_guess_where_there_was_hardly_speech_is_no_text() -> None:
    chunk = Chunk(0, 6, ((0, 6),))
    listening = Listening(chunk)
    assert listening.add(chunk, _ts(0), *_text("A", 6), _ts(6), logprob=-0.9, no_speech=0.7) == []
    assert (listening.heard, listening.timeline.complete) == ([], True)


def test_a_wild_guess_at_a_moment_of_sound_is_no_text() -> None:
    chunk = Chunk(0, 6, ((2, 4),))
    listening = Listening(chunk)
    assert listening.add(chunk, _ts(2), *_text("A", 2), _ts(4), logprob=-0.95) == []
    assert (listening.heard, listening.timeline.complete) == ([], True)


@pytest.mark.parametrize(("seconds", "no_speech"), [(0.5, 0.9), (2, 0.1)])
def test_a_short_word_and_a_sure_one_are_text(seconds: float, no_speech: float) -> None:
    chunk = Chunk(0, seconds, ((0, seconds),))
    listening = Listening(chunk)
    you = [ord(letter) for letter in "you"]
    listening.add(chunk, _ts(0), *you, _ts(seconds), logprob=-0.7, no_speech=no_speech)
    assert listening.report == [("y", 0, seconds)]


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


@pytest.mark.parametrize(
    ("text", "looping"),
    [
        ("It is on the path path path path path path to the house.", True),
        ("We said that we would go, that we would go, that we would go, that we would go.", True),
        ("one two one two one two one two", True),
        ("哈哈哈哈哈哈哈哈", True),
        ("No, no, no! That is very, very good.", False),
        ("Ask not what your country can do for you, ask what you can do for your country.", False),
        ("真っ昼間なのにキャンプの外れの電柱に電球がともっていた", False),
    ],
)
def test_the_same_words_several_times_in_a_row_are_a_loop(text: str, looping: bool) -> None:
    assert loops(text) is looping


def test_an_unfinished_loop_is_seen_by_its_tokens() -> None:
    beginning = list(range(30))
    assert circling([*beginning, *[7] * 25])
    assert circling([*beginning, *[1, 2, 3, 4, 5, 6, 7] * 5])
    assert not circling(beginning)
    assert not circling([*beginning, *[1, 2, 3] * 4]), "a sentence may say so"
    assert not circling([*[7] * 40, *beginning])


def test_too_few_words_for_the_speech_are_bad_in_every_script() -> None:
    assert not Decoded((), "one, two, three", -0.3, 0.0, speech=20).good
    assert not Decoded((), "今日は", -0.3, 0.0, speech=20).good
    assert Decoded((), "927 2836 5", -0.3, 0.0, speech=7).good, "each digit is a word"
    assert Decoded((), "真っ昼間なのにキャンプの外れの", -0.3, 0.0, speech=6).good
    few = Decoded((), "one", -0.2, 0.0, speech=20)
    many = Decoded(
        (),
        "one, two, three, and what comes after them in the list, to the end " * 2,
        -0.6,
        0.0,
        speech=20,
    )
    assert better(few, many) is many


class Hearing:
    """The languages of one file, and what was reported of them."""

    def __init__(self, options: RecognitionOptions, *known: str) -> None:
        self.reported: list[str] = []
        self.languages = FileLanguages(options, known or ("en", "de", "fr"), self.reported.append)

    def of(self, start: float, **probabilities: float) -> str:
        """The language of a chunk of 10 s in which those probabilities are heard."""
        chunk = Chunk(start, start + 10, ((start, start + 10),))
        return self.languages.of(chunk, lambda: probabilities)


def test_the_first_speech_tells_the_language_of_the_file() -> None:
    hearing = Hearing(RecognitionOptions())
    assert hearing.of(0, en=0.7, de=0.2, fr=0.1) == "en"
    assert hearing.languages.file == Language("en", 0.7)
    assert hearing.of(10, en=0.3, de=0.6, fr=0.1) == "en", "it is not sure enough"
    assert hearing.of(20, en=0.02, de=0.95, fr=0.03) == "de"
    assert hearing.of(30, en=0.9, de=0.1) == "en"
    assert hearing.reported == ["en"]


def test_a_guess_about_the_file_gives_way_sooner() -> None:
    hearing = Hearing(RecognitionOptions())
    assert hearing.of(0, en=0.4, de=0.3, fr=0.3) == "en"
    assert hearing.of(10, en=0.3, de=0.65, fr=0.05) == "de"


def test_detection_is_limited_to_the_languages_allowed() -> None:
    hearing = Hearing(RecognitionOptions(languages=("fr", "de")))
    assert hearing.of(0, en=0.6, de=0.3, fr=0.1) == "de"
    assert hearing.languages.file == Language("de", 0.75)


def test_a_given_or_an_only_language_is_not_doubted() -> None:
    given = Hearing(RecognitionOptions(language="fr"))
    assert given.of(0, en=1.0) == "fr"
    assert given.languages.file == Language("fr", 1.0)
    assert Hearing(RecognitionOptions(), "en").of(0, de=1.0) == "en"


def test_without_speech_the_language_is_the_first_allowed() -> None:
    assert Hearing(RecognitionOptions()).languages.file == Language("en", 0.0)
    assert Hearing(RecognitionOptions(languages=("fr", "de"))).languages.file.code == "fr"


def test_a_language_that_the_model_does_not_know_is_refused() -> None:
    with pytest.raises(UsageError, match="'nl'"):
        Hearing(RecognitionOptions(languages=("nl",)))
