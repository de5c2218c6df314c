#!/usr/bin/env bash
# The main job, with the real daemon, on bundled recordings or on yours: demo.sh [RECORDING]...
# Makes its own environment in .venv/.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/environment.sh
make_environment demo
exec .venv/bin/dropscribe demo "$@"
