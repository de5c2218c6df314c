#!/bin/sh
# What to run first on a real Mac: everything that nobody could verify elsewhere, as one JSON that is
# safe to paste; the last item installs, drops, waits for the result, stops and uninstalls.
# Usage: scripts/mac_smoke.sh [OPTION]... (those of: dropscribe doctor --prove)
set -eu
cd "$(dirname "$0")/.."
dropscribe="${DROPSCRIBE:-.venv/bin/dropscribe}"
command -v "$dropscribe" >/dev/null ||
    { echo "there is no $dropscribe: first ./scripts/demo.sh, or DROPSCRIBE=/path/to/dropscribe $0" >&2; exit 1; }
exec "$dropscribe" doctor --prove "$@"
