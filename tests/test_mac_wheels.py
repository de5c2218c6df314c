"""What a Mac downloads, resolved from here: scripts/mac_wheels.py. Needs the package index."""

from __future__ import annotations

import importlib.util
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
# Published as source alone, and pure Python: no compiler is needed. num2words asks for it.
PURE_SOURCES = {"docopt"}


def _script() -> ModuleType:
    path = ROOT / "scripts" / "mac_wheels.py"
    spec = importlib.util.spec_from_file_location("mac_wheels", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


WHEELS = _script()


@pytest.mark.slow
@pytest.mark.parametrize("macos", WHEELS.MACS)
@pytest.mark.parametrize("python", WHEELS.PYTHONS)
def test_every_mac_gets_wheels(macos: str, python: str) -> None:
    uv = WHEELS.find_uv()
    if uv is None:
        pytest.skip("there is no uv")
    try:
        found = WHEELS.resolve(macos, python, uv)
    except WHEELS.OfflineError:
        pytest.skip("the package index cannot be reached")
    assert set(found.built) <= PURE_SOURCES
    for name in ("mlx", "watchdog"):
        assert Version(found.versions[name]) in _required(name).specifier
    assert 100 < found.megabytes < 600


def _required(name: str) -> Requirement:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    requirements = map(Requirement, project["dependencies"])
    return next(one for one in requirements if one.name == name)


def test_the_minimum_versions_are_those_that_the_code_needs() -> None:
    """mx.device_info came with mlx 0.30.4, and its wheels for macOS 14 with 0.31 are all we test;
    watchdog raises the errors of its start since 7.1."""
    assert "0.30.3" not in _required("mlx").specifier
    assert "7.0.0" not in _required("watchdog").specifier


@pytest.mark.parametrize(
    ("macos", "wheel", "fits"),
    [
        ("14.0", "mlx-0.32.4-cp312-cp312-macosx_14_0_arm64.whl", True),
        ("14.0", "mlx-0.32.4-cp312-cp312-macosx_15_0_arm64.whl", False),
        ("26.0", "mlx-0.32.4-cp312-cp312-macosx_26_0_arm64.whl", True),
        ("26.0", "torch-2.8.0-cp312-none-macosx_11_0_arm64.whl", True),
        ("15.0", "watchdog-7.1.0-cp312-cp312-macosx_10_13_universal2.whl", True),
        ("15.0", "six-1.17-py2.py3-none-any.whl", True),
        ("15.0", "numpy-2.5.5-cp312-cp312-macosx_11_0_x86_64.whl", False),
    ],
)
def test_a_wheel_fits_by_its_tags(macos: str, wheel: str, fits: bool) -> None:
    tags = WHEELS.parse_wheel_filename(wheel)[3]
    assert bool(tags & WHEELS.tags_of(macos, "3.12")) == fits
