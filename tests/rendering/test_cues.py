"""Subtitles keep to the rules of the trade, whatever was said."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.config.settings import Subtitles
from daemon.domain.transcript import Segment, Word, WordSource
from daemon.rendering.cues import Cue, cues
from daemon.rendering.limits import limits
from daemon.rendering.text import columns, graphemes
from tests.kit.sample_transcripts import NAMES, SAMPLES, said, sample_segments, truth
from tests.kit.subtitle_figures import Figures, dropscribe, figures, measured

RULES = limits(Subtitles(), "en")
_ALPHABETS = ["abc de.f, gh", "日本語。です、", "ภาษาไทย่", "שלום، مرحبا.", "👩‍👩‍👧é한국"]
_words = st.lists(
    st.sampled_from(_ALPHABETS).flatmap(lambda letters: st.text(letters, min_size=1, max_size=60)),
    max_size=30,
)


def _cues(*segments: Segment, language: str = "en", **settings: object) -> list[Cue]:
    rules = limits(Subtitles(**settings), language)
    return cues(segments, rules, language)


def _timed(*words: tuple[str, float, float], **fields: str) -> Segment:
    timed = tuple(Word(text, start, end, 0.9, WordSource.ALIGNED) for text, start, end in words)
    text = " ".join(word.word for word in timed)
    return Segment(0, timed[0].start, timed[-1].end, text, -0.1, 0.0, timed, **fields)


@settings(deadline=None)  # the first example loads a segmenter
@given(_words, st.floats(0, 100), st.floats(0, 60), st.booleans(), st.sampled_from(["en", "zh"]))
def test_every_cue_keeps_to_the_hard_rules(
    words: list[str], start: float, length: float, timed: bool, language: str
) -> None:
    segment = said(" ".join(words), start, start + length)
    if not timed:
        segment = Segment(0, segment.start, segment.end, segment.text, -0.1, 0.0)
    rules = limits(Subtitles(), language)
    found = cues([segment], rules, language)
    for cue in found:
        assert 1 <= len(cue.lines) <= rules.lines
        assert all(0 < columns(line) <= rules.columns for line in cue.lines)
        assert cue.start <= cue.end <= cue.start + rules.longest + 0.001
    for before, after in pairwise(found):
        gap = round(after.start - before.end, 3)
        assert gap >= 0
        assert gap == 0 or gap >= round(2 / 24, 3)


@settings(deadline=None)
@given(_words, st.booleans())
def test_nothing_is_lost_and_no_character_is_cut(words: list[str], timed: bool) -> None:
    segment = said(" ".join(words), 0.0, 30.0)
    if not timed:
        segment = Segment(0, 0.0, 30.0, segment.text, -0.1, 0.0)
    lines = [line for cue in _cues(segment) for line in cue.lines]
    assert "".join("".join(lines).split()) == "".join(segment.text.split())
    characters = [cluster for token in segment.text.split() for cluster in graphemes(token)]
    shown = [cluster for line in lines for token in line.split() for cluster in graphemes(token)]
    assert shown == characters


@pytest.fixture(scope="module")
def over_all_samples() -> Figures:
    paths = [SAMPLES / f"{name}.truth.json" for name in NAMES]
    return measured(dropscribe, paths)


def test_the_samples_have_no_orphans_flashes_or_small_gaps(over_all_samples: Figures) -> None:
    found = over_all_samples
    assert found.subtitles > 200
    assert (found.orphans, found.small_gaps, found.too_short, found.too_long) == (0, 0, 0, 0)
    assert found.wide_lines == 0


def test_a_sample_sentence_is_cut_only_where_it_must_be(over_all_samples: Figures) -> None:
    """One sentence has a pause of more than a second in its middle."""
    assert over_all_samples.avoidable_cuts <= 1


def test_almost_everything_can_be_read_in_time(over_all_samples: Figures) -> None:
    assert over_all_samples.too_fast <= 0.015 * over_all_samples.subtitles


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_cue_begins_with_its_first_word(name: str) -> None:
    segments = sample_segments(SAMPLES / f"{name}.truth.json")
    starts = {word.start for segment in segments for word in segment.words}
    language = truth(SAMPLES / f"{name}.truth.json")["language"]
    assert {cue.start for cue in _cues(*segments, language=language)} <= starts


def test_the_figures_see_what_is_wrong() -> None:
    """The measure itself: an old-fashioned writer's faults are counted."""
    segments = [said("one two three four", 0.0, 9.0)]
    shown, _ = dropscribe(segments, "en")
    bad = [shown[0].__class__(0.0, 0.5, "Some words that"), shown[0].__class__(0.54, 8.0, "end.")]
    found = figures(bad, "en", ["x" * 50])
    expected = Figures(2, 1, 1, 0, 1, 1, 1, 1, 1)
    assert found == expected


def test_one_sentence_a_cue() -> None:
    found = _cues(said("We met in Berlin last year. Nobody knew about the plan."))
    assert [cue.lines for cue in found] == [
        ("We met in Berlin last year.",),
        ("Nobody knew about the plan.",),
    ]


def test_sentences_run_across_segments() -> None:
    """Whisper ends a segment after 30 seconds, in mid-sentence."""
    first, second = said("This sentence goes on", 0.0, 1.5), said("in the next one.", 1.5, 3.0)
    assert [cue.lines for cue in _cues(first, second)] == [
        ("This sentence goes on in the next one.",)
    ]


def test_lines_break_before_a_preposition_and_not_after_an_article() -> None:
    (cue,) = _cues(said("The committee will publish the final version of the report."))
    assert cue.lines[1].startswith(("of the", "the final"))
    assert not cue.lines[0].endswith(("the", "of"))


def test_a_pause_ends_a_cue() -> None:
    found = _cues(_timed(("before", 0.0, 0.3), ("after", 2.0, 2.3)))
    assert [cue.lines for cue in found] == [("before",), ("after",)]


def test_no_cue_stays_longer_than_seven_seconds() -> None:
    found = _cues(said("one two three four five six", 0.0, 30.0))
    assert all(cue.end - cue.start <= 7.0 for cue in found)


def test_a_cue_stays_until_it_can_be_read_but_not_long_after_the_speech() -> None:
    fast = said("Extraordinarily complicated circumstances nevertheless.", 0.0, 1.0)
    (cue,) = _cues(fast)
    assert cue.end == pytest.approx(1.0 + 1.5)


def test_a_small_gap_is_closed_to_two_frames() -> None:
    first = _timed(("We", 0.0, 0.5), ("left.", 0.5, 1.5))
    second = _timed(("They", 1.8, 2.3), ("stayed.", 2.3, 3.5))
    before, after = _cues(first, second)
    assert after.start - before.end == pytest.approx(2 / 24, abs=0.001)


def test_two_speakers_share_a_cue_if_neither_has_time_for_one_of_its_own() -> None:
    question = _timed(("Ready?", 0.0, 0.3), speaker="A")
    answer = _timed(("Yes.", 0.3, 0.6), speaker="B")
    (cue,) = _cues(question, answer)
    assert cue.lines == ("- Ready?", "- Yes.")


def test_speakers_with_time_have_cues_of_their_own() -> None:
    question = _timed(("Are", 0.0, 0.5), ("you", 0.5, 1.0), ("ready?", 1.0, 1.5), speaker="A")
    answer = _timed(("Yes.", 1.9, 3.0), speaker="B")
    found = _cues(question, answer)
    assert [cue.lines for cue in found] == [("Are you ready?",), ("Yes.",)]


def _characters(text: str, start: float, seconds: float) -> Segment:
    """Chinese as the aligner gives it: a word a character."""
    words = [
        (char, start + seconds * at, start + seconds * (at + 1)) for at, char in enumerate(text)
    ]
    segment = _timed(*words)
    return Segment(0, segment.start, segment.end, text, -0.1, 0.0, segment.words)


CHINESE = (
    "第三位来自北京的代表今天在会议上说，我们必须马上行动，否则就来不及了。大家都同意这个意见。"
)


def test_chinese_is_timed_by_its_words_and_cut_between_phrases() -> None:
    segment = _characters(CHINESE, 10.0, 0.25)
    found = _cues(segment, language="zh")
    starts = {round(word.start, 3) for word in segment.words}
    assert len(found) > 1
    assert {cue.start for cue in found} <= starts
    assert all(cue.end - cue.start <= 7.0 for cue in found)
    assert found[0].lines[-1].endswith(("，", "。"))
    assert all(columns(line) <= 32 for cue in found for line in cue.lines)


def test_a_silence_in_chinese_is_no_part_of_a_cue() -> None:
    before, after = _characters("我们走吧。", 0.0, 0.3), _characters("你好吗？", 9.5, 0.3)
    words = (*before.words, *after.words)
    segment = Segment(0, 0.0, after.end, before.text + after.text, -0.1, 0.0, words)
    first, second = _cues(segment, language="zh")
    assert (first.lines, second.lines) == (("我们走吧。",), ("你好吗？",))
    assert first.end < 4 < second.start


def test_thai_keeps_its_tone_marks() -> None:
    text = "วันนี้อากาศดีมากและเราไปที่ตลาดเพื่อซื้อข่าวและผลไม้สดจากสวนของคุณยายที่บ้านเกิดในชนบท"
    lines = [line for cue in _cues(said(text, 0.0, 12.0), language="th") for line in cue.lines]
    assert len(lines) > 1
    assert not any("\u0e31" <= line[0] <= "\u0e4e" and line[0] not in "าำเแโใไๅๆ" for line in lines)


def test_every_limit_can_be_set() -> None:
    text = "We need to review the final report before Friday and send the letter by Monday."
    narrow = _cues(said(text), line_characters=20, lines=1)
    assert all(len(cue.lines) == 1 and len(cue.lines[0]) <= 20 for cue in narrow)
    brief = _cues(said(text, 0.0, 10.0), max_seconds=2.0)
    assert all(cue.end - cue.start <= 2.0 for cue in brief)
    frames = _cues(said(text, 0.0, 10.0), max_seconds=2.0, gap_frames=5, frame_rate=25.0)
    gaps = {round(after.start - before.end, 3) for before, after in pairwise(frames)}
    assert min(gaps) >= 0.2


def test_a_recording_without_speech_has_no_cues() -> None:
    assert _cues() == []
    assert _cues(Segment(0, 0.0, 1.0, "", 0.0, 0.0)) == []
