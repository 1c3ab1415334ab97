#!/bin/sh
# Nanoseconds to seal and to open a packet of 1400 bytes, by implementation, and how many times as long as OpenSSL that is.
#   test/native/aead_bench.sh NODE_DRIVER STATIC_DRIVER [MILLISECONDS]
set -eu
node=$1 static=$2 milliseconds=${3:-2000}

measure() { # label, driver, backend
  printf '%s|%s\n' "$1" "$(echo "time $3 1400 $milliseconds" | "$2")"
}

{
  measure "OpenSSL" "$node" openssl
  measure "own, as wide as this processor" "$node" x86
  measure "own, narrow" "$node" x86-narrow
  measure "own, narrow, static executable" "$static" x86-narrow
  measure "mbedTLS's AES, own GHASH" "$static" mbedtls
  # Without AES-NI and PCLMULQDQ: what OpenSSL has for such processors.
  export OPENSSL_ia32cap='~0x200000200000000'
  measure "OpenSSL without instructions for it" "$node" openssl
} | awk -F '[| ]' '
  BEGIN { printf "%-38s %9s %9s %12s %12s\n", "1400 bytes", "seal, ns", "open, ns", "seal / SSL", "open / SSL" }
  { seal = $(NF - 1); open = $NF; if (NR == 1) { s = seal; o = open }
    label = $0; sub(/\|.*/, "", label)
    if (seal + 0 > 0) printf "%-38s %9.0f %9.0f %12.2f %12.2f\n", label, seal, open, seal / s, open / o
    else printf "%-38s is not available on this machine\n", label }'
