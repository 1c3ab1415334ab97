# AES-128-GCM, by build. With instructions of the processor's own where it has them (chosen at run time), else by a library:
# Node's process has an OpenSSL, found by name at run time; a static executable carries the AES block of mbedTLS, whose sources
# tools/sources.sh brings.
# The caller has set NATIVE and ROOT.

MBEDTLS ?= $(ROOT)/out/sources/mbedtls

AEAD_FOR_NODE := $(NATIVE)/io/aead_evp.c
AEAD_FOR_STATIC := $(NATIVE)/io/aead_mbedtls.c
# Everything but the library's own file, which is compiled without our warnings.
AEAD_SOURCES := $(filter-out $(AEAD_FOR_NODE) $(AEAD_FOR_STATIC),$(wildcard $(NATIVE)/io/aead*.c))

MBEDTLS_SOURCES := $(MBEDTLS)/library/aes.c
# For the files of io/ and for mbedTLS's alike.
MBEDTLS_FLAGS := -DAEAD_MBEDTLS -DMBEDTLS_CONFIG_FILE='"aead_mbedtls_config.h"' -I$(NATIVE)/io \
  -isystem $(MBEDTLS)/include -isystem $(MBEDTLS)/library
