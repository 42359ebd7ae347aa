/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wg-aead-evp.c: ChaCha20-Poly1305 for data packets, of libcrypto's ChaCha20 and Poly1305.
 *
 * libcrypto has the two joined, but slowly: it runs ChaCha20 once for the key of Poly1305, once for
 * the whole blocks of the text and once for the rest, and each run costs about as much as 16 blocks
 * do, which AVX-512 computes at once. Here one run does the lot: the text stands behind the 64
 * zeros that become the key's block, and is rounded up to whole blocks (RFC 8439, sections 2.6 and
 * 2.8). bench-aead compares the two. That takes a copy of the text; it also means that nothing is
 * decrypted to where the caller sees it before the tag was found right.
 */
#include "wg-aead-private.h"
#include "wg-crypto-private.h"
#include "wg-crypto.h"

#include <string.h>

/* Holds the key's block and a packet of the usual MTUs. What of a larger packet does not fit runs
 * from the caller's memory to the caller's memory. */
#define SCRATCH_SIZE ((gsize) 32 * CHACHA_BLOCK_SIZE)
#define SCRATCH_TEXT (SCRATCH_SIZE - CHACHA_BLOCK_SIZE)

#define POLY1305_BLOCK_SIZE 16
#define POLY1305_KEY_SIZE   32

/* One direction. libcrypto's context holds a copy of the key, and wipes it when it is reset or
 * freed. */
typedef struct {
    EVP_CIPHER_CTX *ctx;
    guint64 id; /* of the key in `ctx`; 0: none */
} Half;

typedef struct {
    guint8 scratch[SCRATCH_SIZE]; /* the key's block, and text */
    Half seal;
    Half open;
    EVP_MAC_CTX *mac; /* libcrypto wipes it when it has given the tag */
} Evp;

static gpointer evp_make(void)
{
    Evp *evp = g_new0(Evp, 1);

    evp->seal.ctx = EVP_CIPHER_CTX_new();
    evp->open.ctx = EVP_CIPHER_CTX_new();
    evp->mac = EVP_MAC_CTX_new(wg_crypto_algorithms()->one_time_mac);
    if (!evp->seal.ctx || !evp->open.ctx || !evp->mac)
        wg_crypto_cannot("make a cipher context");
    return evp;
}

static void evp_forget(gpointer state)
{
    Evp *evp = state;

    wg_wipe(evp->scratch, sizeof evp->scratch);
    evp->seal.id = evp->open.id = 0;
    EVP_CIPHER_CTX_reset(evp->seal.ctx);
    EVP_CIPHER_CTX_reset(evp->open.ctx);
}

static void evp_free(gpointer state)
{
    Evp *evp = state;

    evp_forget(evp);
    EVP_CIPHER_CTX_free(evp->seal.ctx);
    EVP_CIPHER_CTX_free(evp->open.ctx);
    EVP_MAC_CTX_free(evp->mac);
    g_free(evp);
}

/* The keystream begins with the block for the key of Poly1305, number 0. */
static void half_begin(Half *half, const guint8 *key, guint64 id, guint64 counter)
{
    guint8 iv[CHACHA_IV_SIZE] = {0};
    gboolean remembered = id != 0 && half->id == id;

    counter = GUINT64_TO_LE(counter);
    memcpy(iv + sizeof iv - sizeof counter, &counter, sizeof counter);
    if (EVP_EncryptInit_ex2(half->ctx, remembered ? NULL : wg_crypto_algorithms()->stream,
                            remembered ? NULL : key, iv, NULL) != 1)
        wg_crypto_cannot("set up ChaCha20");
    half->id = id;
}

static void half_run(Half *half, const guint8 *in, gsize len, guint8 *out)
{
    int written = 0;

    if (EVP_EncryptUpdate(half->ctx, out, &written, in, (int) len) != 1 || written != (int) len)
        wg_crypto_cannot("run ChaCha20");
}

/* Makes the key of Poly1305, and behind it the first of the text, en- or decrypted. Returns how
 * much of it; the rest of the keystream follows. */
static gsize run_scratch(Evp *evp, Half *half, const guint8 *in, gsize len)
{
    gsize first = MIN(len, SCRATCH_TEXT);
    gsize rounded = (first + CHACHA_BLOCK_SIZE - 1) & ~(gsize) (CHACHA_BLOCK_SIZE - 1);

    memset(evp->scratch, 0, CHACHA_BLOCK_SIZE);
    if (first > 0)
        memcpy(evp->scratch + CHACHA_BLOCK_SIZE, in, first);
    half_run(half, evp->scratch, CHACHA_BLOCK_SIZE + rounded, evp->scratch);
    return first;
}

/* Takes the text from the scratch memory, and runs the rest. */
static void finish(Evp *evp, Half *half, const guint8 *in, gsize first, gsize len, guint8 *out)
{
    if (first > 0)
        memcpy(out, evp->scratch + CHACHA_BLOCK_SIZE, first);
    if (len > first)
        half_run(half, in + first, len - first, out + first);
}

static void make_tag(Evp *evp, const guint8 *sealed, gsize len, guint8 tag[WG_TAG_SIZE])
{
    guint8 end[2 * POLY1305_BLOCK_SIZE] = {0}; /* the last, short block; the lengths of both */
    gsize rest = len % POLY1305_BLOCK_SIZE;
    gsize end_len = rest > 0 ? sizeof end : POLY1305_BLOCK_SIZE;
    guint64 length = GUINT64_TO_LE((guint64) len);
    gsize written = 0;

    if (rest > 0)
        memcpy(end, sealed + len - rest, rest);
    memcpy(end + end_len - sizeof length, &length, sizeof length);
    if (EVP_MAC_init(evp->mac, evp->scratch, POLY1305_KEY_SIZE, NULL) != 1 ||
        (len > rest && EVP_MAC_update(evp->mac, sealed, len - rest) != 1) ||
        EVP_MAC_update(evp->mac, end, end_len) != 1 ||
        EVP_MAC_final(evp->mac, tag, &written, WG_TAG_SIZE) != 1 || written != WG_TAG_SIZE)
        wg_crypto_cannot("run Poly1305");
}

static void evp_seal(gpointer state, const guint8 *key, guint64 id, guint64 counter,
                     const guint8 *in, gsize len, guint8 *out)
{
    Evp *evp = state;
    gsize first;

    half_begin(&evp->seal, key, id, counter);
    first = run_scratch(evp, &evp->seal, in, len);
    finish(evp, &evp->seal, in, first, len, out);
    make_tag(evp, out, len, out + len);
    if (id == 0)
        evp_forget(evp);
}

static gboolean evp_open(gpointer state, const guint8 *key, guint64 id, guint64 counter,
                         const guint8 *in, gsize len, guint8 *out)
{
    Evp *evp = state;
    guint8 tag[WG_TAG_SIZE];
    gboolean authentic;
    gsize first;

    half_begin(&evp->open, key, id, counter);
    first = run_scratch(evp, &evp->open, in, len);
    make_tag(evp, in, len, tag);
    authentic = wg_equal(tag, in + len, sizeof tag);
    if (authentic)
        finish(evp, &evp->open, in, first, len, out);
    if (id == 0)
        evp_forget(evp);
    return authentic;
}

const WgAeadMethods wg_aead_evp = {
    .make = evp_make,
    .forget = evp_forget,
    .free = evp_free,
    .seal = evp_seal,
    .open = evp_open,
};
