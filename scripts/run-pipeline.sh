#!/usr/bin/env bash
# Run one job by its number, in the foreground: scripts/run-pipeline.sh -j JOB
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/environment.sh
make_environment demo
exec .venv/bin/dropscribe run "$@"
