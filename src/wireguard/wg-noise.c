/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wg-noise.c: the handshake pattern IKpsk2 of the Noise Protocol Framework, revision 34.
 *
 * The functions follow the tokens of the pattern one by one; section 5.2 of that document defines
 * the steps (mix_hash, mix_key, ...) they are made of, section 9 what a preshared key changes: "e"
 * also mixes the ephemeral public key into the chaining key.
 */
#include "wg-noise.h"

#include <string.h>

#include "wg-aead.h"

/* A key on the stack, wiped on every way out. */
typedef WgKey StepKey;

static void step_key_wipe(StepKey *key)
{
    wg_wipe(key, sizeof *key);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(StepKey, step_key_wipe)

static void mix_hash(WgNoise *noise, gconstpointer data, gsize len)
{
    wg_hash(noise->hash, noise->hash, sizeof noise->hash, data, len);
}

/* `key` gets the new cipher key; NULL if the pattern replaces it before it is used. */
static void mix_key(WgNoise *noise, const guint8 input[WG_KEY_SIZE], StepKey *key)
{
    guint8 out[2 * WG_HASH_SIZE];

    wg_kdf(out, key ? 2 : 1, noise->chain, input, WG_KEY_SIZE);
    memcpy(noise->chain, out, WG_HASH_SIZE);
    if (key)
        memcpy(key->bytes, out + WG_HASH_SIZE, WG_KEY_SIZE);
    wg_wipe(out, sizeof out);
}

static void mix_psk(WgNoise *noise, const WgKey *psk, StepKey *key)
{
    guint8 out[3 * WG_HASH_SIZE];

    wg_kdf(out, 3, noise->chain, psk->bytes, sizeof psk->bytes);
    memcpy(noise->chain, out, WG_HASH_SIZE);
    mix_hash(noise, out + WG_HASH_SIZE, WG_HASH_SIZE);
    memcpy(key->bytes, out + 2 * WG_HASH_SIZE, WG_KEY_SIZE);
    wg_wipe(out, sizeof out);
}

static void mix_ephemeral(WgNoise *noise, const WgKey *ephemeral_public)
{
    mix_hash(noise, ephemeral_public->bytes, sizeof ephemeral_public->bytes);
    mix_key(noise, ephemeral_public->bytes, NULL);
}

static gboolean mix_dh(WgNoise *noise, const WgKey *private_key, const WgKey *public_key,
                       StepKey *key)
{
    g_auto(StepKey) shared = {0};

    if (!wg_dh(shared.bytes, private_key, public_key))
        return FALSE;
    mix_key(noise, shared.bytes, key);
    return TRUE;
}

/* For a Diffie-Hellman result that was computed before. */
static gboolean mix_shared(WgNoise *noise, const WgKey *shared, StepKey *key)
{
    if (wg_key_is_zero(shared))
        return FALSE;
    mix_key(noise, shared->bytes, key);
    return TRUE;
}

/* Every cipher key of this pattern is used once, so the nonce is always 0. */
static void seal_and_hash(WgNoise *noise, const StepKey *key, gconstpointer in, gsize len,
                          guint8 *out)
{
    g_autoptr(WgAead) aead = wg_aead_new();

    wg_aead_seal(aead, key->bytes, 0, 0, noise->hash, sizeof noise->hash, in, len, out);
    mix_hash(noise, out, len + WG_TAG_SIZE);
}

/* `in` and `out` must not overlap: the sealed bytes are hashed. */
static gboolean open_and_hash(WgNoise *noise, const StepKey *key, const guint8 *in, gsize len,
                              guint8 *out)
{
    g_autoptr(WgAead) aead = wg_aead_new();

    if (!wg_aead_open(aead, key->bytes, 0, 0, noise->hash, sizeof noise->hash, in, len, out))
        return FALSE;
    mix_hash(noise, in, len);
    return TRUE;
}

void wg_noise_init(WgNoise *noise, gconstpointer prologue, gsize prologue_len,
                   const WgKey *responder)
{
    /* The name is longer than a hash, so it is hashed (section 5.2, InitializeSymmetric). */
    G_STATIC_ASSERT(sizeof WG_CONSTRUCTION - 1 > WG_HASH_SIZE);
    wg_hash(noise->chain, WG_CONSTRUCTION, sizeof WG_CONSTRUCTION - 1, NULL, 0);
    memcpy(noise->hash, noise->chain, WG_HASH_SIZE);
    mix_hash(noise, prologue, prologue_len);
    mix_hash(noise, responder->bytes, sizeof responder->bytes);
}

void wg_noise_clear(WgNoise *noise)
{
    wg_wipe(noise, sizeof *noise);
}

gboolean wg_noise_write_initiation(WgNoise *noise, const WgKey *ephemeral,
                                   const WgKey *static_public, const WgKey *static_shared,
                                   const WgKey *responder, gconstpointer payload, gsize payload_len,
                                   WgKey *out_ephemeral,
                                   guint8 out_static[WG_KEY_SIZE + WG_TAG_SIZE],
                                   guint8 *out_payload)
{
    g_auto(StepKey) key = {0};

    wg_key_public(out_ephemeral, ephemeral);
    mix_ephemeral(noise, out_ephemeral);            /* e */
    if (!mix_dh(noise, ephemeral, responder, &key)) /* es */
        return FALSE;
    seal_and_hash(noise, &key, static_public->bytes, sizeof static_public->bytes, out_static);
    if (!mix_shared(noise, static_shared, &key)) /* ss */
        return FALSE;
    seal_and_hash(noise, &key, payload, payload_len, out_payload);
    return TRUE;
}

gboolean wg_noise_read_initiation_static(WgNoise *noise, const WgKey *static_private,
                                         const WgKey *ephemeral,
                                         const guint8 sealed_static[WG_KEY_SIZE + WG_TAG_SIZE],
                                         WgKey *out_static)
{
    g_auto(StepKey) key = {0};

    mix_ephemeral(noise, ephemeral);                     /* e */
    if (!mix_dh(noise, static_private, ephemeral, &key)) /* es */
        return FALSE;
    return open_and_hash(noise, &key, sealed_static, WG_KEY_SIZE + WG_TAG_SIZE, out_static->bytes);
}

gboolean wg_noise_read_initiation_payload(WgNoise *noise, const WgKey *static_shared,
                                          const guint8 *sealed, gsize sealed_len,
                                          guint8 *out_payload)
{
    g_auto(StepKey) key = {0};

    if (!mix_shared(noise, static_shared, &key)) /* ss */
        return FALSE;
    return open_and_hash(noise, &key, sealed, sealed_len, out_payload);
}

gboolean wg_noise_write_response(WgNoise *noise, const WgKey *ephemeral,
                                 const WgKey *initiator_ephemeral, const WgKey *initiator_static,
                                 const WgKey *psk, gconstpointer payload, gsize payload_len,
                                 WgKey *out_ephemeral, guint8 *out_payload)
{
    g_auto(StepKey) key = {0};

    wg_key_public(out_ephemeral, ephemeral);
    mix_ephemeral(noise, out_ephemeral);                        /* e */
    if (!mix_dh(noise, ephemeral, initiator_ephemeral, NULL) || /* ee */
        !mix_dh(noise, ephemeral, initiator_static, NULL))      /* se */
        return FALSE;
    mix_psk(noise, psk, &key); /* psk */
    seal_and_hash(noise, &key, payload, payload_len, out_payload);
    return TRUE;
}

gboolean wg_noise_read_response(WgNoise *noise, const WgKey *ephemeral, const WgKey *static_private,
                                const WgKey *responder_ephemeral, const WgKey *psk,
                                const guint8 *sealed, gsize sealed_len, guint8 *out_payload)
{
    g_auto(StepKey) key = {0};

    mix_ephemeral(noise, responder_ephemeral);                     /* e */
    if (!mix_dh(noise, ephemeral, responder_ephemeral, NULL) ||    /* ee */
        !mix_dh(noise, static_private, responder_ephemeral, NULL)) /* se */
        return FALSE;
    mix_psk(noise, psk, &key); /* psk */
    return open_and_hash(noise, &key, sealed, sealed_len, out_payload);
}

void wg_noise_split(const WgNoise *noise, WgKey *initiator, WgKey *responder)
{
    guint8 out[2 * WG_HASH_SIZE];

    wg_kdf(out, 2, noise->chain, NULL, 0);
    memcpy(initiator->bytes, out, WG_KEY_SIZE);
    memcpy(responder->bytes, out + WG_HASH_SIZE, WG_KEY_SIZE);
    wg_wipe(out, sizeof out);
}
