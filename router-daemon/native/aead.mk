# AES-128-GCM, by build: the processor's own instructions where it has them (chosen at run time), else a library. Node's process
# has an OpenSSL, found by name at run time; a static executable carries the AES block of mbedTLS, whose sources come from
# tools/sources.sh. Who includes this has set NATIVE and ROOT.

MBEDTLS ?= $(ROOT)/out/sources/mbedtls

# The files of io/ that only one of the two builds has.
AEAD_FOR_NODE := $(NATIVE)/io/aead_evp.c
AEAD_FOR_STATIC := $(NATIVE)/io/aead_mbedtls.c $(NATIVE)/io/aead_ghash.c

# mbedTLS's own file, and what it and the files of io/ are compiled with.
MBEDTLS_SOURCES := $(MBEDTLS)/library/aes.c
MBEDTLS_FLAGS := -DAEAD_MBEDTLS -DMBEDTLS_CONFIG_FILE='"aead_mbedtls_config.h"' -I$(NATIVE)/io -isystem $(MBEDTLS)/include

# For 32-bit ARM aead_ghash.c is compiled a second time, with NEON (TARGET_arm_neon), and chosen where the processor has it.
AEAD_NEON_SOURCE := $(NATIVE)/io/aead_ghash.c
AEAD_NEON_FLAGS := -DGHASH_NEON
MBEDTLS_FLAGS += $(if $(filter arm,$(ARCH)),-DAEAD_NEON)
