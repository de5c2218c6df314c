"""The property list: its keys, its grammar, and everything that launchd would not run."""

from __future__ import annotations

import plistlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

import launchd
from launchd import agent_spec, schema
from launchd.agent_spec import AgentSpec

DTD = etree.DTD(str(Path(launchd.__file__).with_name("PropertyList-1.0.dtd")))
SPEC = AgentSpec(
    program=("/Users/mac/dropscribe/.venv/bin/python3", "-P", "-m", "daemon", "run"),
    working_directory=Path("/Users/mac/Library/Application Support/dropscribe"),
    log=Path("/Users/mac/Library/Logs/dropscribe/launchd.log"),
)
NAME = "local.dropscribe.plist"


def test_the_package_is_ours_and_not_another_project_of_that_name() -> None:
    assert Path(launchd.__file__).parent == Path(__file__).parents[2] / "launchd"


def test_the_plist_says_what_we_decided_and_nothing_else() -> None:
    log = "/Users/mac/Library/Logs/dropscribe/launchd.log"
    assert plistlib.loads(SPEC.to_bytes()) == {
        "Label": "local.dropscribe",
        "ProgramArguments": list(SPEC.program),
        "WorkingDirectory": "/Users/mac/Library/Application Support/dropscribe",
        "EnvironmentVariables": {"PATH": agent_spec.PATH, "DROPSCRIBE_AGENT": "1"},
        "KeepAlive": True,
        "ThrottleInterval": 10,
        "ExitTimeOut": 20,
        "ProcessType": "Interactive",
        "LimitLoadToSessionType": "Aqua",
        "MaterializeDatalessFiles": True,
        "SoftResourceLimits": {"NumberOfFiles": 4096},
        "Umask": 63,
        "StandardOutPath": log,
        "StandardErrorPath": log,
    }


def test_a_good_plist_has_no_problems() -> None:
    assert schema.problems(SPEC.to_plist(), NAME) == ()


def test_the_path_finds_homebrew_and_keeps_what_launchd_would_have_given() -> None:
    assert agent_spec.PATH.split(":")[0] == "/opt/homebrew/bin"
    assert agent_spec.PATH.endswith("/usr/bin:/bin:/usr/sbin:/sbin")


def test_the_umask_is_077_in_the_decimals_that_a_plist_knows() -> None:
    assert b"<key>Umask</key>\n\t<integer>63</integer>" in SPEC.to_bytes()


def test_no_shell_and_no_tilde_stand_between_launchd_and_the_program() -> None:
    text = SPEC.to_bytes().decode()
    assert "~" not in text
    assert "$" not in text
    assert "/bin/sh" not in text


def test_our_environment_wins_but_cannot_remove_the_mark() -> None:
    spec = replace(SPEC, environment={"PATH": "/opt/bin", "DROPSCRIBE_AGENT": "0"})
    assert spec.to_plist()["EnvironmentVariables"] == {"PATH": "/opt/bin", "DROPSCRIBE_AGENT": "1"}


@given(st.text(min_size=1).map(lambda text: f"/Users/{text}"))
def test_any_folder_name_survives_the_round_trip_or_is_named_as_a_problem(name: str) -> None:
    spec = replace(SPEC, working_directory=Path(name))
    if not schema.problems(spec.to_plist(), NAME):
        assert plistlib.loads(spec.to_bytes()) == spec.to_plist()
        assert follows_the_grammar(spec.to_bytes())


def test_no_key_is_there_twice() -> None:
    for keys in etree.fromstring(SPEC.to_bytes()).iter("dict"):
        names = [key.text for key in keys.findall("key")]
        assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("broken", "valid"),
    [(b"", True), (b"<key>Label</key>", False), (b"<integer>63</integer>", False)],
    ids=["as written", "a value without its key", "a key without its value"],
)
def test_the_plist_follows_the_grammar_that_we_ship(broken: bytes, valid: bool) -> None:
    plist = SPEC.to_bytes()
    assert follows_the_grammar(plist.replace(broken, b"", 1) if broken else plist) is valid


def follows_the_grammar(plist: bytes) -> bool:
    """As xmllint finds it, whose library this is."""
    return DTD.validate(etree.fromstring(plist))


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("Label", "no spaces please", "Label must be letters"),
        ("Label", "../../evil", "Label must be letters"),
        ("ProgramArguments", [], "must be a list that begins with a program"),
        ("ProgramArguments", "/bin/python -m daemon", "must be a list"),
        ("ProgramArguments", ["python3"], "must be an absolute path"),
        ("ProgramArguments", ["~/bin/python3"], "must be an absolute path"),
        ("ProgramArguments", ["/bin/python3", "a\x1bb"], "holds a control character"),
        ("ProgramArguments", ["/bin/python3", 5], "must be text"),
        ("WorkingDirectory", "~/Library", "must be an absolute path"),
        ("WorkingDirectory", "/a/../b", "must be an absolute path"),
        ("WorkingDirectory", "/a\nb", "holds a control character"),
        ("WorkingDirectory", "/caf\udce9", "holds a control character"),
        ("StandardOutPath", "", "must be text"),
        ("EnvironmentVariables", {"THREADS": 4}, "'THREADS' must be text"),
        ("EnvironmentVariables", {"A=B": "c"}, "'A=B' must be text"),
        ("EnvironmentVariables", ["PATH"], "must be a dictionary"),
        ("KeepAlive", "true", "must be true or false"),
        ("KeepAlive", {"Sometimes": True}, "must be true, false or some of"),
        ("KeepAlive", {"Crashed": 1}, "must be true or false"),
        ("ThrottleInterval", "10", "must be a whole number from 1 to 3600"),
        ("ThrottleInterval", True, "must be a whole number"),
        ("ExitTimeOut", 0, "must be a whole number from 1 to 600"),
        ("ProcessType", "interactive", "must be one of"),
        ("LimitLoadToSessionType", "gui", "must be one of"),
        ("SoftResourceLimits", {"NumberOfFiles": "4096"}, "must be a whole number"),
        ("SoftResourceLimits", {"Memory": 1}, "must hold NumberOfFiles alone"),
        ("Umask", 0o1000, "must be a whole number from 0 to 511"),
        ("MaterializeDatalessFiles", "yes", "must be true or false"),
        ("ThrottleIntervall", 10, "is not a key that we use"),
    ],
)
def test_a_value_that_launchd_would_misread_is_named(key: str, value: object, problem: str) -> None:
    plist = dict[str, object](SPEC.to_plist()) | {key: value}
    assert any(found.startswith(key) and problem in found for found in schema.problems(plist, NAME))


@pytest.mark.parametrize("value", [True, False, {"SuccessfulExit": False, "Crashed": True}])
def test_keep_alive_may_be_a_flag_or_conditions(value: object) -> None:
    assert schema.problems(dict[str, object](SPEC.to_plist()) | {"KeepAlive": value}, NAME) == ()


@pytest.mark.parametrize("key", schema.REQUIRED)
def test_a_missing_key_is_named(key: str) -> None:
    plist = {name: value for name, value in SPEC.to_plist().items() if name != key}
    assert f"{key} is missing" in schema.problems(plist, NAME)


def test_the_file_must_carry_the_label_as_its_name() -> None:
    (problem,) = schema.problems(SPEC.to_plist(), "dropscribe.plist")
    assert "named after its label" in problem
