#!/bin/sh
# What to run first on a real Mac: install, drop, result, stop, uninstall; then it reports.
# It works with the bundled model in a folder of its own, and refuses to touch an installed service.
# Usage: scripts/mac_smoke.sh [RECORDING]
set -eu
cd "$(dirname "$0")/.."
recording="${1:-tests/audio/memo-10s.wav}"
dropscribe="${DROPSCRIBE:-.venv/bin/dropscribe}"
label="local.dropscribe"
plist="$HOME/Library/LaunchAgents/$label.plist"
[ ! -e "$plist" ] || { echo "dropscribe is installed already; first: dropscribe uninstall" >&2; exit 1; }
command -v "$dropscribe" >/dev/null ||
    { echo "there is no $dropscribe: first ./scripts/demo.sh, or DROPSCRIBE=/path/to/dropscribe $0" >&2; exit 1; }

root="$(mktemp -d "$HOME/dropscribe-smoke.XXXXXX")"
export DROPSCRIBE_CONFIG="$root/config.toml"
for folder in inbox outbox done failed state logs; do
    mkdir "$root/$folder"
    echo "paths.$folder = \"$root/$folder\"" >> "$DROPSCRIBE_CONFIG"
done
echo 'transcribe.model = "base"' >> "$DROPSCRIBE_CONFIG"

failed() {
    echo "FAILED. What the logs say:"
    tail -n 20 "$root"/logs/*.log || true
    launchctl print "gui/$(id -u)/$label" || true
    "$dropscribe" uninstall || true
    echo "Everything is still in $root"
}
trap failed EXIT

echo "--- 1 install";   "$dropscribe" install
echo "--- 2 drop";      cp "$recording" "$root/inbox/smoke.${recording##*.}"
echo "--- 3 result";    seconds=0
until [ -e "$root/outbox/smoke.json" ]; do sleep 1; seconds=$((seconds + 1)); [ $seconds -lt 300 ]; done
echo "after $seconds s:"; cat "$root/outbox/smoke.txt"
grep '"status"' "$root/outbox/smoke.json"
echo "--- 4 stop";      "$dropscribe" stop
if launchctl print "gui/$(id -u)/$label" > /dev/null 2>&1; then echo "still loaded"; exit 1; fi
echo "--- 5 uninstall"; "$dropscribe" uninstall
[ ! -e "$plist" ]

trap - EXIT
rm -r "$root"
echo "All five steps worked: $("$dropscribe" --version), $(uname -sm) $(uname -r)."
