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
#include "wg-cipher.h"
#include "wg-crypto-private.h"
#include "wg-crypto.h"

#include <string.h>

/* Holds the key's block and a packet of the usual MTUs. What of a larger packet does not fit runs
 * from the caller's memory to the caller's memory. */
#define SCRATCH_SIZE ((gsize) 32 * CHACHA_BLOCK_SIZE)
#define SCRATCH_TEXT (SCRATCH_SIZE - CHACHA_BLOCK_SIZE)

#define POLY1305_BLOCK_SIZE 16
#define POLY1305_KEY_SIZE   32

typedef struct {
    guint8 scratch[SCRATCH_SIZE]; /* the key's block, and text */
    WgCipher seal;
    WgCipher open;
    EVP_MAC_CTX *mac; /* libcrypto wipes it when it has given the tag */
} Evp;

static gpointer evp_make(void)
{
    Evp *evp = g_new0(Evp, 1);

    wg_cipher_init(&evp->seal);
    wg_cipher_init(&evp->open);
    evp->mac = EVP_MAC_CTX_new(wg_crypto_algorithms()->one_time_mac);
    if (!evp->mac)
        wg_crypto_cannot("make a context for Poly1305");
    return evp;
}

static void evp_forget(gpointer state)
{
    Evp *evp = state;

    wg_wipe(evp->scratch, sizeof evp->scratch);
    wg_cipher_forget(&evp->seal);
    wg_cipher_forget(&evp->open);
}

static void evp_free(gpointer state)
{
    Evp *evp = state;

    evp_forget(evp);
    wg_cipher_clear(&evp->seal);
    wg_cipher_clear(&evp->open);
    EVP_MAC_CTX_free(evp->mac);
    g_free(evp);
}

/* The keystream begins with the block for the key of Poly1305, number 0. */
static void begin(WgCipher *cipher, const guint8 *key, guint64 id, guint64 counter)
{
    wg_cipher_begin(cipher, wg_crypto_algorithms()->stream, CHACHA_IV_SIZE, TRUE, key, id, counter);
}

static void run(WgCipher *cipher, const guint8 *in, gsize len, guint8 *out)
{
    int written = 0;

    if (EVP_EncryptUpdate(cipher->ctx, out, &written, in, (int) len) != 1 || written != (int) len)
        wg_crypto_cannot("run ChaCha20");
}

/* Makes the key of Poly1305, and behind it the first of the text, en- or decrypted. Returns how
 * much of it; the rest of the keystream follows. */
static gsize run_scratch(Evp *evp, WgCipher *cipher, const guint8 *in, gsize len)
{
    gsize first = MIN(len, SCRATCH_TEXT);
    gsize rounded = (first + CHACHA_BLOCK_SIZE - 1) & ~(gsize) (CHACHA_BLOCK_SIZE - 1);

    memset(evp->scratch, 0, CHACHA_BLOCK_SIZE);
    if (first > 0)
        memcpy(evp->scratch + CHACHA_BLOCK_SIZE, in, first);
    run(cipher, evp->scratch, CHACHA_BLOCK_SIZE + rounded, evp->scratch);
    return first;
}

/* Takes the text from the scratch memory, and runs the rest. */
static void finish(Evp *evp, WgCipher *cipher, const guint8 *in, gsize first, gsize len,
                   guint8 *out)
{
    if (first > 0)
        memcpy(out, evp->scratch + CHACHA_BLOCK_SIZE, first);
    if (len > first)
        run(cipher, in + first, len - first, out + first);
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

    begin(&evp->seal, key, id, counter);
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

    begin(&evp->open, key, id, counter);
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
