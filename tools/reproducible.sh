#!/usr/bin/env bash
# Builds the executable for routers twice, from nothing: in two checkouts with names of different lengths, with caches of their
# own, one job at a time and two at once. Both must be the same, byte for byte.
#   tools/reproducible.sh [ARCH]     default mipsel; needs what `make native ARCH=…` has brought
set -euo pipefail
cd "$(dirname "$0")/.."
arch=${1:-mipsel}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# build CHECKOUT JOBS
build() {
  local root=$scratch/$1
  mkdir -p "$root/router-daemon" "$root/out/quickjs"
  cp -r router-daemon/native "$root/router-daemon/"
  cp out/quickjs/kcp-router.js "$root/out/quickjs/"
  cp -r out/sources "$root/out/"
  # The compiler of bytecode runs here; only what it writes gets into the executable.
  mkdir -p "$root/out/obj/quickjs"
  cp -r out/obj/quickjs/tools "$root/out/obj/quickjs/"
  ln -s "$PWD/out/zig" "$root/out/zig"
  ZIG_GLOBAL_CACHE_DIR=$root/cache ZIG_LOCAL_CACHE_DIR=$root/cache \
    make -s -C "$root/router-daemon/native/quickjs" ARCH="$arch" -j "$2" >&2
  sha256sum <"$root/out/bin/$arch/kcp-router" | cut -c1-64
}

first=$(build one 1)
second=$(build the-other-checkout 2)
if [ "$first" != "$second" ]; then
  echo "kcp-router for $arch is not reproducible: $first and $second."
  exit 1
fi
echo "kcp-router for $arch is reproducible: $first"
