/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wg-cipher.h: one of libcrypto's cipher contexts with a key in it, for the backends of wg-aead.h.
 */
#pragma once

#include <glib.h>
#include <openssl/evp.h>

/* One direction of one thread. The context holds a copy of the key; libcrypto wipes it when the
 * context is reset or freed. */
typedef struct {
    EVP_CIPHER_CTX *ctx;
    guint64 id; /* of the key in `ctx`, which never changes for an id; 0: none to remember */
} WgCipher;

/* wg_cipher_init: ends the program if there is no memory. wg_cipher_clear() frees. */
void wg_cipher_init(WgCipher *cipher);
void wg_cipher_clear(WgCipher *cipher);

/* wg_cipher_forget: wipes the key. */
void wg_cipher_forget(WgCipher *cipher);

/* wg_cipher_begin: sets `cipher` up for one packet: `algorithm` under `key`, which is looked at
 * only if `id` is 0 or not that of the packet before. The IV is `iv_size` bytes, at most
 * EVP_MAX_IV_LENGTH: zeros and the counter, 8 bytes in little endian. */
void wg_cipher_begin(WgCipher *cipher, const EVP_CIPHER *algorithm, gsize iv_size, gboolean encrypt,
                     const guint8 *key, guint64 id, guint64 counter);
