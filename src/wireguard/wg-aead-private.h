/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wg-aead-private.h: what wg-aead.c and its backends say to each other.
 */
#pragma once

#include "wg-aead.h"

/* Of ChaCha20-Poly1305 (RFC 8439, 2.8): four zeros and the counter. */
#define WG_AEAD_IV_SIZE 12

/* A backend for packets without additional data. Arguments are those of wg_aead_seal() and
 * wg_aead_open(); `open` gets the length without the tag, which follows at in + len. */
typedef struct {
    gpointer (*make)(void); /* its state; NULL: not on this machine */
    void (*forget)(gpointer state);
    void (*free)(gpointer state); /* wipes */
    void (*seal)(gpointer state, const guint8 *key, guint64 id, guint64 counter, const guint8 *in,
                 gsize len, guint8 *out);
    gboolean (*open)(gpointer state, const guint8 *key, guint64 id, guint64 counter,
                     const guint8 *in, gsize len, guint8 *out);
} WgAeadMethods;

extern const WgAeadMethods wg_aead_reference;
extern const WgAeadMethods wg_aead_evp;

/* ---- The reference, with additional data ---------------------------------------------------- */

void wg_aead_reference_seal(gpointer state, const guint8 *key, guint64 id, guint64 counter,
                            gconstpointer ad, gsize ad_len, const guint8 *in, gsize len,
                            guint8 *out);
gboolean wg_aead_reference_open(gpointer state, const guint8 *key, guint64 id, guint64 counter,
                                gconstpointer ad, gsize ad_len, const guint8 *in, gsize len,
                                guint8 *out);

/* ---- libipsec-mb ---------------------------------------------------------------------------- */

/* What it calls managers: its code for one generation of processors. */
typedef enum {
    WG_IPSEC_MB_AUTO,
    WG_IPSEC_MB_SSE,
    WG_IPSEC_MB_AVX,
    WG_IPSEC_MB_AVX2,
    WG_IPSEC_MB_AVX512,
    WG_IPSEC_MB_N_MANAGERS,
} WgIpsecMbManager;

#ifdef HAVE_IPSEC_MB
extern const WgAeadMethods wg_aead_ipsec_mb;

/* wg_ipsec_mb_is_fast: whether it is faster than libcrypto on this processor. */
gboolean wg_ipsec_mb_is_fast(void);

gpointer wg_ipsec_mb_new(WgIpsecMbManager manager);
#endif

/* wg_aead_set_manager: for tests: libipsec-mb with another manager than the best. FALSE, and
 * nothing changed, if the processor has not what it needs, or it is not built in. */
gboolean wg_aead_set_manager(WgAead *aead, WgIpsecMbManager manager);
