#!/usr/bin/env bash
# The test suite, in its own environment (.venv/). Arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/environment.sh
make_environment test
# Two processes with a thread each: two teams of threads on two cores wait for one another.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
exec .venv/bin/python -m pytest -q -n 2 --dist loadfile "$@"
