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
HEAVY = ("mlx", "torch", "numpy", "av", "onnxruntime", "ctranslate2", "whisperx", "faster_whisper")

DATA = ("daemon.domain.job", "daemon.domain.transcript")
STAGE_SIDE = ("daemon.stages", "daemon.asr", "daemon.alignment")
SUPERVISOR = (
    "daemon.supervisor.loop",
    "daemon.supervisor.transitions",
    "daemon.supervisor.last_steps",
    "daemon.supervisor.scheduler",
    "daemon.supervisor.admission",
    "daemon.supervisor.context",
    "daemon.supervisor.application",
)
CLI = ("daemon.commands", "daemon.bench", "daemon.__main__")


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


def test_data_imports_nothing_of_ours() -> None:
    assert not _wrong(_within(*DATA), set(MODULES))


def test_stages_know_nothing_of_the_supervisor_or_the_command_line() -> None:
    above = _within(*SUPERVISOR, *CLI, "daemon.ledger.ledger", "daemon.processes.attempts")
    assert not _wrong(_within(*STAGE_SIDE), above)


def test_nobody_imports_the_stages_but_themselves() -> None:
    """Converting, fetching and measuring models is a command's own work, in its own process."""
    stages = _within(*STAGE_SIDE)
    commands = _within("daemon.commands", "daemon.bench")
    assert not _wrong(set(MODULES) - stages - commands, stages)


def test_parts_know_nothing_of_the_supervisor_that_puts_them_to_work() -> None:
    above = _within(*SUPERVISOR, *CLI)
    assert not _wrong(set(MODULES) - above, above)


def test_the_supervisor_knows_nothing_of_the_command_line() -> None:
    assert not _wrong(_within(*SUPERVISOR), _within(*CLI))


def test_launchd_needs_the_standard_library_only() -> None:
    allowed = set(sys.stdlib_module_names) | {"launchd"}
    for name in _within("launchd"):
        assert {imported.split(".")[0] for imported in IMPORTS[name]} <= allowed, name


def test_the_layers_that_this_file_names_exist() -> None:
    for one in (*DATA, *STAGE_SIDE, *SUPERVISOR, *CLI):
        assert one in MODULES


def test_the_daemons_own_process_imports_no_ml_library() -> None:
    code = (
        "import json, sys\n"
        "from daemon import __main__\n"
        "from daemon.supervisor import application\n"
        f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert json.loads(ran.stdout) == []


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
