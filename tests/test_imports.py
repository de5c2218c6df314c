"""Imports point one way, modules stay small, and the daemon itself imports no ML library."""

from __future__ import annotations

import ast
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import daemon
import launchd

ROOT = Path(__file__).parents[1]
PACKAGES = ("daemon", "launchd")
HEAVY = (
    "mlx",
    "torch",
    "numpy",
    "av",
    "onnxruntime",
    "ctranslate2",
    "whisperx",
    "faster_whisper",
    "distributed",
    "dask",
)
RENDERING = ("jinja2", "markupsafe", "docx", "lxml", "daemon.rendering")

# Each room may import the rooms above it in this list, and itself. A new module needs no entry.
ROOMS = (
    "daemon.errors",
    "daemon.audio",
    "daemon.domain",
    "daemon.files",
    "daemon.ledger",
    "daemon.config",
    "daemon.models",
    "daemon.handoff",
    "daemon.asr",
    "daemon.alignment",
    "daemon.diarization",
    "daemon.reporting",
    "daemon.processes",
    "daemon.rendering",
    "daemon.catalogue",
    "daemon.outbox",
    "daemon.inbox",
    "daemon.stages",
    "daemon.service",
    "daemon.supervisor",
    "daemon.cluster",
    "daemon.bench",
    "daemon.proof",
    "daemon.commands",
    "daemon.__main__",
)
STAGE_SIDE = ("daemon.stages", "daemon.asr", "daemon.alignment", "daemon.diarization")
SUPERVISOR_SIDE = ("daemon.ledger", "daemon.processes", "daemon.supervisor", "daemon.commands")
FLAT = {"__init__.py", "__main__.py", "errors.py", "audio.py"}


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _modules() -> dict[str, Path]:
    return {_name(path): path for package in PACKAGES for path in (ROOT / package).rglob("*.py")}


MODULES = _modules()


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def _imports(node: ast.AST) -> Iterator[str]:
    """Every module that the code below `node` imports, except for type checking only."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom) and child.module:
            for alias in child.names:
                inner = f"{child.module}.{alias.name}"
                yield inner if inner in MODULES else child.module
        elif not _is_type_checking(child):
            yield from _imports(child)


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


IMPORTS = {name: set(_imports(_tree(path))) for name, path in MODULES.items()}


def _within(*packages: str) -> set[str]:
    """The modules of these packages."""
    return {
        name
        for name in MODULES
        if any(name == one or name.startswith(f"{one}.") for one in packages)
    }


def _wrong(sources: set[str], targets: set[str]) -> list[str]:
    """The imports that lead from `sources` into `targets`."""
    return [
        f"{name} imports {imported}"
        for name in sorted(sources)
        for imported in sorted(IMPORTS[name] & targets - sources)
    ]


def test_the_packages_are_ours_and_not_their_namesakes() -> None:
    assert Path(daemon.__file__) == ROOT / "daemon" / "__init__.py"
    assert Path(launchd.__file__) == ROOT / "launchd" / "__init__.py"


def test_no_module_imports_itself_through_others() -> None:
    ours = {name: imports & MODULES.keys() for name, imports in IMPORTS.items()}
    tuple(TopologicalSorter(ours).static_order())


def _room(module: str) -> str | None:
    """The entry of ROOMS that a module belongs to; None for the package itself."""
    return next((room for room in ROOMS if module == room or module.startswith(f"{room}.")), None)


def test_imports_point_one_way() -> None:
    wrong = [
        f"{name} imports {imported}"
        for name, imports in IMPORTS.items()
        for imported in imports & MODULES.keys()
        if (here := _room(name)) and (there := _room(imported))
        if ROOMS.index(there) > ROOMS.index(here)
    ]
    assert wrong == []


def test_every_module_lies_in_a_room() -> None:
    assert {path.name for path in (ROOT / "daemon").glob("*.py")} <= FLAT
    assert [name for name in MODULES if name.startswith("daemon.") and _room(name) is None] == []
    assert [room for room in ROOMS if room not in MODULES] == []


def test_every_room_says_what_it_is_for() -> None:
    rooms = [path for path in (ROOT / "daemon").rglob("__init__.py") if len(path.parts) > 1]
    assert [str(path) for path in rooms if not ast.get_docstring(_tree(path))] == []


def test_the_two_sides_meet_in_the_handoff_only() -> None:
    """Stages never see the queue; the daemon never loads what runs in a stage."""
    assert not _wrong(_within(*STAGE_SIDE), _within(*SUPERVISOR_SIDE))
    own_processes = _within(*STAGE_SIDE, "daemon.commands", "daemon.bench", "daemon.proof")
    assert not _wrong(set(MODULES) - own_processes, _within(*STAGE_SIDE))


def test_launchd_is_driven_by_the_service_room_and_its_commands() -> None:
    users = _within("launchd", "daemon.service", "daemon.proof", "daemon.commands")
    assert not _wrong(set(MODULES) - users, _within("launchd"))


def test_launchd_needs_the_standard_library_only() -> None:
    allowed = set(sys.stdlib_module_names) | {"launchd"}
    for name in _within("launchd"):
        assert {imported.split(".")[0] for imported in IMPORTS[name]} <= allowed, name


def test_the_daemons_own_process_imports_no_ml_library_and_renders_nothing() -> None:
    code = (
        "import json, sys\n"
        "from daemon import __main__\n"
        "from daemon.commands import run\n"
        "from daemon.supervisor import application\n"
        f"print(json.dumps([name for name in {HEAVY + RENDERING!r} if name in sys.modules]))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert json.loads(ran.stdout) == []


def test_nothing_that_the_supervisor_reaches_renders() -> None:
    """Not even an import inside a function, which would cost the daemon its memory later."""
    reached, left = set[str](), _within("daemon.supervisor")
    while left:
        module = left.pop()
        reached.add(module)
        left |= IMPORTS.get(module, set()) - reached
    assert [
        name
        for name in reached
        if name.startswith(("daemon.rendering", "daemon.stages", "daemon.cluster"))
    ] == []


def test_modules_fit_on_a_few_screens() -> None:
    lengths = {name: len(path.read_text().splitlines()) for name, path in MODULES.items()}
    assert {name: length for name, length in lengths.items() if length > 300} == {}


def test_functions_are_short() -> None:
    functions = [
        node
        for path in MODULES.values()
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    lengths = [(node.end_lineno or 0) - node.lineno + 1 for node in functions]
    assert statistics.median(lengths) <= 10
