/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wg-aead-reference.c: ChaCha20-Poly1305 as libcrypto has it: for handshakes and cookies, whose
 * additional data only this backend takes, and for tests to compare the others with.
 */
#include "wg-aead-private.h"
#include "wg-cipher.h"
#include "wg-crypto-private.h"

#include <openssl/err.h>
#include <string.h>

typedef struct {
    WgCipher seal;
    WgCipher open;
} Reference;

static gpointer reference_make(void)
{
    Reference *reference = g_new0(Reference, 1);

    wg_cipher_init(&reference->seal);
    wg_cipher_init(&reference->open);
    return reference;
}

static void reference_free(gpointer state)
{
    Reference *reference = state;

    wg_cipher_clear(&reference->seal);
    wg_cipher_clear(&reference->open);
    g_free(reference);
}

static void reference_forget(gpointer state)
{
    Reference *reference = state;

    wg_cipher_forget(&reference->seal);
    wg_cipher_forget(&reference->open);
}

static void begin(WgCipher *cipher, gboolean sealing, const guint8 *key, guint64 id,
                  guint64 counter)
{
    wg_cipher_begin(cipher, wg_crypto_algorithms()->aead, WG_AEAD_IV_SIZE, sealing, key, id,
                    counter);
}

/* Everything between the set-up and the tag. */
static void update(WgCipher *cipher, gconstpointer ad, gsize ad_len, const guint8 *in, gsize len,
                   guint8 *out)
{
    int written = 0;

    g_assert(ad_len <= G_MAXINT);
    if (ad_len > 0 && EVP_CipherUpdate(cipher->ctx, NULL, &written, ad, (int) ad_len) != 1)
        wg_crypto_cannot("authenticate data with ChaCha20-Poly1305");
    if (len > 0 &&
        (EVP_CipherUpdate(cipher->ctx, out, &written, in, (int) len) != 1 || written != (int) len))
        wg_crypto_cannot("run ChaCha20-Poly1305");
}

void wg_aead_reference_seal(gpointer state, const guint8 *key, guint64 id, guint64 counter,
                            gconstpointer ad, gsize ad_len, const guint8 *in, gsize len,
                            guint8 *out)
{
    WgCipher *cipher = &((Reference *) state)->seal;
    int written = 0;

    begin(cipher, TRUE, key, id, counter);
    update(cipher, ad, ad_len, in, len, out);
    if (EVP_CipherFinal_ex(cipher->ctx, out + len, &written) != 1 ||
        EVP_CIPHER_CTX_ctrl(cipher->ctx, EVP_CTRL_AEAD_GET_TAG, WG_TAG_SIZE, out + len) != 1)
        wg_crypto_cannot("make a ChaCha20-Poly1305 tag");
    if (id == 0)
        wg_cipher_forget(cipher);
}

gboolean wg_aead_reference_open(gpointer state, const guint8 *key, guint64 id, guint64 counter,
                                gconstpointer ad, gsize ad_len, const guint8 *in, gsize len,
                                guint8 *out)
{
    WgCipher *cipher = &((Reference *) state)->open;
    guint8 tag[WG_TAG_SIZE];
    int written = 0;

    memcpy(tag, in + len, sizeof tag);
    begin(cipher, FALSE, key, id, counter);
    if (EVP_CIPHER_CTX_ctrl(cipher->ctx, EVP_CTRL_AEAD_SET_TAG, WG_TAG_SIZE, tag) != 1)
        wg_crypto_cannot("take a ChaCha20-Poly1305 tag");
    update(cipher, ad, ad_len, in, len, out);

    /* libcrypto compares the tags here, in constant time. */
    ERR_set_mark();
    gboolean authentic = EVP_CipherFinal_ex(cipher->ctx, tag, &written) == 1;
    ERR_pop_to_mark();
    if (id == 0)
        wg_cipher_forget(cipher);
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
