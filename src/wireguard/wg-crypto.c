/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wg-crypto.c: the primitives of the protocol, from libcrypto.
 *
 * libcrypto looks algorithms up by name in its providers, which costs locks and string compares;
 * so they are fetched once. What cannot fail, short of a broken or stripped-down libcrypto, ends
 * the program: to go on without the primitive would be worse.
 */
#include "wg-crypto.h"
#include "wg-crypto-private.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>

/* Locked memory for secrets: about 1 KiB for each peer (three keypairs, a handshake and its keys
 * in blocks of a power of two), so room for a thousand peers. An eighth of systemd's usual
 * RLIMIT_MEMLOCK of 8 MiB. */
#define SECRET_HEAP_SIZE ((gsize) 1 << 20)

/* The least heap worth its guard pages. */
#define SECRET_HEAP_LEAST ((gsize) 1 << 14)

/* The smallest block: a key. */
#define SECRET_HEAP_BLOCK 32

_Noreturn void wg_crypto_cannot(const char *what)
{
    char reason[256] = "no reason given";
    unsigned long code = ERR_peek_last_error();

    if (code != 0)
        ERR_error_string_n(code, reason, sizeof reason);
    g_error("libcrypto cannot %s (%s). It needs its default provider, with BLAKE2s, X25519 and "
            "ChaCha20-Poly1305, and free memory.",
            what, reason);
    abort();
}

static WgAlgorithms all;

static void load_algorithms(void)
{
    all.hash = EVP_MD_fetch(NULL, "BLAKE2S-256", NULL);
    all.mac = EVP_MAC_fetch(NULL, "BLAKE2SMAC", NULL);
    all.hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    all.stream = EVP_CIPHER_fetch(NULL, "ChaCha20", NULL);
    all.one_time_mac = EVP_MAC_fetch(NULL, "POLY1305", NULL);
    all.aead = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL);
    if (!all.hash || !all.mac || !all.hmac || !all.stream || !all.one_time_mac || !all.aead)
        wg_crypto_cannot("offer the algorithms of WireGuard");
}

const WgAlgorithms *wg_crypto_algorithms(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, load_algorithms);
    return &all;
}

/* ---- Secrets -------------------------------------------------------------------------------- */

static gsize secret_heap_size(void)
{
    struct rlimit limit;
    gsize size = SECRET_HEAP_SIZE;

    if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return size;
    /* Half of what may be locked: other libraries of the process lock memory too. */
    while (size > SECRET_HEAP_LEAST && size > limit.rlim_cur / 2)
        size /= 2;
    return size;
}

static gboolean have_secret_heap;

static void make_secret_heap(void)
{
    /* Somebody else in the process may have made it: it is the process's. If locking fails, the
     * heap still has guard pages and is left out of core dumps. */
    if (!CRYPTO_secure_malloc_initialized())
        (void) CRYPTO_secure_malloc_init(secret_heap_size(), SECRET_HEAP_BLOCK);
    have_secret_heap = CRYPTO_secure_malloc_initialized() != 0;
}

static void need_secret_heap(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, make_secret_heap);
}

void wg_crypto_prepare(void)
{
    (void) wg_crypto_algorithms();
    need_secret_heap();
}

gpointer wg_secret_alloc0(gsize size)
{
    gpointer secret = NULL;

    need_secret_heap();
    if (have_secret_heap)
        secret = OPENSSL_secure_malloc(size);
    if (!secret)
        return g_malloc0(size);
    memset(secret, 0, size);
    return secret;
}

void wg_secret_free(gpointer secret, gsize size)
{
    if (!secret)
        return;
    if (CRYPTO_secure_allocated(secret)) {
        OPENSSL_secure_clear_free(secret, size);
        return;
    }
    OPENSSL_cleanse(secret, size);
    g_free(secret);
}

void wg_wipe(gpointer memory, gsize size)
{
    OPENSSL_cleanse(memory, size);
}

WgKey *wg_secret_key_copy(const WgKey *key)
{
    WgKey *copy = wg_secret_new0(WgKey);

    *copy = *key;
    return copy;
}

void wg_secret_key_free(WgKey *key)
{
    wg_secret_free(key, sizeof *key);
}

void wg_random(gpointer buffer, gsize len)
{
    g_assert(len <= INT_MAX);
    if (RAND_bytes(buffer, (int) len) != 1)
        wg_crypto_cannot("get random bytes from the system");
}

guint32 wg_random_below(guint32 bound)
{
    g_return_val_if_fail(bound > 0, 0);

    /* The lowest values are thrown away, so that what is left divides evenly by `bound`. */
    guint32 uneven = (G_MAXUINT32 - bound + 1) % bound;
    guint32 value;

    do
        wg_random(&value, sizeof value);
    while (value < uneven);
    return value % bound;
}

gboolean wg_equal(gconstpointer a, gconstpointer b, gsize len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}

/* ---- Keys ----------------------------------------------------------------------------------- */

#define BASE64_CHARS (WG_KEY_BASE64_SIZE - 1)

/* All ones if `low` <= `value` <= `high`, else 0; all three are small and not negative. */
static inline int range_mask(int value, int low, int high)
{
    return ((low - 1 - value) & (value - high - 1)) >> (sizeof(int) * CHAR_BIT - 1);
}

/* The six bits a character stands for; -1: none. No branch and no table: neither depends on a
 * key's bits. */
static int base64_value(guint8 c)
{
    int plus_one = 0;

    plus_one |= range_mask(c, 'A', 'Z') & (c - 'A' + 1);
    plus_one |= range_mask(c, 'a', 'z') & (c - 'a' + 27);
    plus_one |= range_mask(c, '0', '9') & (c - '0' + 53);
    plus_one |= range_mask(c, '+', '+') & 63;
    plus_one |= range_mask(c, '/', '/') & 64;
    return plus_one - 1;
}

static char base64_char(int value)
{
    int c = 0;

    c |= range_mask(value, 0, 25) & ('A' + value);
    c |= range_mask(value, 26, 51) & ('a' + value - 26);
    c |= range_mask(value, 52, 61) & ('0' + value - 52);
    c |= range_mask(value, 62, 62) & '+';
    c |= range_mask(value, 63, 63) & '/';
    return (char) c;
}

gboolean wg_key_from_base64(WgKey *key, const char *base64)
{
    guint32 pending = 0;
    guint n_pending = 0;
    gsize n = 0;
    int invalid = 0;

    memset(key, 0, sizeof *key);
    if (!base64 || strlen(base64) != BASE64_CHARS || base64[BASE64_CHARS - 1] != '=')
        return FALSE;
    for (guint i = 0; i < BASE64_CHARS - 1; i++) {
        int value = base64_value((guint8) base64[i]);

        invalid |= value;
        pending = pending << 6 | ((guint32) value & 0x3f);
        n_pending += 6;
        if (n_pending >= 8) {
            n_pending -= 8;
            key->bytes[n++] = (guint8) (pending >> n_pending);
        }
    }
    /* Two bits are left over. A second spelling of the same key is not a key. */
    if (invalid >= 0 && (pending & 3) == 0)
        return TRUE;
    wg_wipe(key, sizeof *key);
    return FALSE;
}

void wg_key_to_base64(const WgKey *key, char base64[WG_KEY_BASE64_SIZE])
{
    guint32 pending = 0;
    guint n_pending = 0;
    gsize n = 0;

    for (guint i = 0; i < WG_KEY_SIZE; i++) {
        pending = pending << 8 | key->bytes[i];
        n_pending += 8;
        while (n_pending >= 6) {
            n_pending -= 6;
            base64[n++] = base64_char(pending >> n_pending & 0x3f);
        }
    }
    base64[n++] = base64_char((int) (pending << 2 & 0x3f));
    base64[n++] = '=';
    base64[n] = '\0';
}

static gboolean bytes_are_zero(const guint8 *bytes, gsize len)
{
    guint8 any = 0;

    for (gsize i = 0; i < len; i++)
        any |= bytes[i];
    return any == 0;
}

gboolean wg_key_is_zero(const WgKey *key)
{
    return bytes_are_zero(key->bytes, sizeof key->bytes);
}

void wg_key_clamp(WgKey *private_key)
{
    private_key->bytes[0] &= 248;
    private_key->bytes[31] &= 127;
    private_key->bytes[31] |= 64;
}

void wg_key_generate(WgKey *private_key)
{
    if (RAND_priv_bytes(private_key->bytes, sizeof private_key->bytes) != 1)
        wg_crypto_cannot("get random bytes for a private key");
    wg_key_clamp(private_key);
}

static EVP_PKEY *load_private(const WgKey *key)
{
    EVP_PKEY *loaded =
        EVP_PKEY_new_raw_private_key_ex(NULL, "X25519", NULL, key->bytes, sizeof key->bytes);

    if (!loaded)
        wg_crypto_cannot("load a Curve25519 private key");
    return loaded;
}

void wg_key_public(WgKey *public_key, const WgKey *private_key)
{
    EVP_PKEY *loaded = load_private(private_key);
    gsize len = sizeof public_key->bytes;

    if (EVP_PKEY_get_raw_public_key(loaded, public_key->bytes, &len) != 1)
        wg_crypto_cannot("compute a Curve25519 public key");
    EVP_PKEY_free(loaded);
}

gboolean wg_dh(guint8 shared[WG_KEY_SIZE], const WgKey *private_key, const WgKey *public_key)
{
    EVP_PKEY *own = load_private(private_key);
    EVP_PKEY *other = EVP_PKEY_new_raw_public_key_ex(NULL, "X25519", NULL, public_key->bytes,
                                                     sizeof public_key->bytes);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, own, NULL);
    gsize len = WG_KEY_SIZE;

    /* Any 32 bytes are a public key (RFC 7748, section 5); only the result can be bad. */
    if (!other || !ctx || EVP_PKEY_derive_init(ctx) != 1 ||
        EVP_PKEY_derive_set_peer_ex(ctx, other, 0) != 1)
        wg_crypto_cannot("set up X25519");

    ERR_set_mark();
    gboolean ok = EVP_PKEY_derive(ctx, shared, &len) == 1 && len == WG_KEY_SIZE &&
                  !bytes_are_zero(shared, WG_KEY_SIZE);
    ERR_pop_to_mark();
    if (!ok)
        wg_wipe(shared, WG_KEY_SIZE);

    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(other);
    EVP_PKEY_free(own);
    return ok;
}

/* ---- Hashes --------------------------------------------------------------------------------- */

void wg_hash(guint8 out[WG_HASH_SIZE], gconstpointer a, gsize a_len, gconstpointer b, gsize b_len)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    if (!ctx || EVP_DigestInit_ex2(ctx, wg_crypto_algorithms()->hash, NULL) != 1 ||
        (a_len > 0 && EVP_DigestUpdate(ctx, a, a_len) != 1) ||
        (b_len > 0 && EVP_DigestUpdate(ctx, b, b_len) != 1) ||
        EVP_DigestFinal_ex(ctx, out, NULL) != 1)
        wg_crypto_cannot("compute BLAKE2s");
    EVP_MD_CTX_free(ctx);
}

static void compute_mac(EVP_MAC *type, const OSSL_PARAM *params, guint8 *out, gsize out_len,
                        gconstpointer key, gsize key_len, gconstpointer a, gsize a_len,
                        gconstpointer b, gsize b_len)
{
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(type);
    gsize written = 0;

    if (!ctx || EVP_MAC_init(ctx, key, key_len, params) != 1 ||
        (a_len > 0 && EVP_MAC_update(ctx, a, a_len) != 1) ||
        (b_len > 0 && EVP_MAC_update(ctx, b, b_len) != 1) ||
        EVP_MAC_final(ctx, out, &written, out_len) != 1 || written != out_len)
        wg_crypto_cannot("compute a BLAKE2s MAC");
    EVP_MAC_CTX_free(ctx);
}

void wg_mac(guint8 out[WG_MAC_SIZE], gconstpointer key, gsize key_len, gconstpointer a, gsize a_len,
            gconstpointer b, gsize b_len)
{
    gsize size = WG_MAC_SIZE;
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
        OSSL_PARAM_construct_end(),
    };

    g_assert(key_len >= 1 && key_len <= 32);
    compute_mac(wg_crypto_algorithms()->mac, params, out, WG_MAC_SIZE, key, key_len, a, a_len, b,
                b_len);
}

static void hmac(guint8 out[WG_HASH_SIZE], const guint8 key[WG_HASH_SIZE], gconstpointer a,
                 gsize a_len, gconstpointer b, gsize b_len)
{
    char digest[] = "BLAKE2S-256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };

    compute_mac(wg_crypto_algorithms()->hmac, params, out, WG_HASH_SIZE, key, WG_HASH_SIZE, a,
                a_len, b, b_len);
}

void wg_kdf(guint8 *out, guint n, const guint8 chain[WG_HASH_SIZE], gconstpointer input,
            gsize input_len)
{
    struct {
        guint8 extracted[WG_HASH_SIZE];
        guint8 block[WG_HASH_SIZE];
    } secret;

    g_assert(n >= 1 && n <= 3);
    hmac(secret.extracted, chain, input, input_len, NULL, 0);
    for (guint8 i = 1; i <= n; i++) {
        hmac(secret.block, secret.extracted, secret.block, i == 1 ? 0 : WG_HASH_SIZE, &i, 1);
        memcpy(out + (gsize) (i - 1) * WG_HASH_SIZE, secret.block, WG_HASH_SIZE);
    }
    wg_wipe(&secret, sizeof secret);
}
