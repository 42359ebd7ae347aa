/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wg-cipher.c: keeps a key set up from packet to packet.
 */
#include "wg-cipher.h"

#include "wg-crypto-private.h"

#include <string.h>

void wg_cipher_init(WgCipher *cipher)
{
    cipher->id = 0;
    cipher->ctx = EVP_CIPHER_CTX_new();
    if (!cipher->ctx)
        wg_crypto_cannot("make a cipher context");
}

void wg_cipher_clear(WgCipher *cipher)
{
    cipher->id = 0;
    g_clear_pointer(&cipher->ctx, EVP_CIPHER_CTX_free);
}

void wg_cipher_forget(WgCipher *cipher)
{
    cipher->id = 0;
    EVP_CIPHER_CTX_reset(cipher->ctx);
}

void wg_cipher_begin(WgCipher *cipher, const EVP_CIPHER *algorithm, gsize iv_size, gboolean encrypt,
                     const guint8 *key, guint64 id, guint64 counter)
{
    guint8 iv[EVP_MAX_IV_LENGTH] = {0};
    gboolean remembered = id != 0 && cipher->id == id;

    counter = GUINT64_TO_LE(counter);
    memcpy(iv + iv_size - sizeof counter, &counter, sizeof counter);
    if (EVP_CipherInit_ex2(cipher->ctx, remembered ? NULL : algorithm, remembered ? NULL : key, iv,
                           encrypt, NULL) != 1)
        wg_crypto_cannot("set up a cipher");
    cipher->id = id;
}
