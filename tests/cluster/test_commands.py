"""`dropscribe cluster add | status | remove`: a machine is used once it has proven itself."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from daemon.cluster import ssh, trust
from daemon.cluster.fairness import parse_idle
from daemon.commands import cluster
from daemon.commands.hosts_view import describe
from daemon.config import file as config_file
from daemon.errors import UsageError
from tests.kit.daemon_process import DEMO, DaemonProcess
from tests.kit.fake_recording import recording
from tests.kit.lenders import Lenders


def test_a_machine_is_added_when_a_recording_came_back_from_it_and_can_be_removed(
    tmp_path: Path, lenders: Lenders, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "audio").mkdir()
    (tmp_path / "audio" / cluster._SAMPLE).write_bytes(recording("this is a test"))
    monkeypatch.setattr(cluster, "BUNDLED", tmp_path)
    lenders.add("mac2")
    owner = DaemonProcess.on(tmp_path / "owner", DEMO)
    added = owner.call("cluster", "add", "mac2")
    assert added.returncode == 0, added.stderr
    assert "came back as" in added.stdout
    assert config_file.load(owner.root / "config.toml").cluster.hosts == ("mac2",)
    assert not list((tmp_path / "mac2" / "state").rglob("recording*"))  # nothing is left there
    shown = json.loads(owner.call("cluster", "status", "--json").stdout)
    assert (shown["running"], shown["hosts"]) == (False, [])
    removed = owner.call("cluster", "remove", "mac2")
    assert removed.returncode == 0, removed.stderr
    assert config_file.load(owner.root / "config.toml").cluster.hosts == ()


def test_a_machine_that_does_not_let_us_in_is_not_added_and_the_line_for_it_is_shown(
    tmp_path: Path, lenders: Lenders
) -> None:
    lenders.starts_with("mac2", ["sh", "-c", "echo 'me@mac2: Permission denied' >&2; exit 255"])
    owner = DaemonProcess.on(tmp_path / "owner", DEMO)
    refused = owner.call("cluster", "add", "mac2")
    assert refused.returncode == 1
    assert refused.stderr.endswith("it is not used yet: it does not let our key in\n")
    public = trust.public_key(owner.config.paths.state)
    assert f' lend" {public}' in refused.stdout
    assert refused.stdout.count('restrict,command="') == 1
    assert config_file.load(owner.root / "config.toml").cluster.hosts == ()
    key = owner.config.paths.state / "cluster" / ssh.KEY
    assert key.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "said",
    [
        "bash: line 1: /opt/x/dropscribe: No such file or directory",
        "zsh:1: command not found: dropscribe",
        "sh: 1: /opt/x/dropscribe: not found",
    ],
)
def test_where_dropscribe_is_not_where_it_was_looked_for_the_line_for_it_is_shown(
    tmp_path: Path, lenders: Lenders, said: str
) -> None:
    lenders.starts_with("mac2", ["sh", "-c", f"echo {shlex.quote(said)} >&2; exit 127"])
    owner = DaemonProcess.on(tmp_path / "owner", DEMO)
    refused = owner.call("cluster", "add", "mac2", "--program", "/there/dropscribe")
    assert refused.returncode == 1
    assert 'restrict,command="/there/dropscribe lend"' in refused.stdout
    assert "dropscribe is not where its line in ~/.ssh/authorized_keys says" in refused.stderr


def test_who_is_let_in_and_refused_is_told_why_and_nothing_else(
    tmp_path: Path, lenders: Lenders
) -> None:
    answer = json.dumps({"refused": "it has dropscribe 9, and the owner has 0.1.0"})
    lenders.starts_with("mac2", ["sh", "-c", f"read hello; echo {shlex.quote(answer)}"])
    owner = DaemonProcess.on(tmp_path / "owner", DEMO)
    refused = owner.call("cluster", "add", "mac2")
    assert refused.returncode == 1
    assert "it is not used yet: mac2: it has dropscribe 9" in refused.stderr
    assert "authorized_keys" not in refused.stdout


@pytest.mark.parametrize("name", ["-oProxyCommand=sh", "mac2 rm", "a;b", ""])
def test_an_option_of_sshs_is_no_machine(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"cluster\.hosts"):
        config_file.validated({"cluster": {"hosts": [name]}})


def test_what_ssh_says_is_put_in_plain_words() -> None:
    changed = "WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!\nHost key verification failed."
    assert "is another one" in ssh.explained(changed, "mac2")
    assert "cluster add mac2" in ssh.explained("Host key verification failed.", "mac2")
    assert ssh.explained("ssh: no route\n", "mac2") == "it does not answer (ssh: no route)"


def test_keys_are_named_as_known_hosts_names_them(tmp_path: Path) -> None:
    assert trust._named("me@mac2.local") == "mac2.local"
    assert trust._named("ssh://me@mac2.local:2222") == "[mac2.local]:2222"


def test_idleness_is_read_from_what_macos_says() -> None:
    said = b'    | |   "HIDIdleTime" = 62500000000\n'
    assert parse_idle(said) == 62.5
    assert parse_idle(b"nothing") is None


def test_a_machine_is_described_in_a_line() -> None:
    host = {"places": 2, "jobs": [3], "speed": 12.0, "bytes_per_second": 30_000_000, "reason": ""}
    assert describe(host) == "1 of 2 files (#3), 12.0 × real time, 30.0 MB/s"
    assert describe(host | {"places": 0, "reason": "it runs on battery"}) == "it runs on battery"
