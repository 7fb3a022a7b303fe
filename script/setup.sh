# Sourced by the other scripts: brings a machine that has only Python to where Steersman runs.
# Needs $root (the checkout) to be set. Says what it does on standard error, and only when it does something.

say() { printf '%s\n' "$*" >&2; }

fail() {
    say "$*"
    exit 1
}

# A Python of 3.11 or later, newest of the plain names first.
find_python() {
    local candidate
    for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    fail "Steersman needs Python 3.11 or later."
}

# Debian packages whose named file or command is missing: "package:what" pairs. Only root can install.
debian_packages() {
    local pair missing=()
    for pair in "$@"; do
        command -v "${pair#*:}" >/dev/null 2>&1 || [ -e "${pair#*:}" ] || missing+=("${pair%%:*}")
    done
    [ ${#missing[@]} -eq 0 ] && return
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        return # steersman itself says what is missing, where it matters
    fi
    say "Installing Debian packages: ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq >/dev/null 2>&1 || true
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null 2>"$root/.apt-errors" ||
        fail "Could not install ${missing[*]}: $(cat "$root/.apt-errors")"
    rm -f "$root/.apt-errors"
}

# The virtual environment with Steersman and, for "dev", what the checks need. Done again when pyproject.toml changed.
python_packages() {
    local extra=$1 python stamp wanted
    python=$(find_python)
    stamp="$root/.venv/.installed-$extra"
    wanted=$(cksum <"$root/pyproject.toml")
    [ -x "$root/.venv/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && return
    say "Setting up Python packages in .venv (once)"
    if ! "$python" -m venv "$root/.venv" >/dev/null 2>&1; then
        debian_packages "python3-venv:/nonexistent"
        "$python" -m venv "$root/.venv" || fail "Could not make a virtual environment (Debian: python3-venv)."
    fi
    local target="$root"
    [ "$extra" = run ] || target="$root[$extra]"
    "$root/.venv/bin/python" -m pip install --quiet --disable-pip-version-check -e "$target" ||
        fail "Could not install the Python packages."
    "$root/.venv/bin/python" -m compileall -q "$root/src" || true
    printf '%s' "$wanted" >"$stamp"
}

# What real containers need.
container_packages() {
    debian_packages crun:crun nftables:nft busybox-static:/bin/busybox haproxy:/usr/sbin/haproxy
}
