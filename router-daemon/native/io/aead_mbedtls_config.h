/*
 * mbedTLS as aead_mbedtls.c needs it: the AES block alone. Its tables are constants, and the small set of them: a quarter of
 * the cache for 8 % more instructions (MIPS).
 */
#ifndef KCP_ROUTER_AEAD_MBEDTLS_CONFIG_H
#define KCP_ROUTER_AEAD_MBEDTLS_CONFIG_H

#define MBEDTLS_AES_C
#define MBEDTLS_AES_ROM_TABLES
#define MBEDTLS_AES_FEWER_TABLES
#define MBEDTLS_AES_ONLY_128_BIT_KEY_LENGTH
/* Ours is in aead_mbedtls.c. */
#define MBEDTLS_PLATFORM_ZEROIZE_ALT

#endif
