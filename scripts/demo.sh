#!/usr/bin/env bash
# The main job on bundled recordings, with the real daemon. Makes its own environment in .venv/.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/environment.sh
make_environment demo
exec .venv/bin/dropscribe demo "$@"
