#!/bin/sh
# kcp-router: starts the bundle that lies beside this file with Node 20 or newer.
set -eu
here=$(dirname "$(readlink -f "$0")")
if ! command -v "${KCP_ROUTER_NODE:-node}" >/dev/null 2>&1; then
  echo "kcp-router needs Node 20 or newer, and no node was found in PATH. Install it, or name it in KCP_ROUTER_NODE." >&2
  exit 1
fi
# The data path makes hardly any garbage: small new-space halves and few helper threads keep the process lean.
export MALLOC_ARENA_MAX="${MALLOC_ARENA_MAX:-1}" UV_THREADPOOL_SIZE="${UV_THREADPOOL_SIZE:-2}"
exec "${KCP_ROUTER_NODE:-node}" --max-semi-space-size=1 --v8-pool-size=1 "$here/kcp-router.js" "$@"
