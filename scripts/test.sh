#!/usr/bin/env bash
# The test suite, in its own environment (.venv/). Arguments go to pytest.
# What computes gets a core each; what mostly waits shares them, six at a time.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/environment.sh
make_environment test
# Two processes with a thread each: two teams of threads on two cores wait for one another.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
# Hundreds of daemons and stages start here: none of them should compile its modules anew.
unset PYTHONDONTWRITEBYTECODE
counts=$(mktemp)
trap 'rm -f "$counts"' EXIT

phase() { # phase NAME PROCESSES ARGUMENTS…: run its tests; the exit code is pytest's
    echo "--- tests that $1, $2 at a time"
    # With "=": pytest would take a separate path for the folder that its settings are in.
    .venv/bin/python -m pytest -q --phase="$1" -n "$2" --dist loadgroup --counts="$counts" "${@:3}"
}

waits=0 computes=0
phase wait 6 "$@" || waits=$?
phase compute 2 "$@" || computes=$?
exec .venv/bin/python -m tests.kit.phases "$counts" "$waits" "$computes"
