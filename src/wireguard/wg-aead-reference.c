/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wg-aead-reference.c: ChaCha20-Poly1305 as libcrypto has it: for handshakes and cookies, whose
 * additional data only this backend takes, and for tests to compare the others with.
 */
#include "wg-aead-private.h"
#include "wg-crypto-private.h"

#include <openssl/err.h>
#include <string.h>

#define IV_SIZE 12

/* One direction. libcrypto's context holds a copy of the key, and wipes it when it is reset or
 * freed. */
typedef struct {
    EVP_CIPHER_CTX *ctx;
    guint64 id; /* of the key in `ctx`; 0: none */
} Half;

typedef struct {
    Half seal;
    Half open;
} Reference;

static gpointer reference_make(void)
{
    Reference *reference = g_new0(Reference, 1);

    reference->seal.ctx = EVP_CIPHER_CTX_new();
    reference->open.ctx = EVP_CIPHER_CTX_new();
    if (!reference->seal.ctx || !reference->open.ctx)
        wg_crypto_cannot("make a cipher context");
    return reference;
}

static void reference_free(gpointer state)
{
    Reference *reference = state;

    EVP_CIPHER_CTX_free(reference->seal.ctx);
    EVP_CIPHER_CTX_free(reference->open.ctx);
    g_free(reference);
}

static void half_forget(Half *half)
{
    half->id = 0;
    EVP_CIPHER_CTX_reset(half->ctx);
}

static void reference_forget(gpointer state)
{
    Reference *reference = state;

    half_forget(&reference->seal);
    half_forget(&reference->open);
}

static void half_begin(Half *half, gboolean sealing, const guint8 *key, guint64 id, guint64 counter)
{
    guint8 iv[IV_SIZE] = {0};
    gboolean remembered = id != 0 && half->id == id;

    counter = GUINT64_TO_LE(counter);
    memcpy(iv + sizeof iv - sizeof counter, &counter, sizeof counter);
    if (EVP_CipherInit_ex2(half->ctx, remembered ? NULL : wg_crypto_algorithms()->aead,
                           remembered ? NULL : key, iv, sealing, NULL) != 1)
        wg_crypto_cannot("set up ChaCha20-Poly1305");
    half->id = id;
}

/* Everything between the set-up and the tag. */
static void half_update(Half *half, gconstpointer ad, gsize ad_len, const guint8 *in, gsize len,
                        guint8 *out)
{
    int written = 0;

    g_assert(ad_len <= G_MAXINT);
    if (ad_len > 0 && EVP_CipherUpdate(half->ctx, NULL, &written, ad, (int) ad_len) != 1)
        wg_crypto_cannot("authenticate data with ChaCha20-Poly1305");
    if (len > 0 &&
        (EVP_CipherUpdate(half->ctx, out, &written, in, (int) len) != 1 || written != (int) len))
        wg_crypto_cannot("run ChaCha20-Poly1305");
}

void wg_aead_reference_seal(gpointer state, const guint8 *key, guint64 id, guint64 counter,
                            gconstpointer ad, gsize ad_len, const guint8 *in, gsize len,
                            guint8 *out)
{
    Half *half = &((Reference *) state)->seal;
    int written = 0;

    half_begin(half, TRUE, key, id, counter);
    half_update(half, ad, ad_len, in, len, out);
    if (EVP_CipherFinal_ex(half->ctx, out + len, &written) != 1 ||
        EVP_CIPHER_CTX_ctrl(half->ctx, EVP_CTRL_AEAD_GET_TAG, WG_TAG_SIZE, out + len) != 1)
        wg_crypto_cannot("make a ChaCha20-Poly1305 tag");
    if (id == 0)
        half_forget(half);
}

gboolean wg_aead_reference_open(gpointer state, const guint8 *key, guint64 id, guint64 counter,
                                gconstpointer ad, gsize ad_len, const guint8 *in, gsize len,
                                guint8 *out)
{
    Half *half = &((Reference *) state)->open;
    guint8 tag[WG_TAG_SIZE];
    int written = 0;

    memcpy(tag, in + len, sizeof tag);
    half_begin(half, FALSE, key, id, counter);
    if (EVP_CIPHER_CTX_ctrl(half->ctx, EVP_CTRL_AEAD_SET_TAG, WG_TAG_SIZE, tag) != 1)
        wg_crypto_cannot("take a ChaCha20-Poly1305 tag");
    half_update(half, ad, ad_len, in, len, out);

    /* libcrypto compares the tags here, in constant time. */
    ERR_set_mark();
    gboolean authentic = EVP_CipherFinal_ex(half->ctx, tag, &written) == 1;
    ERR_pop_to_mark();
    if (id == 0)
        half_forget(half);
    return authentic;
}

static void reference_seal(gpointer state, const guint8 *key, guint64 id, guint64 counter,
                           const guint8 *in, gsize len, guint8 *out)
{
    wg_aead_reference_seal(state, key, id, counter, NULL, 0, in, len, out);
}

static gboolean reference_open(gpointer state, const guint8 *key, guint64 id, guint64 counter,
                               const guint8 *in, gsize len, guint8 *out)
{
    return wg_aead_reference_open(state, key, id, counter, NULL, 0, in, len, out);
}

const WgAeadMethods wg_aead_reference = {
    .make = reference_make,
    .forget = reference_forget,
    .free = reference_free,
    .seal = reference_seal,
    .open = reference_open,
};
