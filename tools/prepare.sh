#!/usr/bin/env bash
# Makes this machine ready for a goal of the Makefile, and says what it does.
#   tools/prepare.sh build|native|quickjs|test|demo|bench
# As root on Debian or Ubuntu it installs missing system packages; otherwise it prints the command that does.
set -euo pipefail
cd "$(dirname "$0")/.."
goal=${1:?goal}

# What has to be there: a test that tells, and the Debian package that brings it.
needs=("command -v cc:build-essential" "command -v make:build-essential")
case $goal in
  build) ;;
  native | quickjs | test)
    # Only a cargo of 2025 or later reads today's crates; Debian 12 has one under another name.
    cargo=$(. /etc/os-release && [ "${VERSION_CODENAME:-}" = bookworm ] && echo cargo-web || echo cargo)
    needs+=("command -v cargo || [ -d out/sources/mbedtls ]:$cargo")
    ;;&
  native | test) needs+=("python3 -m pip --version || [ -d out/zig ]:python3-pip") ;;&
  test | demo | bench)
    needs+=("command -v ip:iproute2" "command -v unshare:util-linux" "command -v ethtool:ethtool" "command -v nft:nftables")
    ;;&
  bench) needs+=("command -v kcptun-client || command -v kcptun-server:kcptun" "command -v iperf3:iperf3") ;;&
  test | bench) needs+=("has_python:python3-venv") ;;&
  test) needs+=("command -v qemu-mips-static:qemu-user-static" "command -v busybox:busybox-static") ;;&
  test) needs+=("command -v chromium || command -v chromium-browser || command -v google-chrome:chromium" "fc-list :lang=zh | grep -q .:fonts-noto-cjk") ;;
esac

# A Python that can hold the real EasyTier peer of the tests (3.11 or newer, able to make environments).
has_python() {
  local python
  for python in python3.11 python3.12 python3.13 python3.14 python3 /usr/bin/python3; do
    "$python" -c 'import sys, venv, ensurepip; assert sys.version_info >= (3, 11)' 2>/dev/null && return 0
  done
  return 1
}

say() { printf '%s\n' "$*" >&2; }

export PATH=$PATH:/usr/sbin:/sbin
missing=()
for need in "${needs[@]}"; do
  if ! eval "${need%:*}" >/dev/null 2>&1; then missing+=("${need##*:}"); fi
done
if [ ${#missing[@]} -gt 0 ]; then
  mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
  install="apt-get install -y --no-install-recommends ${missing[*]}"
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "Installing system packages: ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086
    $install >/dev/null 2>&1 || { apt-get update -qq && $install >/dev/null; }
  elif [ "${missing[*]}" = python3-venv ] && [ -z "${CI:-}" ]; then
    say "No Python 3.11 or newer with venv: what needs the real EasyTier peer is skipped. To have it: sudo $install"
  else
    say "This needs system packages that are missing. Install them with:"
    say "  sudo $install"
    say "(on other systems than Debian and Ubuntu: what brings the same programs), then try again."
    exit 1
  fi
fi

if ! command -v node >/dev/null || ! command -v npm >/dev/null || [ "$(node -p 'Number(process.versions.node.split(".")[0]) >= 20')" != true ]; then
  say "This needs Node 20 or newer with npm. Install it (https://nodejs.org, or your system's package), then try again."
  exit 1
fi

# Node packages exactly as the lock file says. The stamp tells which lock file they were installed from.
lock=$(sha256sum package-lock.json | cut -d' ' -f1)
stamp=node_modules/.installed-from
if [ "$(cat "$stamp" 2>/dev/null)" != "$lock" ]; then
  if [ -d node_modules ] && npm ls --all >/dev/null 2>&1; then
    : # Installed by hand, and complete.
  else
    say "Installing Node packages (npm ci)"
    npm ci --no-audit --no-fund --loglevel=error >&2
  fi
  printf '%s\n' "$lock" >"$stamp"
fi

case $goal in
  native | test) tools/sources.sh compiler ;;
  quickjs) tools/sources.sh ;;
esac
