"""daemon.domain.media: what is taken for a recording can be decoded here."""

from __future__ import annotations

import av

from daemon.domain.media import DEMUXERS, EXTENSIONS


def test_every_demuxer_of_the_table_is_in_this_av() -> None:
    known = {name for form in av.formats_available for name in form.split(",")}
    assert set(DEMUXERS) - known == set()


def test_no_demuxer_of_the_table_opens_other_files() -> None:
    scripts = {"concat", "hls", "dash", "image2", "applehttp", "sdp", "rtsp", "lavfi", "imf"}
    assert not scripts & set(DEMUXERS)


def test_the_endings_of_recorders_and_phones_are_there() -> None:
    wanted = {"qta", "w64", "wv", "ac3", "eac3", "dss", "opus", "spx", "m4a", "mp3", "wav", "mov"}
    assert wanted <= set(EXTENSIONS)
    assert len(set(EXTENSIONS)) == len(EXTENSIONS)
