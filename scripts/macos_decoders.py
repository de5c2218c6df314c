"""What PyAV's wheel for Macs decodes: `macos_decoders.py WHEEL > tests/kit/macos_decoders.json`.

    pip download av --no-deps --platform macosx_14_0_arm64 --only-binary :all: -d .

Of every audio decoder and demuxer of this machine's PyAV, whether the Mac's libraries hold its name
as a string of its own, and how those libraries were configured. No Mac is needed.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import zipfile
from pathlib import Path

import av
from av.codec import Codec

_CONFIGURATION = re.compile(rb"\0(--[a-z][^\0]{200,})\0")


def main(wheel: Path) -> None:
    """Print the list as JSON."""
    with zipfile.ZipFile(wheel) as file:
        libraries = {
            name: file.read(path)
            for path in file.namelist()
            for name in ("libavcodec", "libavformat")
            if Path(path).name.startswith(f"{name}.")
        }
    (configuration,) = _CONFIGURATION.findall(libraries["libavcodec"])
    found = {
        "source": f"{wheel.name}, SHA-256 {hashlib.sha256(wheel.read_bytes()).hexdigest()}",
        "configuration": configuration.decode(),
        "demuxers": [name for name in _demuxers() if _holds(libraries["libavformat"], name)],
        "audio_decoders": [name for name in _decoders() if _holds(libraries["libavcodec"], name)],
    }
    print(json.dumps(found, indent=1))


def _demuxers() -> list[str]:
    """FFmpeg's names; some demuxers have several, separated by commas."""
    return sorted(av.formats_available)


def _decoders() -> list[str]:
    return sorted(name for name in av.codecs_available if _is_audio_decoder(name))


def _is_audio_decoder(name: str) -> bool:
    try:
        return Codec(name, "r").type == "audio"
    except av.codec.codec.UnknownCodecError:  # it only encodes
        return False


def _holds(library: bytes, name: str) -> bool:
    return b"\0" + name.encode() + b"\0" in library


if __name__ == "__main__":
    main(Path(sys.argv[1]))
