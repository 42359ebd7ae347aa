/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wg-noise.h: the handshake Noise_IKpsk2, as pure functions.
 *
 * Prologue, ephemeral keys and payloads are parameters, so that the published Noise vectors can
 * drive it; wg-handshake.c fills them in as WireGuard does. Pattern IKpsk2 of the Noise Protocol
 * Framework, revision 34, sections 7.5 and 9:
 *
 *     <- s
 *     ...
 *     -> e, es, s, ss, payload
 *     <- e, ee, se, psk, payload
 *
 * All functions may be called from any thread on states of the thread's own. Those that return
 * gboolean return FALSE if a Diffie-Hellman result is zero or a tag is wrong; the state is then
 * spent and must be wiped with wg_noise_clear().
 */
#pragma once

#include "wg-crypto.h"

G_BEGIN_DECLS

/* The symmetric state: chaining key and transcript hash. Secret. */
typedef struct {
    guint8 chain[WG_HASH_SIZE];
    guint8 hash[WG_HASH_SIZE];
} WgNoise;

/* wg_noise_init: the state before the first message; `responder` is the responder's static public
 * key. */
void wg_noise_init(WgNoise *noise, gconstpointer prologue, gsize prologue_len,
                   const WgKey *responder);

void wg_noise_clear(WgNoise *noise);

/* wg_noise_write_initiation: the first message, as initiator. `ephemeral` and `static_private` are
 * private keys; `static_shared` is the Diffie-Hellman result of both static keys, computed once
 * per peer. Writes the ephemeral public key, the sealed static key and the sealed payload
 * (`payload_len` + WG_TAG_SIZE bytes). */
gboolean wg_noise_write_initiation(WgNoise *noise, const WgKey *ephemeral,
                                   const WgKey *static_public, const WgKey *static_shared,
                                   const WgKey *responder, gconstpointer payload, gsize payload_len,
                                   WgKey *out_ephemeral,
                                   guint8 out_static[WG_KEY_SIZE + WG_TAG_SIZE],
                                   guint8 *out_payload);

/* wg_noise_read_initiation_static: as responder, the first half: who is it? Writes the initiator's
 * static public key. */
gboolean wg_noise_read_initiation_static(WgNoise *noise, const WgKey *static_private,
                                         const WgKey *ephemeral,
                                         const guint8 sealed_static[WG_KEY_SIZE + WG_TAG_SIZE],
                                         WgKey *out_static);

/* wg_noise_read_initiation_payload: the second half, once the peer is known and `static_shared`
 * with it. `sealed_len` includes the tag. */
gboolean wg_noise_read_initiation_payload(WgNoise *noise, const WgKey *static_shared,
                                          const guint8 *sealed, gsize sealed_len,
                                          guint8 *out_payload);

/* wg_noise_write_response: the second message, as responder. `ephemeral` is our private one,
 * `initiator_ephemeral` and `initiator_static` are the initiator's public ones. */
gboolean wg_noise_write_response(WgNoise *noise, const WgKey *ephemeral,
                                 const WgKey *initiator_ephemeral, const WgKey *initiator_static,
                                 const WgKey *psk, gconstpointer payload, gsize payload_len,
                                 WgKey *out_ephemeral, guint8 *out_payload);

/* wg_noise_read_response: the second message, as initiator. `ephemeral` and `static_private` are
 * our private keys. */
gboolean wg_noise_read_response(WgNoise *noise, const WgKey *ephemeral, const WgKey *static_private,
                                const WgKey *responder_ephemeral, const WgKey *psk,
                                const guint8 *sealed, gsize sealed_len, guint8 *out_payload);

/* wg_noise_split: the transport keys: `initiator` is the one the initiator sends with. */
void wg_noise_split(const WgNoise *noise, WgKey *initiator, WgKey *responder);

G_END_DECLS
