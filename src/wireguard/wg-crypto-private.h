/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wg-crypto-private.h: libcrypto's algorithms, for those files of this folder that use it.
 */
#pragma once

#include <openssl/evp.h>

typedef struct {
    EVP_MD *hash;          /* BLAKE2s */
    EVP_MAC *mac;          /* BLAKE2s, keyed */
    EVP_MAC *hmac;         /* HMAC */
    EVP_CIPHER *stream;    /* ChaCha20 */
    EVP_MAC *one_time_mac; /* Poly1305 */
    EVP_CIPHER *aead;      /* both, as RFC 8439 joins them */
} WgAlgorithms;

/* wg_crypto_algorithms: fetched at the first call; any thread. */
const WgAlgorithms *wg_crypto_algorithms(void);

/* wg_crypto_cannot: ends the program, because libcrypto cannot do `what` (an English verb and its
 * object). */
_Noreturn void wg_crypto_cannot(const char *what);

/* The block function of ChaCha20, as libcrypto counts: an IV of 16 bytes is the number of the first
 * block in 4 bytes, little endian, and RFC 8439's nonce. */
#define CHACHA_BLOCK_SIZE 64
#define CHACHA_IV_SIZE    16
