/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wg-xaead.c: XChaCha20-Poly1305, which libcrypto does not have, of what it has.
 */
#include "wg-aead.h"
#include "wg-crypto-private.h"
#include "wg-crypto.h"

#include <string.h>

void wg_hchacha20(guint8 out[WG_KEY_SIZE], const guint8 key[WG_KEY_SIZE], const guint8 nonce[16])
{
    static const char constants[16] = {'e', 'x', 'p', 'a', 'n', 'd', ' ', '3',
                                       '2', '-', 'b', 'y', 't', 'e', ' ', 'k'};
    const guint8 zeros[CHACHA_BLOCK_SIZE] = {0};
    guint32 block[CHACHA_BLOCK_SIZE / 4];
    guint32 initial[8];
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int written = 0;

    G_STATIC_ASSERT(CHACHA_IV_SIZE == 16); /* block counter and nonce: the state's last row */
    if (!ctx || EVP_EncryptInit_ex2(ctx, wg_crypto_algorithms()->stream, key, nonce, NULL) != 1 ||
        EVP_EncryptUpdate(ctx, (guint8 *) block, &written, zeros, sizeof zeros) != 1 ||
        written != sizeof block)
        wg_crypto_cannot("run ChaCha20");
    EVP_CIPHER_CTX_free(ctx);

    /* A ChaCha20 block is the rounds' result plus the state they began with; HChaCha20 is the
     * first and the last row of the rounds' result alone. Those two rows began with the constants
     * of RFC 8439 and with the nonce. */
    memcpy(initial, constants, 16);
    memcpy(initial + 4, nonce, 16);
    memmove(block + 4, block + 12, 16);
    for (guint i = 0; i < 8; i++)
        block[i] = GUINT32_TO_LE(GUINT32_FROM_LE(block[i]) - GUINT32_FROM_LE(initial[i]));
    memcpy(out, block, WG_KEY_SIZE);
    wg_wipe(block, sizeof block);
}

/* The subkey, and the rest of the nonce in the form of a counter: XChaCha20-Poly1305 ends in
 * ChaCha20-Poly1305 with 4 zero bytes and those 8 as the nonce, as a data packet's is. */
static guint64 xaead_begin(guint8 subkey[WG_KEY_SIZE], const guint8 key[WG_KEY_SIZE],
                           const guint8 nonce[WG_XNONCE_SIZE])
{
    guint64 counter;

    wg_hchacha20(subkey, key, nonce);
    memcpy(&counter, nonce + 16, sizeof counter);
    return GUINT64_FROM_LE(counter);
}

void wg_xaead_seal(const guint8 key[WG_KEY_SIZE], const guint8 nonce[WG_XNONCE_SIZE],
                   gconstpointer ad, gsize ad_len, const guint8 *in, gsize len, guint8 *out)
{
    g_autoptr(WgAead) aead = wg_aead_new();
    guint8 subkey[WG_KEY_SIZE];
    guint64 counter = xaead_begin(subkey, key, nonce);

    wg_aead_seal(aead, subkey, 0, counter, ad, ad_len, in, len, out);
    wg_wipe(subkey, sizeof subkey);
}

gboolean wg_xaead_open(const guint8 key[WG_KEY_SIZE], const guint8 nonce[WG_XNONCE_SIZE],
                       gconstpointer ad, gsize ad_len, const guint8 *in, gsize len, guint8 *out)
{
    g_autoptr(WgAead) aead = wg_aead_new();
    guint8 subkey[WG_KEY_SIZE];
    guint64 counter = xaead_begin(subkey, key, nonce);
    gboolean authentic = wg_aead_open(aead, subkey, 0, counter, ad, ad_len, in, len, out);

    wg_wipe(subkey, sizeof subkey);
    return authentic;
}
