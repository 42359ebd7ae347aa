/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wg-crypto.h: keys, hashes and secret memory, all from OpenSSL's libcrypto. Authenticated
 * encryption is wg-aead.h.
 *
 * Every function may be called from any thread. Lengths are in bytes. Comparisons of secret or
 * secret-derived bytes are in constant time.
 */
#pragma once

#include <glib.h>

#include "wg-constants.h"

G_BEGIN_DECLS

/* A Curve25519 key, public or private, or a preshared key. */
typedef struct {
    guint8 bytes[WG_KEY_SIZE];
} WgKey;

/* ---- Secrets -------------------------------------------------------------------------------- */

/* wg_crypto_prepare: reads libcrypto's configuration and locks memory for secrets now, rather than
 * when they are first needed: by then the process may have given up the right to. */
void wg_crypto_prepare(void);

/* wg_secret_alloc0: zeroed memory for a secret: locked, out of core dumps, from libcrypto's secure
 * heap; ordinary memory once that is full. Never NULL. Free with wg_secret_free(). */
gpointer wg_secret_alloc0(gsize size);

/* wg_secret_free: wipes, then frees; NULL is fine. `size` is what was allocated. */
void wg_secret_free(gpointer secret, gsize size);

#define wg_secret_new0(type) ((type *) wg_secret_alloc0(sizeof(type)))

/* wg_wipe: overwrites memory with zeros in a way no compiler removes. */
void wg_wipe(gpointer memory, gsize size);

/* wg_secret_key_copy: a copy of a key in secret memory, for wg_secret_key_free(). */
WgKey *wg_secret_key_copy(const WgKey *key);
void wg_secret_key_free(WgKey *key);

/* wg_random: fills with random bytes of the system; aborts if there are none. */
void wg_random(gpointer buffer, gsize len);

/* wg_random_below: a random number from 0 to `bound` - 1. */
guint32 wg_random_below(guint32 bound);

/* wg_equal: compares in constant time. */
gboolean wg_equal(gconstpointer a, gconstpointer b, gsize len);

/* ---- Keys ----------------------------------------------------------------------------------- */

/* wg_key_from_base64: reads the 44 characters of a base64 key, as `wg` writes it: padded, with the
 * two unused bits zero, nothing before or after. Constant time in the characters' values. */
gboolean wg_key_from_base64(WgKey *key, const char *base64);

/* wg_key_to_base64: writes 44 characters and a NUL. */
#define WG_KEY_BASE64_SIZE 45
void wg_key_to_base64(const WgKey *key, char base64[WG_KEY_BASE64_SIZE]);

gboolean wg_key_is_zero(const WgKey *key);

/* wg_key_clamp: sets and clears the bits of a private key that RFC 7748, section 5, fixes. */
void wg_key_clamp(WgKey *private_key);

/* wg_key_generate: a new private key, clamped. */
void wg_key_generate(WgKey *private_key);

/* wg_key_public: the public key of a private key. */
void wg_key_public(WgKey *public_key, const WgKey *private_key);

/* wg_dh: X25519. FALSE if the result is all zero (a public key of low order); `shared` is zero
 * then. */
gboolean wg_dh(guint8 shared[WG_KEY_SIZE], const WgKey *private_key, const WgKey *public_key);

/* ---- Hashes --------------------------------------------------------------------------------- */

/* wg_hash: BLAKE2s-256 of `a` followed by `b` (either may be empty). */
void wg_hash(guint8 out[WG_HASH_SIZE], gconstpointer a, gsize a_len, gconstpointer b, gsize b_len);

/* wg_mac: keyed BLAKE2s with 16 bytes of output (RFC 7693), over `a` followed by `b`. `key_len` is
 * 1 to 32. */
void wg_mac(guint8 out[WG_MAC_SIZE], gconstpointer key, gsize key_len, gconstpointer a, gsize a_len,
            gconstpointer b, gsize b_len);

/* wg_kdf: HKDF (RFC 5869) with HMAC-BLAKE2s, empty info, salt `chain`: `n` (1 to 3) outputs of 32
 * bytes each, to `out`. `out` may overlap `chain`. */
void wg_kdf(guint8 *out, guint n, const guint8 chain[WG_HASH_SIZE], gconstpointer input,
            gsize input_len);

G_END_DECLS
