"""What the READMEs point to is there: files, links, tests, and every verb of the command line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TREES = ("daemon", "launchd", "tests", "scripts")
READMES = [
    ROOT / "README.md",
    *sorted(path for tree in TREES for path in (ROOT / tree).rglob("README.md")),
]
_IDS = [str(path.relative_to(ROOT)) for path in READMES]

readmes = pytest.mark.parametrize("readme", READMES, ids=_IDS)


@readmes
def test_every_link_leads_to_a_file(readme: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", readme.read_text(encoding="utf-8"))
    assert [link for link in links if not (readme.parent / link).exists()] == []


@readmes
def test_every_path_of_the_repository_that_is_named_is_there(readme: Path) -> None:
    text = readme.read_text(encoding="utf-8")
    named = re.findall(rf"(?<![\w/~.-])(?:{'|'.join(TREES)})/[\w./-]*\w", text)
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_row_of_the_fault_catalogue_names_a_test_file_that_is_there() -> None:
    text = (ROOT / "tests" / "faults" / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"(?<!/)\b(test_\w+)\b", text))
    assert named
    assert {name for name in named if not (ROOT / "tests/faults" / f"{name}.py").exists()} == set()


def test_every_rule_of_launchd_names_a_test_that_is_there() -> None:
    text = (ROOT / "launchd" / "README.md").read_text(encoding="utf-8")
    files = dict(re.findall(r"^\| ([A-Z]) \| `(tests/[\w/]+\.py)`", text, re.MULTILINE))
    sources = {letter: (ROOT / path).read_text(encoding="utf-8") for letter, path in files.items()}
    rows = re.findall(r"^\| L\d+ .*$", text, re.MULTILINE)
    assert len(rows) == 36
    for row in rows:
        letter = ""
        for found in re.finditer(r"\b([A-Z])\b(?=[ ,;|])|`(test_\w+)", row.rpartition(" | ")[2]):
            letter = found[1] or letter
            if found[2]:
                assert f"def {found[2]}" in sources[letter], row


def test_what_only_a_mac_can_settle_names_every_item_and_the_code_that_depends_on_it() -> None:
    text = (ROOT / "launchd" / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| .* \| `([\w./]+)`: `(.+)` \|$", text, re.MULTILINE)
    asked = (ROOT / "daemon" / "proof" / "prove.py").read_text(encoding="utf-8")
    names = set(re.findall(r'Question\(\s*"(\w+)"', asked)) | {"smoke", "smoke_with_your_model"}
    assert {name for name, _, _ in rows} == names
    for name, file, code in rows:
        assert code in (ROOT / file).read_text(encoding="utf-8"), name
