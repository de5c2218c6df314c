"""daemon.domain.media: what is taken for a recording can be decoded here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import av
import pytest

from daemon.domain.media import DEMUXERS, EXTENSIONS


def test_every_demuxer_of_the_table_is_in_this_av() -> None:
    known = {name for form in av.formats_available for name in form.split(",")}
    assert set(DEMUXERS) - known == set()


def test_no_demuxer_of_the_table_opens_other_files() -> None:
    scripts = {"concat", "hls", "dash", "image2", "applehttp", "sdp", "rtsp", "lavfi", "imf"}
    assert not scripts & set(DEMUXERS)


def test_the_endings_of_recorders_and_phones_are_there() -> None:
    wanted = {
        "awb",
        "latm",
        "dv",
        "3gpp",
        "qta",
        "w64",
        "wv",
        "ac3",
        "eac3",
        "dss",
        "opus",
        "spx",
        "m4a",
        "mp3",
        "wav",
        "mov",
    }
    assert wanted <= set(EXTENSIONS)
    assert len(set(EXTENSIONS)) == len(EXTENSIONS)


def _on_a_mac() -> dict[str, Any]:
    """What scripts/macos_decoders.py found in PyAV's wheel for Macs."""
    found: dict[str, Any] = json.loads(
        (Path(__file__).parents[1] / "kit" / "macos_decoders.json").read_bytes()
    )
    return found


def test_every_demuxer_of_the_table_is_in_the_wheel_for_macs() -> None:
    known = {name for form in _on_a_mac()["demuxers"] for name in form.split(",")}
    assert set(DEMUXERS) - known == set()


@pytest.mark.parametrize(
    "codec",
    [
        *("aac", "alac", "mp3float", "flac", "opus", "vorbis", "ac3", "eac3", "wmav2", "wmapro"),
        *("amrnb", "amrwb", "ape", "wavpack", "dss_sp", "gsm", "gsm_ms", "mp2float", "libspeex"),
        *("pcm_s16le", "pcm_s24be", "pcm_f32le", "pcm_alaw", "adpcm_ms", "adpcm_ima_wav", "dca"),
        *("truehd", "tta", "tak", "mpc7", "mpc8", "g723_1", "g729", "qdm2", "atrac3p", "speex"),
    ],
)
def test_a_mac_decodes_what_this_machine_decodes(codec: str) -> None:
    assert (codec in av.codecs_available) == (codec in _on_a_mac()["audio_decoders"])


def test_a_mac_has_the_decoders_of_the_usual_recorders() -> None:
    wanted = {"aac", "alac", "mp3float", "flac", "opus", "vorbis", "ac3", "eac3", "wmav2", "amrnb"}
    assert wanted | {"dss_sp", "wavpack", "speex", "ape"} <= set(_on_a_mac()["audio_decoders"])
