"""The one table of what is taken for a recording: by its name's ending, and by FFmpeg's demuxer.

The endings choose which files in the inbox are looked at; the demuxers are all that the decoder may
use, whatever a file is called. Every demuxer here reads real containers only: none of them opens
playlists, scripts or image sequences, which name other files and addresses.
"""

from __future__ import annotations

_AUDIO = {
    "aac": "aac adts",
    "ac3": "ac3",
    "aiff": "aif aifc aiff",
    "amr": "amr awb",
    "ape": "ape",
    "asf": "wma",
    "au": "au snd",
    "caf": "caf",
    "dss": "ds2 dss",
    "dsf": "dsf",
    "dts": "dts",
    "eac3": "ec3 eac3",
    "flac": "flac",
    "gsm": "gsm",
    "loas": "latm loas",
    "mov": "3ga aax f4a f4b m4a m4b m4p m4r mp4a qta",
    "matroska": "mka weba",
    "mp3": "m2a mp1 mp2 mp3 mpa mpga",
    "mpc": "mpc",
    "mpc8": "mpp",
    "ogg": "oga ogg ogx opus spx",
    "tak": "tak",
    "tta": "tta",
    "voc": "voc",
    "w64": "w64",
    "wav": "bw64 bwf rf64 wav wave",
    "wv": "wv",
}
_VIDEO = {
    "asf": "asf wmv",
    "avi": "avi divx",
    "dv": "dif dv",
    "flv": "f4v flv",
    "matroska": "mk3d mkv webm",
    "mov": "3g2 3gp 3gp2 3gpp 3gpp2 m4v mov mp4 qt",
    "mpeg": "m2p mod mpe mpeg mpg vob vro",
    "mpegts": "m2t m2ts mts tod tp trp ts",
    "mxf": "mxf",
    "ogg": "ogv",
}
# Other names that FFmpeg has for these containers, or what they may turn out to be.
_VARIANTS = ("amrnb", "amrwb", "dtshd", "live_flv", "mpegvideo")

EXTENSIONS = tuple(sorted(" ".join([*_AUDIO.values(), *_VIDEO.values()]).split()))
# What is large for the sound that is in it.
PLAIN_OR_VIDEO = frozenset(
    " ".join(
        [*_VIDEO.values(), *(_AUDIO[name] for name in ("aiff", "au", "caf", "dsf", "w64", "wav"))]
    ).split()
)
DEMUXERS = tuple(sorted({*_AUDIO, *_VIDEO, *_VARIANTS}))
