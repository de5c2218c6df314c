"""A recording that travels: resumed where it broke off, proven, and taken with distrust."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from daemon.cluster import packing, wire
from daemon.cluster.incoming import Incoming, Offer, RefusedError
from daemon.cluster.outgoing import LentJob, UnsentError
from daemon.config.profile import FOLDER_PROFILE
from daemon.domain.job import FailureKind, Identity
from daemon.handoff import artefacts, lent
from daemon.handoff.artefacts import JobRequest

NONCE, OTHER = "0" * 16, "1" * 16
CONTENT = os.urandom(3 * wire.BLOCK + 17)


@pytest.fixture
def incoming(tmp_path: Path) -> Iterator[Incoming]:
    (tmp_path / "inbox").mkdir()
    with contextlib.closing(Incoming(tmp_path / "lent", tmp_path / "inbox")) as incoming:
        yield incoming


@pytest.fixture
def job(tmp_path: Path) -> LentJob:
    source = tmp_path / "talk.m4a"
    source.write_bytes(CONTENT)
    folder = tmp_path / "job"
    folder.mkdir()
    identity = Identity.of(source.stat())
    JobRequest(source, identity, None, (), None, 10**9, 3600.0).write(folder)
    lent.write_order(folder, {"transcribe": {"language": "de"}}, True, "off")
    return LentJob.read(folder, NONCE)


def offered(job: LentJob, nonce: str = NONCE) -> Offer:
    said = job.offer()
    return Offer(nonce, said["key"], said["suffix"], said["bytes"], said["profile"])


def test_a_recording_arrives_as_it_was_with_its_profile(incoming: Incoming, job: LentJob) -> None:
    at = incoming.begin(offered(job))
    *pieces, (last, _) = job.pieces(at, lambda: True)
    for _, data in pieces:
        incoming.append(NONCE, data)
    arrived = incoming.finish(NONCE, last["sha256"])
    assert arrived is not None
    assert arrived.read_bytes() == CONTENT
    assert arrived.name == "recording.m4a"
    assert (arrived.parent / FOLDER_PROFILE).read_text() == '[transcribe]\nlanguage = "de"\n'


def test_what_has_come_is_not_sent_again(incoming: Incoming, job: LentJob, tmp_path: Path) -> None:
    incoming.begin(offered(job))
    incoming.append(NONCE, CONTENT[:1_500_000])
    incoming.close()
    again = Incoming(tmp_path / "lent", tmp_path / "inbox")  # another connection
    at = again.begin(offered(job, OTHER))
    assert at == 1_500_000
    *pieces, (last, _) = job.pieces(at, lambda: True)
    assert b"".join(data for _, data in pieces) == CONTENT[at:]
    for _, data in pieces:
        again.append(OTHER, data)
    arrived = again.finish(OTHER, last["sha256"])
    assert arrived is not None
    assert arrived.read_bytes() == CONTENT


def test_other_bytes_than_those_sent_are_refused_and_dropped(
    incoming: Incoming, job: LentJob
) -> None:
    incoming.begin(offered(job))
    incoming.append(NONCE, b"x" * 100)
    with pytest.raises(RefusedError, match="did not arrive as it was sent"):
        incoming.finish(NONCE, hashlib.sha256(CONTENT).hexdigest())
    assert incoming.begin(offered(job, OTHER)) == 0


def test_a_file_that_changes_on_its_way_is_not_sent(job: LentJob) -> None:
    pieces = job.pieces(0, lambda: True)
    next(pieces)
    os.utime(job.request.source, ns=(1, 1))
    with pytest.raises(UnsentError) as refused:
        list(pieces)
    assert refused.value.kind is FailureKind.CHANGED


def test_a_recalled_file_is_sent_no_further(job: LentJob) -> None:
    assert list(job.pieces(0, lambda: False)) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"nonce": "../../etc"},
        {"key": "../" * 20},
        {"suffix": "./../x"},
        {"suffix": ".m4a/x"},
        {"bytes": 10**15},
    ],
)
def test_names_from_outside_become_no_paths(job: LentJob, wrong: dict[str, Any]) -> None:
    said = {"nonce": NONCE, "key": "a" * 64, "suffix": ".m4a", "bytes": 1, "profile": {}}
    with pytest.raises(RefusedError):
        Offer(**(said | wrong)).check(10**9)


def test_more_than_was_announced_is_refused(incoming: Incoming, job: LentJob) -> None:
    incoming.begin(offered(job))
    with pytest.raises(RefusedError, match="more came"):
        incoming.append(NONCE, CONTENT + b"x")


def test_only_artefacts_come_back(job: LentJob) -> None:
    for name in ("../ledger.db", "request.json", "audio.npy"):
        with pytest.raises(ValueError, match="not asked for"):
            job.receive(name, b"x")
    assert not lent.results_folder(job.folder, NONCE).exists()


@pytest.fixture
def pcm(tmp_path: Path) -> JobRequest:
    """A tune of five seconds as plain stereo PCM."""
    at = np.arange(5 * 44_100) / 44_100
    tune = (8_000 * np.sin(2 * np.pi * 440 * at) * np.sin(2 * np.pi * 0.4 * at)).astype("<i2")
    source = tmp_path / "tune.wav"
    with wave.open(str(source), "wb") as file:
        file.setparams((2, 2, 44_100, 0, "NONE", ""))
        file.writeframes(np.repeat(tune, 2).tobytes())
    return JobRequest(source, Identity.of(source.stat()), None, (), None, 10**9, 3600.0)


def test_large_sound_travels_as_flac_and_is_the_same_sound_there(
    tmp_path: Path, pcm: JobRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "FROM_BYTES", 100_000)
    folder, here, there = (tmp_path / name for name in ("job", "here", "there"))
    folder.mkdir()
    pcm.write(folder)
    lent.write_order(folder, {}, True, "off")
    job = LentJob.read(folder, NONCE)
    job.pack(lambda: True)
    assert job.packed is not None
    said = job.offer()
    assert said["suffix"] == ".flac"
    assert said["bytes"] < pcm.identity.size / 3
    *pieces, (last, _) = job.pieces(0, lambda: True)
    arrived = tmp_path / "recording.flac"
    arrived.write_bytes(b"".join(data for _, data in pieces))
    assert last["sha256"] == hashlib.sha256(arrived.read_bytes()).hexdigest()
    flac_request = dataclasses.replace(pcm, source=arrived, identity=Identity.of(arrived.stat()))
    for request, place in ((pcm, here), (flac_request, there)):
        place.mkdir()
        request.write(place)
        packing._prepare(place, NONCE, lambda: True, 2)
    assert (here / artefacts.AUDIO).read_bytes() == (there / artefacts.AUDIO).read_bytes()
    # What comes back speaks of the FLAC; what is taken over speaks of the recording.
    for piece in (there / artefacts.PREPARED).read_bytes(), b"":
        job.receive(artefacts.PREPARED, piece)
    job.conclude("mac2", {"stages": []}, 1.0)
    taken = artefacts.read_prepared(lent.results_folder(folder, NONCE), NONCE)
    assert taken.sha256 == hashlib.sha256(pcm.source.read_bytes()).hexdigest()
    assert taken.codec == "pcm_s16le"


@pytest.mark.parametrize(
    "change", [{"tracks": "all"}, {"speakers": "channels"}, {"source": "a.mp3"}]
)
def test_what_flac_would_not_hold_or_not_shorten_travels_as_it_is(
    pcm: JobRequest, change: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not packing.is_worth_it(pcm)  # it is small
    monkeypatch.setattr(packing, "FROM_BYTES", 100_000)
    assert packing.is_worth_it(pcm)
    if "source" in change:
        change = {"source": Path(change["source"])}
    assert not packing.is_worth_it(dataclasses.replace(pcm, **change))
