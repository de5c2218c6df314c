"""Openai/whisper's timestamp rules, on transcripts made by hand."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest
from numpy.typing import NDArray

from daemon.asr.checkpoint import read_checkpoint
from daemon.asr.mlx_backend.token_rules import FIRST_TIMESTAMP, Sampled, Scores, TokenRules
from daemon.asr.vocabulary import Vocabulary
from tests.kit.recognition import DEMO

VOCABULARY = Vocabulary(read_checkpoint(DEMO).dimensions)
T0 = VOCABULARY.timestamp_begin
TEXT = 400  # any token of text
END = T0 + 1500  # <|30.00|>

Logits = NDArray[np.float32]


def openai_rules(logits: Logits, sampled: list[int]) -> Logits:
    """SuppressTokens and ApplyTimestampRules of openai/whisper's decoding.py, for one row.


    Written after that file (MIT licence), statement by statement, with numpy for torch.
    """
    logits = logits.copy()
    logits[list(VOCABULARY.never)] = -np.inf
    last_was_timestamp = len(sampled) >= 1 and sampled[-1] >= T0
    penultimate_was_timestamp = len(sampled) < 2 or sampled[-2] >= T0
    if last_was_timestamp:
        if penultimate_was_timestamp:
            logits[T0:] = -np.inf
        else:
            logits[: VOCABULARY.eot] = -np.inf
    timestamps = [token for token in sampled if token >= T0]
    if timestamps:
        if last_was_timestamp and not penultimate_was_timestamp:
            timestamp_last = timestamps[-1]
        else:
            timestamp_last = timestamps[-1] + 1
        logits[T0:timestamp_last] = -np.inf
    if not sampled:
        logits[:T0] = -np.inf
        logits[T0 + FIRST_TIMESTAMP + 1 :] = -np.inf
    if _logsumexp(logits[T0:]) > logits[:T0].max():
        logits[:T0] = -np.inf
    return logits


def _logsumexp(values: Logits) -> float:
    top = float(values.max())
    return top if top == -np.inf else top + float(np.log(np.exp(values - top).sum()))


def openai_rules_without_timestamps(logits: Logits, sampled: list[int]) -> Logits:
    """SuppressBlank and SuppressTokens: without timestamps ApplyTimestampRules is left out.

    There is no timestamp after the prompt's <|notimestamps|> in what the model was trained with;
    ours rules them out.
    """
    logits = logits.copy()
    logits[list(VOCABULARY.never)] = -np.inf
    logits[T0:] = -np.inf
    if not sampled:
        logits[list(VOCABULARY.blank)] = -np.inf
    return logits


RULES = TokenRules(VOCABULARY)


def ours(logits: Logits, sampled: list[int], *, plain: bool = False) -> Scores:
    rules, state = RULES, _state(sampled)
    row = mx.array(logits)[None]
    return rules.next(row, state) if sampled else rules.first(row, [plain])


def _state(sampled: list[int]) -> Sampled:
    state = RULES.start(1)
    for token in sampled:
        state = RULES.after(state, mx.array([token], dtype=mx.int32))
    return state


def _whole(scores: Scores) -> Logits:
    text = mx.where(scores.stamps_win[:, None], -mx.inf, scores.text)
    return np.array(mx.concatenate([text, scores.stamps], axis=-1))[0]


TRANSCRIPTS = {
    "nothing yet": [],
    "a first timestamp": [T0 + 10],
    "the very first timestamp": [T0],
    "text": [T0 + 10, TEXT],
    "a segment's end": [T0 + 10, TEXT, T0 + 90],
    "the next one's start": [T0 + 10, TEXT, T0 + 90, T0 + 90],
    "the next one's start, later": [T0 + 10, TEXT, T0 + 90, T0 + 140],
    # mlx_whisper allows times to run backwards in these, and segments without a length:
    "text after a late start": [T0 + 500, TEXT],
    "text in a second segment": [T0 + 10, TEXT, T0 + 90, T0 + 140, TEXT],
    "text after zero": [T0, TEXT, TEXT],
    "a segment's end at the window's end": [T0 + 10, TEXT, END],
    "a start at the window's end": [T0 + 10, TEXT, END, END],
    "text after the window's end": [T0 + 10, TEXT, END, END, TEXT],
}

LOGITS = {
    "text wins": lambda noise: noise + np.eye(1, noise.size, TEXT, dtype=np.float32)[0] * 30,
    "timestamps win together": lambda noise: noise + (np.arange(noise.size) >= T0) * np.float32(2),
    "the end wins": lambda noise: (
        noise + np.eye(1, noise.size, VOCABULARY.eot, dtype=np.float32)[0] * 30
    ),
    "nobody wins": lambda noise: noise,
}


@pytest.mark.parametrize("shape", LOGITS)
@pytest.mark.parametrize("transcript", TRANSCRIPTS)
def test_the_same_tokens_may_follow_as_in_openai_whisper(transcript: str, shape: str) -> None:
    noise = np.random.default_rng(3).normal(0, 1, VOCABULARY.size).astype(np.float32)
    logits = LOGITS[shape](noise).astype(np.float32)
    sampled = TRANSCRIPTS[transcript]
    _assert_equal(ours(logits, sampled), openai_rules(logits, sampled))
    if sampled:
        _assert_greedy(logits, sampled, openai_rules(logits, sampled))


@pytest.mark.parametrize("shape", LOGITS)
@pytest.mark.parametrize("sampled", [[], [TEXT], [TEXT, TEXT + 1]])
def test_no_timestamp_follows_where_none_begins(sampled: list[int], shape: str) -> None:
    noise = np.random.default_rng(5).normal(0, 1, VOCABULARY.size).astype(np.float32)
    logits = LOGITS[shape](noise).astype(np.float32)
    expected = openai_rules_without_timestamps(logits, sampled)
    _assert_equal(ours(logits, sampled, plain=True), expected)
    if sampled:
        _assert_greedy(logits, sampled, expected)


@pytest.mark.parametrize("sampled", [[TEXT], [TEXT, TEXT + 1], [T0, TEXT], [T0, TEXT, T0 + 9]])
def test_the_state_is_that_of_the_tokens_sampled(sampled: list[int]) -> None:
    state, found = _state(sampled), RULES.state([sampled])
    assert (found.last.item(), found.before.item(), found.stamp.item()) == (
        state.last.item(),
        state.before.item(),
        state.stamp.item(),
    )


def _assert_equal(scores: Scores, expected: Logits) -> None:
    np.testing.assert_array_equal(_whole(scores), expected)
    picked = scores.pick()
    assert picked.item() == int(expected.argmax())
    logprob = float(expected.max()) - _logsumexp(expected)
    assert scores.logprob(picked).item() == pytest.approx(logprob, abs=1e-4)
    best, best_logprob = scores.best()
    assert best.item() == picked.item()
    assert best_logprob.item() == pytest.approx(logprob, abs=1e-4)


def _assert_greedy(logits: Logits, sampled: list[int], expected: Logits) -> None:
    token, logprob = RULES.greedy(mx.array(logits)[None], _state(sampled))
    assert token.item() == int(expected.argmax())
    assert logprob.item() == pytest.approx(float(expected.max()) - _logsumexp(expected), abs=1e-4)


def test_a_row_at_temperature_zero_is_greedy_beside_one_that_samples() -> None:
    noise = np.random.default_rng(4).normal(0, 3, (2, VOCABULARY.size)).astype(np.float32)
    rules = TokenRules(VOCABULARY)
    state = rules.start(2)
    for token in (T0, TEXT):
        state = rules.after(state, mx.array([token, token], dtype=mx.int32))
    scores = rules.next(mx.array(noise), state)
    keys = mx.array([[1, 2], [3, 4]], dtype=mx.uint32)
    sampled = scores.pick(mx.array([0.0, 1.0]), keys).tolist()
    greedy = scores.pick().tolist()
    assert isinstance(sampled, list)
    assert isinstance(greedy, list)
    assert sampled[0] == greedy[0]
    assert np.isfinite(_row(scores, 1)[sampled[1]])
    assert sampled == scores.pick(mx.array([0.0, 1.0]), keys).tolist(), "the same draw again"


def _row(scores: Scores, row: int) -> Logits:
    return np.array(mx.concatenate([scores.text, scores.stamps], axis=-1))[row]


def test_sampling_follows_the_softmax() -> None:
    rules = TokenRules(VOCABULARY)
    draws = 400
    logits = np.full((draws, VOCABULARY.size), -30, np.float32)
    logits[:, TEXT], logits[:, TEXT + 1] = np.log(0.75) + 5, np.log(0.25) + 5
    state = rules.start(draws)
    for token in (T0, TEXT):
        state = rules.after(state, mx.full((draws,), token, dtype=mx.int32))
    keys = mx.stack([mx.zeros((draws,)), mx.arange(draws)], axis=-1).astype(mx.uint32)
    picked = np.array(rules.next(mx.array(logits), state).pick(mx.ones((draws,)), keys))
    assert 0.68 < (picked == TEXT).mean() < 0.82
