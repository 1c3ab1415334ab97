#!/bin/sh
# Makes out/venv with the real EasyTier peer (PyPI package easytier-pyo3, test use only). Prints what it does.
# Exit status: 0 = there, 3 = this machine has no Python that can run it (the reason is printed), 1 = it failed.
set -eu
VERSION=0.1.3
root=$(cd "$(dirname "$0")/../../.." && pwd)
venv=$root/out/venv
mkdir -p "$root/out"

if [ "${PREPARE_LOCKED:-}" = "" ]; then
  PREPARE_LOCKED=1 exec flock "$root/out/venv.lock" "$0" "$@"
fi

has_peer() {
  [ -x "$venv/bin/python" ] && "$venv/bin/python" -c "
import importlib.metadata, easytier_pyo3
assert importlib.metadata.version('easytier-pyo3') == '$VERSION'" 2>/dev/null
}

if has_peer; then exit 0; fi

for python in python3.11 python3.12 python3.13 python3.14 python3 /usr/bin/python3; do
  "$python" -c 'import sys, venv, ensurepip; assert sys.version_info >= (3, 11)' 2>/dev/null || continue
  found=$python
  echo "Setting up the real EasyTier peer in out/venv with $("$python" --version)"
  rm -rf "$venv"
  "$python" -m venv "$venv" && "$venv/bin/pip" install -q "easytier-pyo3==$VERSION" || continue
  if has_peer; then exit 0; fi
done

if [ "${found:-}" = "" ]; then
  echo "The real EasyTier peer needs Python 3.11 or newer with the venv module (Debian: apt-get install python3-venv); none was found." >&2
else
  echo "The real EasyTier peer (easytier-pyo3 $VERSION) could not be installed for any Python of this machine." >&2
fi
exit 3
