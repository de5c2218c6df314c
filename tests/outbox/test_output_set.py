"""Output sets, rendered from a job's artefacts: whole, and without what cannot be rendered."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from daemon.domain.job import Identity, Job, Stage, StageRecord
from daemon.domain.transcript import (
    Alignment,
    AlignmentStatus,
    Recognition,
    Segment,
    Word,
    WordSource,
)
from daemon.handoff import artefacts
from daemon.handoff.artefacts import InvalidArtefactError, Lane, Prepared, TrackState
from daemon.handoff.outputs import OutputSet, PublishOrder, find_outputs, read_outputs
from daemon.outbox import output_set
from daemon.outbox.output_set import OutputSetRenderer
from daemon.rendering.formats import FORMATS, Format
from daemon.rendering.material import Material
from tests.kit.daemon_process import configured
from tests.kit.schemas import check

_SECONDS = 4.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A job's folder, ready for PUBLISH."""
    config = configured(tmp_path, {"output": {"formats": ["txt", "html", "srt"]}})
    job = Job(7, Path(b"/in/m\xffemo.wav".decode("utf-8", "surrogateescape")), Identity(1, 2, 3, 4),
              Stage.PUBLISH, 1000.0)  # fmt: skip
    made = tmp_path / "7"
    made.mkdir()
    record = StageRecord(Stage.PUBLISH, starts=1, started_at=1010.0)
    PublishOrder(job, (record,), config).write(made)
    word = Word("Hello", 0.5, 1.0, 0.9, WordSource.ALIGNED)
    segment = Segment(0, 0.5, 1.0, "Hello", -0.1, 0.01)
    heard = Recognition("en", 1.0, (segment,), "fake", "cpu", "fake", "1", {})
    speech = ((0.0, _SECONDS),)
    prepared = Prepared("0" * 64, 1, _SECONDS, "wav", "pcm", None, (), speech)
    aligned = Alignment(AlignmentStatus.COMPLETE, "", "fake", {0: (word,)})
    artefacts.write_artefact(made / artefacts.TRANSCRIPT, "t", heard)
    artefacts.write_artefact(made / artefacts.PREPARED, "p", prepared)
    artefacts.write_artefact(made / artefacts.ALIGNMENT, "a", aligned)
    return made


def _rendered(folder: Path) -> OutputSet:
    order = PublishOrder.read(folder)
    outputs = OutputSetRenderer(order, folder, lambda *_: None, lambda: 5).render()
    outputs.write(folder, "n")
    return outputs


def _document(folder: Path) -> dict[str, object]:
    document: dict[str, object] = json.loads((folder / "outputs" / "json").read_bytes())
    return document


def _break(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def fail(_: Material) -> bytes:
        raise ValueError("no such glyph")

    broken = {**FORMATS, name: Format(FORMATS[name].suffix, fail)}
    monkeypatch.setattr(output_set, "FORMATS", broken)


def test_every_track_has_a_whole_set_of_its_own(folder: Path) -> None:
    """The second track lies behind the first in the audio, and begins at 0 in its transcript."""
    recognition = artefacts.read_recognition(folder)
    second = Segment(1, 45.0, 46.0, "Hallo", -0.1, 0.01, language="de")
    said = replace(recognition, segments=(*recognition.segments, second))
    artefacts.write_artefact(folder / artefacts.TRANSCRIPT, "t", said)
    lanes = (Lane("track 1 (eng)", 0.0, _SECONDS), Lane("track 2 (ger)", 44.0, 3.0))
    tracks = tuple(TrackState(lane.name) for lane in lanes)
    prepared = replace(artefacts.read_prepared(folder), lanes=lanes, tracks=tracks)
    artefacts.write_artefact(folder / artefacts.PREPARED, "p", prepared)
    outputs = _rendered(folder)
    assert read_outputs(folder) == outputs
    assert {"txt", "json", "timing.json", "track2.txt", "track2.json", "track2.timing.json"} <= set(
        outputs.sizes
    )
    assert _document(folder)["text"] == "Hello"
    document = json.loads((folder / "outputs" / "track2.json").read_bytes())
    check(document, "transcript")
    assert (document["text"], document["language"], document["duration"]) == ("Hallo", "de", 3.0)
    assert [(one["start"], one["end"]) for one in document["segments"]] == [(1.0, 2.0)]
    assert document["provenance"]["options"]["track"] == "track 2 (ger)"
    assert [one["name"] for one in document["provenance"]["tracks"]] == [one.name for one in lanes]


def test_an_order_is_read_as_it_was_written(folder: Path) -> None:
    order = PublishOrder.read(folder)
    assert order.job.source.name == "m\udcffemo.wav"
    assert order.records == (StageRecord(Stage.PUBLISH, starts=1, started_at=1010.0),)
    assert order.config.output.formats == ("txt", "html", "srt")
    order.write(folder)
    assert PublishOrder.read(folder) == order


def test_a_set_is_rendered_and_known_by_its_sizes(folder: Path) -> None:
    outputs = _rendered(folder)
    assert set(outputs.sizes) == {"txt", "html", "srt", "json", "timing.json"}
    assert outputs.missing == ()
    assert read_outputs(folder, "n") == outputs
    assert (outputs.facts.segments, outputs.facts.words) == (1, 1)
    timing = json.loads((folder / "outputs" / "timing.json").read_bytes())
    assert timing["stages"]["publish"]["exit"] == "ok"
    assert timing["stages"]["publish"]["peak_rss_bytes"] == 5


@pytest.mark.parametrize("damage", ["cut", "gone", "other attempt", "no list", "hostile"])
def test_a_set_that_is_not_whole_is_none(folder: Path, damage: str) -> None:
    outputs = _rendered(folder)
    match damage:
        case "cut":
            (folder / "outputs" / "srt").write_bytes(b"1")
        case "gone":
            (folder / "outputs" / "srt").unlink()
        case "no list":
            (folder / artefacts.OUTPUT_SET).unlink()
        case "hostile":
            outputs = replace(outputs, sizes={"../json": outputs.sizes["json"]})
            outputs.write(folder, "n")
    with pytest.raises(InvalidArtefactError):
        read_outputs(folder, "m" if damage == "other attempt" else "n")
    assert (find_outputs(folder) is not None) == (damage == "other attempt")


def test_a_set_that_was_half_rendered_is_rendered_anew(folder: Path) -> None:
    for name in (artefacts.OUTPUTS, artefacts.PARTIAL_OUTPUTS):
        (folder / name).mkdir()
        (folder / name / "docx").write_bytes(b"of another attempt")
    assert find_outputs(folder) is None
    _rendered(folder)
    assert find_outputs(folder) is not None
    assert not (folder / "outputs" / "docx").exists()


def test_a_format_that_fails_is_left_out_and_that_is_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _break(monkeypatch, "html")
    outputs = _rendered(folder)
    assert set(outputs.sizes) == {"txt", "srt", "json", "timing.json"}
    said = ("the html file could not be made: ValueError: no such glyph",)
    assert outputs.missing == said
    assert _document(folder)["provenance"]["warnings"] == list(said)  # type: ignore[index]


@pytest.mark.parametrize("failures", [1, 2])
def test_a_format_that_killed_two_processes_is_not_begun_again(folder: Path, failures: int) -> None:
    """One in whose midst the daemon was stopped twice has killed none."""
    order = PublishOrder.read(folder)
    record = structs.replace(order.records[0], failures=failures)
    replace(order, records=(record,)).write(folder)
    (folder / artefacts.FORMATS_LOG).write_text("txt\n-\nhtml\ntxt\n-\nhtml\n")
    outputs = _rendered(folder)
    said = ("the html file could not be made: making it crashed",)
    assert outputs.missing == (said if failures == 2 else ())
    assert "srt" in outputs.sizes


def test_without_a_transcript_nothing_is_rendered(folder: Path) -> None:
    (folder / artefacts.TRANSCRIPT).write_bytes(b"{")
    with pytest.raises(InvalidArtefactError):
        _rendered(folder)
    assert find_outputs(folder) is None
