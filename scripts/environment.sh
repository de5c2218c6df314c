# Sourced by the other scripts: makes .venv/ with the given extra, once. Needs Python 3.11 and pip.

make_environment() { # make_environment EXTRA
    local stamp
    stamp=".venv/.installed-$1-$(cat pyproject.toml scripts/environment.sh | cksum | cut -d' ' -f1)"
    [ -e "$stamp" ] && return
    local python
    python=$(find_python) || {
        echo "dropscribe needs Python 3.11, 3.12 or 3.13: install one, for example from python.org" >&2
        exit 1
    }
    echo "Making .venv with $("$python" --version), once; this may take a few minutes …" >&2
    # uv needs no ensurepip, resolves the same everywhere, and is ten times faster than pip.
    [ -x .venv/.uv/bin/uv ] ||
        "$python" -m pip install --quiet --disable-pip-version-check --target .venv/.uv uv
    [ -x .venv/bin/python ] || .venv/.uv/bin/uv venv --quiet --allow-existing --python "$python" .venv
    # Compiled now: a stage's sandbox lets none of them be written later, at each start anew.
    .venv/.uv/bin/uv pip install --quiet --compile-bytecode --python .venv/bin/python --editable ".[$1]"
    touch "$stamp"
}

find_python() {
    local name
    for name in python3.13 python3.12 python3.11 python3; do
        if "$name" -m pip --version >/dev/null 2>&1 &&
            "$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))'; then
            command -v "$name"
            return
        fi
    done
    return 1
}
