# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
# What the scripts share: words for the terminal, stamps, packages, the Python to build with.
# Sourced, not run. Sets: root (the checkout), build, venv, logs. SMISK_BUILD is another folder to build in, venv
# included, so that builds with several Pythons stand side by side (scripts/test-pythons).

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${SMISK_BUILD:-$root/build}
venv=${SMISK_BUILD:-$root}/.venv
logs=$build/log
stamps=$build/stamp

export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_NO_INPUT=1

say() {
    printf '\033[1m==>\033[0m %s\n' "$*" | if [ -t 1 ]; then cat; else sed 's/\x1b\[[0-9]*m//g'; fi
}

die() {
    printf '%s\n' "$@" >&2
    exit 1
}

# quietly NAME COMMAND...: runs it with its output in $logs/NAME.log, which is shown when it fails.
quietly() {
    local name=$1
    shift
    mkdir -p "$logs"
    if ! "$@" >"$logs/$name.log" 2>&1; then
        tail -n 30 "$logs/$name.log" >&2
        die "failed: $* (all of its output is in $logs/$name.log)"
    fi
}

# fresh NAME KEY: whether the step NAME was last done with the same KEY; done_with NAME KEY: say that it is.
fresh() {
    [ "$(cat "$stamps/$1" 2>/dev/null)" = "$2" ]
}

done_with() {
    mkdir -p "$stamps"
    printf '%s\n' "$2" >"$stamps/$1"
}

# One line that changes with the content or the name of any of these files and folders.
digest() {
    find "$@" -type f -not -path '*/__pycache__/*' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum |
        cut -d' ' -f1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "This needs root and there is no sudo. As root run: $*"
    fi
}
