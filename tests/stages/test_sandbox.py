"""What code that took over a stage gets: its own folder, and nothing else."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.stages import sandbox, seatbelt
from tests.kit.stage_process import request_for, stage

INTRUDER = Path(__file__).parents[1] / "kit" / "intruder.py"
_OWN = {"write its folder"}
_READING = {"read a secret", "list a folder"}

pytestmark = pytest.mark.skipif(
    not {"Landlock", "seccomp"} <= set(sandbox.available()),
    reason="this kernel has no Landlock or no seccomp",
)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A home with what an intruder wants."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "secret").write_text("PRIVATE KEY")
    (folder / "ledger").write_text("rows")
    (folder / "program").write_text("#!/bin/sh\necho taken over\n")
    (folder / "program").chmod(0o755)
    return folder


@pytest.fixture
def port(outside: Path) -> Iterator[int]:
    """Somebody listens, on the network and locally."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as local,
    ):
        local.bind(str(outside / "socket"))
        local.listen()
        yield server.getsockname()[1]


def _as(role: str, folder: Path, port: int, outside: Path) -> dict[str, Any]:
    folder.mkdir()
    command = [sys.executable, str(INTRUDER), role, str(folder), str(port), str(outside)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    loot: dict[str, Any] = json.loads(ran.stdout)
    return loot


def _nothing_happened(outside: Path) -> None:
    assert (outside / "secret").read_text() == "PRIVATE KEY"
    assert (outside / "secret").stat().st_mode & 0o077 != 0o077
    assert sorted(os.listdir(outside)) == ["ledger", "program", "secret", "socket"]  # noqa: PTH208


def test_what_the_intruder_tries_works_where_nothing_holds(
    tmp_path: Path, port: int, outside: Path
) -> None:
    command = [sys.executable, str(INTRUDER), "free", str(tmp_path), str(port), str(outside)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stdout == "taken over\n"
    assert (outside / "planted").exists()
    assert (outside / "secret").read_bytes() == b"planted"


def test_a_decoder_that_was_taken_over_gets_nothing(
    tmp_path: Path, port: int, outside: Path
) -> None:
    loot = _as("decoder", tmp_path / "job", port, outside)
    assert loot.pop("holds") == ["Landlock", "seccomp"]
    assert loot.pop("limits") == {"DATA": True, "FSIZE": True, "CPU": True, "NOFILE": True}
    assert {name for name, word in loot.items() if word == "done"} == _OWN
    _nothing_happened(outside)


def test_a_model_that_was_taken_over_reads_but_neither_writes_nor_tells(
    tmp_path: Path, port: int, outside: Path
) -> None:
    """It may run programs, which inherit what holds: MLX compiles its kernels with one."""
    (outside / "program").unlink()
    (outside / "program").symlink_to("/nowhere")
    loot = _as("model", tmp_path / "jobs", port, outside)
    assert loot.pop("holds") == ["Landlock", "seccomp"]
    del loot["limits"]
    got = {name for name, word in loot.items() if word == "done"}
    assert got <= _OWN | _READING | {"connect locally", "change a mode", "fork"}
    assert got >= _OWN | _READING


def test_from_inside_the_real_prepare_nothing_is_got(
    tmp_path: Path, port: int, outside: Path
) -> None:
    source, folder = tmp_path / "home" / "recording.wav", tmp_path / "job"
    source.write_bytes(b"RIFF")
    request = request_for(source, folder)
    command = [str(INTRUDER), "prepare", str(folder), str(port), str(outside)]
    with stage(command, folder / "job.log") as process:
        process.hear()
        process.ask(request)
        process.process.wait(60)
    loot = json.loads((folder / "loot.json").read_text())
    assert loot.pop("limits") == {"DATA": True, "FSIZE": True, "CPU": True, "NOFILE": True}
    assert {name for name, word in loot.items() if word == "done"} == _OWN
    source.unlink()
    _nothing_happened(outside)


def _ran(
    code: str, *arguments: Path | str, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """A Python of its own, since what it confines stays so."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_a_decoder_cannot_fill_the_memory_or_the_disk(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from daemon.stages import sandbox\n"
        "sandbox.confine_decoder(Path(sys.argv[1]), 0.0)\n"
        "try: bytearray(5_000_000_000)\n"
        "except MemoryError: print('memory')\n"
        "try:\n"
        "    with open(os.path.join(sys.argv[1], 'big'), 'wb') as file:\n"
        "        file.truncate(200_000_000)\n"
        "except OSError: print('disk')\n"
    )
    ran = _ran(code, tmp_path)
    assert ran.stdout.split() == ["memory", "disk"]


def test_a_thread_that_the_door_is_shut_behind_is_told_of(tmp_path: Path) -> None:
    """Landlock and seccomp hold the thread that asks, and those that it starts later."""
    code = (
        "import sys, threading; from pathlib import Path; from daemon.stages import sandbox\n"
        "waiting = threading.Event()\n"
        "if sys.argv[2:]: threading.Thread(target=waiting.wait, daemon=True).start()\n"
        "sandbox.confine_decoder(Path(sys.argv[1]), 0.0)\n"
    )
    assert "does not hold 1 threads" in _ran(code, tmp_path, Path("beside")).stderr
    assert _ran(code, tmp_path).stderr == ""


def test_a_decoder_may_import_from_every_place_where_packages_are(tmp_path: Path) -> None:
    """A .pth file may add places that are in no list of the installation's folders."""
    place, folder = tmp_path / "packages", tmp_path / "job"
    place.mkdir()
    folder.mkdir()
    (place / "a_library.py").write_text("print('imported')")
    code = (
        "import sys; from pathlib import Path; from daemon.stages import sandbox\n"
        "sys.path.append(sys.argv[2])\n"
        "sandbox.confine_decoder(Path(sys.argv[1]), 60.0)\n"
        "import a_library\n"
    )
    ran = _ran(code, folder, place)
    assert ran.stdout == "imported\n", ran.stderr


def test_a_model_may_name_its_threads_and_no_other_process(tmp_path: Path) -> None:
    """NVIDIA's driver does that, and ends with an error where it cannot (seen on an H200)."""
    code = (
        "import os, sys; from pathlib import Path; from daemon.stages import sandbox\n"
        "sandbox.confine_model(Path(sys.argv[1]))\n"
        "task = Path('/proc/self/task')\n"
        "next(task.iterdir()).joinpath('comm').write_text('a name')\n"
        "try: Path(f'/proc/{os.getppid()}/comm').write_text('ours')\n"
        "except PermissionError: print('refused')\n"
    )
    ran = _ran(code, tmp_path)
    assert ran.stdout == "refused\n", ran.stderr


def test_a_transcriber_keeps_the_kernels_that_mlx_compiles(tmp_path: Path) -> None:
    """By default they lie among its temporary files, and each start compiles for minutes (CUDA)."""
    converted = tmp_path / "converted"
    code = (
        "import os; from pathlib import Path; from daemon.stages import transcribe\n"
        "transcribe._confine()\n"
        "kept = Path(os.environ['MLX_PTX_CACHE_DIR'])\n"
        "kept.mkdir(parents=True)\n"
        "(kept / 'kernel.ptx').write_text('')\n"
    )
    options = ["--backend=mlx", "--model=base", f"--converted={converted}"]
    ran = _ran(code, *options, cwd=tmp_path)
    assert [path.name for path in converted.glob("*/*")] == ["kernel.ptx"], ran.stderr


def test_the_profiles_for_macos_name_real_paths_in_quotes(tmp_path: Path) -> None:
    odd = tmp_path / 'a "quoted" folder'
    odd.mkdir()
    (tmp_path / "link").symlink_to(odd)
    for profile in (
        seatbelt.decoder_profile([tmp_path], [tmp_path / "link"]),
        seatbelt.model_profile([tmp_path / "link"]),
    ):
        assert f'(subpath "{tmp_path.resolve()}/a \\"quoted\\" folder")' in profile
        assert "(deny network*)" in profile
        assert profile.count("(") == profile.count(")")
