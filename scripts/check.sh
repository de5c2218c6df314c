#!/usr/bin/env bash
# The one definition of green: format, lint, types, tests.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/environment.sh
make_environment test
.venv/bin/ruff format --check .
.venv/bin/ruff check .
.venv/bin/mypy
exec scripts/test.sh "$@"
