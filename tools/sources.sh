#!/usr/bin/env bash
# Brings the third-party C sources and the cross compiler that the QuickJS executable is built with:
#   tools/sources.sh             out/sources/quickjs, out/sources/mbedtls
#   tools/sources.sh compiler    out/zig/bin/zig
# They come from package registries by the ordinary clients (cargo, pip) as they are configured on this machine, are checked
# against the hashes below, and are never committed. What is there already is left alone, so that later builds need no network.
set -euo pipefail
cd "$(dirname "$0")/.."
OUT=$PWD/out

# folder          crate               version   folder inside           SHA-256 of the crate
SOURCES="
quickjs           hirofa-quickjs-sys  0.16.1    bellard/quickjs         27d0405f4ade508b49a0cde9ee59baaad60937a353ce9a7b7364fff66fbe7af8
mbedtls           psa-crypto-sys      0.13.0    vendor                  f507eb19095cece94cafcef49c235dd463649e8c629c0b74fcdf9e6e16895feb
"
ZIG_PACKAGE=ziglang
ZIG_VERSION=0.17.0
# The registry's files of this version, one for each kind of machine we know.
ZIG_HASHES="
97079827064a7492cce5541ceb438ae8003ce1e54e399676da2d62fb7a5dc08b
d2804f94f54f7fcf8169f4b212a619ad688a4e2e6592e976f0cf2e58e2cd8af3
"

say() { printf '%s\n' "$*" >&2; }

table() { sed '/^$/d' <<<"$SOURCES"; }

# A package that depends on our crates makes cargo fetch them; what they in turn depend on is fetched too, and not used.
fetch_crates() {
  local scratch
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' RETURN
  {
    printf '[package]\nname = "sources"\nversion = "0.0.0"\nedition = "2021"\n[lib]\npath = "lib.rs"\n[dependencies]\n'
    table | while read -r _ crate version _; do printf '%s = "=%s"\n' "$crate" "$version"; done
  } >"$scratch/Cargo.toml"
  : >"$scratch/lib.rs"
  (cd "$scratch" && cargo fetch --quiet)
}

crate_file() {
  find "${CARGO_HOME:-$HOME/.cargo}/registry/cache" -name "$1-$2.crate" -type f 2>/dev/null | head -n 1
}

unpack() {
  local folder=$1 crate=$2 version=$3 inside=$4 hash=$5 file target=$OUT/sources/$1
  file=$(crate_file "$crate" "$version")
  [ -n "$file" ] || { say "cargo fetched no $crate $version."; exit 1; }
  if ! printf '%s  %s\n' "$hash" "$file" | sha256sum --check --status; then
    say "$file is not the $crate $version that this build was made for (its SHA-256 differs). Nothing was unpacked."
    exit 1
  fi
  rm -rf "$target" "$target.new"
  mkdir -p "$target.new"
  tar -xzf "$file" -C "$target.new" --strip-components=$((1 + $(grep -o / <<<"$inside/" | wc -l))) "$crate-$version/$inside"
  printf '%s\n' "$hash" >"$target.new/.unpacked-from"
  mv "$target.new" "$target"
}

bring_sources() {
  local folder crate version inside hash fetched=
  while read -r folder crate version inside hash; do
    [ "$(cat "$OUT/sources/$folder/.unpacked-from" 2>/dev/null)" = "$hash" ] && continue
    if [ -z "$(crate_file "$crate" "$version")" ] && [ -z "$fetched" ]; then
      say "Fetching C sources: $crate $version"
      fetch_crates
      fetched=1
    fi
    unpack "$folder" "$crate" "$version" "$inside" "$hash"
  done < <(table)
}

bring_compiler() {
  [ "$(cat "$OUT/zig/.version" 2>/dev/null)" = "$ZIG_VERSION" ] && return
  say "Fetching the cross compiler: $ZIG_PACKAGE $ZIG_VERSION"
  local wheels=$OUT/zig.new/wheel hash hashes=()
  rm -rf "$OUT/zig.new"
  mkdir -p "$OUT/zig.new/bin"
  for hash in $ZIG_HASHES; do hashes+=("--hash=sha256:$hash"); done
  printf '%s==%s %s\n' "$ZIG_PACKAGE" "$ZIG_VERSION" "${hashes[*]}" >"$OUT/zig.new/requirements.txt"
  # Not an environment: the package is one program and its files, and runs without Python.
  PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --require-hashes --no-deps --no-compile --target "$wheels" -r "$OUT/zig.new/requirements.txt"
  ln -s "../wheel/ziglang/zig" "$OUT/zig.new/bin/zig"
  printf '%s\n' "$ZIG_VERSION" >"$OUT/zig.new/.version"
  rm -rf "$OUT/zig"
  mv "$OUT/zig.new" "$OUT/zig"
}

bring_sources
[ "${1:-}" != compiler ] || bring_compiler
