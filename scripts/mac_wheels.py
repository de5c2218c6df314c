"""Which wheels a Mac gets: mac_wheels.py [--unused]. Needs uv and the package index, no Mac.

Resolves the requirements for macOS 14, 15 and 26 with Python 3.11, 3.12 and 3.13, and prints what
is downloaded, what would have to be built, and the newest macOS that a wheel asks for. --unused:
what of it no stage and no command ever imports, told by this environment.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms
from packaging.utils import canonicalize_name, parse_wheel_filename

ROOT = Path(__file__).parents[1]
MACS = ("14.0", "15.0", "26.0")
PYTHONS = ("3.11", "3.12", "3.13")
_STAGES = ("prepare", "transcribe", "align", "diarize")
# Imported in a process of its own, as the stages do when they have work.
_IMPORTS = """
import importlib, json, pkgutil, sys
import daemon
for module in pkgutil.walk_packages(daemon.__path__, "daemon."):
    if not module.name.startswith(("daemon.bench", "daemon.__main__", "daemon.proof.trials")):
        importlib.import_module(module.name)
import send2trash, num2words, whisperx.alignment, docx, onnxruntime
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


class OfflineError(Exception):
    """The package index cannot be reached."""


@dataclass
class Resolution:
    """What one Mac would download."""

    macos: str
    python: str
    sizes: dict[str, int] = field(default_factory=dict)  # bytes of each wheel, by its package
    built: list[str] = field(default_factory=list)  # packages that have no wheel for it
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def megabytes(self) -> float:
        return sum(self.sizes.values()) / 1e6


def resolve(macos: str, python: str, uv: str) -> Resolution:
    """Raises OfflineError where the index does not answer, RuntimeError where there is no way."""
    with tempfile.TemporaryDirectory() as folder:
        lock = Path(folder) / "pylock.toml"
        done = subprocess.run(
            [
                *(uv, "pip", "compile", "--quiet", "--format", "pylock.toml"),
                *("--python-platform", "aarch64-apple-darwin", "--python-version", python),
                *("--output-file", str(lock), str(ROOT / "pyproject.toml")),
            ],
            env=os.environ | {"MACOSX_DEPLOYMENT_TARGET": macos},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            offline = any(
                sign in done.stderr for sign in ("Failed to fetch", "dns error", "Connect")
            )
            raise (OfflineError if offline else RuntimeError)(done.stderr.strip())
        packages = tomllib.loads(lock.read_text())["packages"]
    found = Resolution(macos, python)
    tags = tags_of(macos, python)
    for package in packages:
        name = package["name"]
        found.versions[name] = package["version"]
        sizes = [
            wheel.get("size", 0)
            for wheel in package.get("wheels", ())
            if parse_wheel_filename(wheel["url"].rsplit("/", 1)[1])[3] & tags
        ]
        if sizes:
            found.sizes[name] = sizes[0]
        else:
            found.built.append(name)
    return found


def tags_of(macos: str, python: str) -> frozenset[Tag]:
    major, minor = (int(part) for part in macos.split("."))
    version = tuple(int(part) for part in python.split("."))
    platforms = list(mac_platforms((major, minor), "arm64"))
    interpreter = f"cp{version[0]}{version[1]}"
    return frozenset(cpython_tags(version, platforms=platforms)) | frozenset(
        compatible_tags(version, interpreter, platforms)
    )


def find_uv() -> str | None:
    ours = ROOT / ".venv" / ".uv" / "bin" / "uv"
    return str(ours) if ours.exists() else shutil.which("uv")


def unused(found: Resolution) -> dict[str, int]:
    """Bytes of what a Mac downloads and no stage and no command imports, by package.

    Told by what is imported here: install the same requirements first.
    """
    done = subprocess.run(
        [sys.executable, "-c", _IMPORTS], capture_output=True, text=True, check=True, cwd=ROOT
    )
    imported = set(json.loads(done.stdout.splitlines()[-1]))
    named = importlib.metadata.packages_distributions()
    used = {canonicalize_name(name) for module in imported for name in named.get(module, ())}
    # A library that another package loads, and that is no module here.
    used.add(canonicalize_name("mlx-metal"))
    return {name: size for name, size in found.sizes.items() if name not in used}


def main() -> int:
    parser = argparse.ArgumentParser(description="Which wheels a Mac gets.")
    parser.add_argument("--unused", action="store_true")
    asked = parser.parse_args()
    uv = find_uv()
    if uv is None:
        print("there is no uv: pip install uv", file=sys.stderr)
        return 1
    if asked.unused:
        whole = resolve(MACS[1], PYTHONS[1], uv)
        sizes = unused(whole)
        for name, size in sorted(sizes.items(), key=lambda item: -item[1]):
            print(f"{size / 1e6:8.1f} MB  {name}")
        print(f"{sum(sizes.values()) / 1e6:8.1f} MB in {len(sizes)} packages, never imported")
        print(f"{whole.megabytes:8.1f} MB in {len(whole.sizes)} packages in all")
        return 0
    print("macOS  Python  packages  download  mlx      built from source")
    for macos in MACS:
        for python in PYTHONS:
            found = resolve(macos, python, uv)
            print(
                f"{macos:<6} {python:<7} {len(found.versions):>8} {found.megabytes:>6.0f} MB"
                f"  {found.versions['mlx']:<8} {', '.join(found.built) or '-'}"
            )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
