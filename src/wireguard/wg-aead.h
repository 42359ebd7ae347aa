/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wg-aead.h: authenticated encryption: ChaCha20-Poly1305 (RFC 8439) by the fastest of several
 * backends, and XChaCha20-Poly1305.
 *
 * Every function may be called from any thread, but a WgAead belongs to one. Lengths are in bytes.
 * Tags are compared in constant time.
 */
#pragma once

#include <glib.h>

#include "wg-constants.h"

G_BEGIN_DECLS

/* ---- Backends ------------------------------------------------------------------------------- */

/* Who seals and opens what has no additional data, as data packets have none. What has some, as
 * handshakes do, always goes to WG_AEAD_REFERENCE. */
typedef enum {
    WG_AEAD_AUTO,      /* the fastest here */
    WG_AEAD_REFERENCE, /* "reference": libcrypto's ChaCha20-Poly1305; what the others must equal */
    WG_AEAD_EVP,       /* "evp": libcrypto's ChaCha20 and Poly1305, joined here; always there */
    WG_AEAD_IPSEC_MB,  /* "ipsec-mb": libipsec-mb, if built in and the processor is an x86-64 */
} WgAeadBackend;

/* wg_aead_backend_name: as above in quotes, or "auto"; static. */
const char *wg_aead_backend_name(WgAeadBackend backend);

/* wg_aead_backend_from_name: the reverse; FALSE if there is no such name, and `backend` as it was.
 */
gboolean wg_aead_backend_from_name(const char *name, WgAeadBackend *backend);

/* wg_aead_has_backend: whether it is built in and runs on this processor, be it fast or not. */
gboolean wg_aead_has_backend(WgAeadBackend backend);

/* wg_aead_prefer: the backend of every WgAead made from now on, in this process; WG_AEAD_AUTO at
 * first. FALSE, and nothing changed, if it is not there. Only before threads that make one start.
 */
gboolean wg_aead_prefer(WgAeadBackend backend);

/* ---- ChaCha20-Poly1305 ---------------------------------------------------------------------- */

/* A thread's sealing and opening tool. It may remember the last key, so that a run of packets
 * under one key sets it once. */
typedef struct _WgAead WgAead;

/* wg_aead_new: cheap; what a backend needs is made at its first use, which takes up to 2 ms. */
WgAead *wg_aead_new(void);
void wg_aead_free(WgAead *aead); /* wipes */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(WgAead, wg_aead_free)

/* wg_aead_set_backend: this one's backend, in place of the preferred. What is remembered is
 * forgotten. FALSE, and nothing changed, if it is not there. */
gboolean wg_aead_set_backend(WgAead *aead, WgAeadBackend backend);

/* wg_aead_get_backend: what is in use, never WG_AEAD_AUTO. Makes it ready for use, so that the
 * first packet does not wait. */
WgAeadBackend wg_aead_get_backend(WgAead *aead);

/* wg_aead_forget: wipes the remembered key, and what else is left of packets. */
void wg_aead_forget(WgAead *aead);

/* wg_aead_seal: ChaCha20-Poly1305 with the nonce made of 4 zero bytes and `counter` in little
 * endian (paper 5.4). `out` gets `len` + WG_TAG_SIZE bytes; it is `in` or does not overlap it,
 * which costs the same. `id` names the key: equal ids must mean equal keys; 0 is never remembered.
 * `ad`, of `ad_len` bytes, is authenticated only. `len` is at most INT_MAX. */
void wg_aead_seal(WgAead *aead, const guint8 key[WG_KEY_SIZE], guint64 id, guint64 counter,
                  gconstpointer ad, gsize ad_len, const guint8 *in, gsize len, guint8 *out);

/* wg_aead_open: the reverse. `len` includes the tag; `out` gets `len` - WG_TAG_SIZE bytes. FALSE if
 * the tag is wrong or `len` is too short; `out` is then undefined and must not be used. */
gboolean wg_aead_open(WgAead *aead, const guint8 key[WG_KEY_SIZE], guint64 id, guint64 counter,
                      gconstpointer ad, gsize ad_len, const guint8 *in, gsize len, guint8 *out);

/* ---- XChaCha20-Poly1305 --------------------------------------------------------------------- */

/* wg_xaead_seal, wg_xaead_open: XChaCha20-Poly1305 with a nonce of 24 bytes
 * (draft-irtf-cfrg-xchacha-03, section 2), for cookies. Else as wg_aead_seal() and
 * wg_aead_open(). */
void wg_xaead_seal(const guint8 key[WG_KEY_SIZE], const guint8 nonce[WG_XNONCE_SIZE],
                   gconstpointer ad, gsize ad_len, const guint8 *in, gsize len, guint8 *out);
gboolean wg_xaead_open(const guint8 key[WG_KEY_SIZE], const guint8 nonce[WG_XNONCE_SIZE],
                       gconstpointer ad, gsize ad_len, const guint8 *in, gsize len, guint8 *out);

/* wg_hchacha20: the subkey of XChaCha20 (draft-irtf-cfrg-xchacha-03, section 2.2) for the first 16
 * bytes of a nonce. Public for its test vector. */
void wg_hchacha20(guint8 out[WG_KEY_SIZE], const guint8 key[WG_KEY_SIZE], const guint8 nonce[16]);

G_END_DECLS
