/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-wg-crypto.c: the primitives against published vectors, keys in base64, and secret memory.
 */
#include "test-aead-vector.h"
#include "test-hex.h"
#include "wireguard/wg-aead.h"
#include "wireguard/wg-crypto.h"

#include <sys/resource.h>

/* ---- Hashes --------------------------------------------------------------------------------- */

/* The input generator of RFC 7693, appendix E. */
static void fill_sequence(guint8 *out, gsize len, guint32 seed)
{
    guint32 a = 0xdead4bad * seed;
    guint32 b = 1;

    for (gsize i = 0; i < len; i++) {
        guint32 t = a + b;

        a = b;
        b = t;
        out[i] = (guint8) (t >> 24);
    }
}

typedef struct {
    gsize input_len;
    const char *hex;
} HashCase;

static void test_hash(void)
{
    /* The inputs of RFC 7693, appendix E; the outputs are those that its reference code gives
     * (CPython's hashlib wraps it), checked there against the RFC's total. */
    static const HashCase cases[] = {
        {0, "69217a3079908094e11121d042354a7c1f55b6482ca1a51e1b250dfd1ed0eef9"},
        {3, "77012be5f6fb6b23846795e1e8e22fb598a1ba60ea59a378d9d908d8b6dea646"},
        {64, "ea1387748c70a79548f4e19453cacf84e6eadf88beb5511ad53181271c6f40e5"},
        {65, "f40d1afedd6265437e1cc49a2bae67c3bf936f84956ef2d548e0a323df58aa59"},
        {255, "ad4286d0cb7544fe3b1c1aff31b8a9aa3b6076d9a2c6b4bbdb7975ba7f7408a1"},
        {1024, "c795e9ac66ad49540e9ce43efcc6da142c61c1e6051f0608bb109c14d24e4ebb"},
    };
    guint8 input[1024];
    guint8 out[WG_HASH_SIZE];

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        gsize len = cases[i].input_len;

        fill_sequence(input, len, (guint32) len);
        wg_hash(out, input, len, NULL, 0);
        assert_hex(out, sizeof out, cases[i].hex);
        wg_hash(out, NULL, 0, input, len);
        assert_hex(out, sizeof out, cases[i].hex);
        wg_hash(out, input, len / 3, input + len / 3, len - len / 3);
        assert_hex(out, sizeof out, cases[i].hex);
    }

    /* RFC 7693, appendix B. */
    wg_hash(out, "abc", 3, NULL, 0);
    assert_hex(out, sizeof out, "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982");
}

static void check_macs(gsize key_len, const HashCase *cases, guint n)
{
    guint8 key[32];
    guint8 input[1024];
    guint8 out[WG_MAC_SIZE];

    fill_sequence(key, key_len, (guint32) key_len);
    for (guint i = 0; i < n; i++) {
        gsize len = cases[i].input_len;

        fill_sequence(input, len, (guint32) len);
        wg_mac(out, key, key_len, input, len, NULL, 0);
        assert_hex(out, sizeof out, cases[i].hex);
        wg_mac(out, key, key_len, input, len / 2, input + len / 2, len - len / 2);
        assert_hex(out, sizeof out, cases[i].hex);
    }
}

/* The output size is part of BLAKE2s's parameters: a longer MAC cut short is another value. The
 * source is that of the cases above; keys of 16 bytes are within the RFC's total. */
static void test_mac(void)
{
    static const HashCase key16[] = {
        {0, "848968b35901e9579a4dbf28df99ec23"},   {3, "2ebb1878da3405ad981a33065035d375"},
        {64, "3cd4ead7880b8e82de079c1fad3417d4"},  {65, "ee92c5254c297a88e69a236956b67cee"},
        {255, "9b7c5ffc7770587f9f96323dcc82dcd1"}, {1024, "94a7b5dacb7b645405e7898a8905592a"},
    };
    static const HashCase key32[] = {
        {0, "ee3ded4aa88f4a2c34565a5e581efe15"},   {3, "ec1c391ea9b7be694450eb1047df43e8"},
        {64, "bd69ea85d6178072673f0338f547bb55"},  {65, "7d66d48e665d16fc8b99aa0c6b8efc3e"},
        {255, "56c40d2154260d3566f326e37b544a64"}, {1024, "75c5ef23b4fcac726d737a3ec11e6d0a"},
    };

    check_macs(16, key16, G_N_ELEMENTS(key16));
    check_macs(32, key32, G_N_ELEMENTS(key32));
}

/* wireguard-go, device/kdf_test.go. Its keys are shorter than 32 bytes; HMAC pads keys with zeros,
 * so ours may do so beforehand. */
static void test_kdf(void)
{
    static const struct {
        const char *chain;
        const char *input;
        const char *out;
    } cases[] = {
        {"test-key", "test-input",
         "6f0e5ad38daba1bea8a0d213688736f19763239305e0f58aba697f9ffc41c633"
         "df1194df20802a4fe594cde27e92991c8cae66c366e8106aaa937a55fa371e8a"
         "fac6e2745a325f5dc5d11a5b165aad08b0ada28e7b4e666b7c077934a4d76c24"},
        {"wireguard", "wireguard",
         "491d43bbfdaa8750aaf535e334ecbfe5129967cd64635101c566d4caefda96e8"
         "1e71a379baefd8a79aa4662212fcafe19a23e2b609a3db7d6bcba8f560e3d25f"
         "31e1ae48bddfbe5de38f295e5452b1909a1b4e38e183926af3780b0c1e1f0160"},
        {"", "",
         "8387b46bf43eccfcf349552a095d8315c4055beb90208fb1be23b894bc2ed5d0"
         "58a0e5f6faefccf4807bff1f05fa8a9217945762040bcec2f4b4a62bdfe0e86e"
         "0ce6ea98ec548f8e281e93e32db65621c45eb18dc6f0a7ad94178610a2f7338e"},
    };
    guint8 expected[3 * WG_HASH_SIZE];

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        unhex(expected, sizeof expected, cases[i].out);
        for (guint n = 1; n <= 3; n++) {
            guint8 chain[WG_HASH_SIZE] = {0};
            guint8 out[3 * WG_HASH_SIZE + 1] = {0};

            memcpy(chain, cases[i].chain, strlen(cases[i].chain));
            wg_kdf(out, n, chain, cases[i].input, strlen(cases[i].input));
            g_assert_cmpmem(out, n * WG_HASH_SIZE, expected, n * WG_HASH_SIZE);
            g_assert_cmpuint(out[n * WG_HASH_SIZE], ==, 0);

            /* In place of the chain. */
            memset(out, 0, sizeof out);
            memcpy(out, chain, sizeof chain);
            wg_kdf(out, n, out, cases[i].input, strlen(cases[i].input));
            g_assert_cmpmem(out, n * WG_HASH_SIZE, expected, n * WG_HASH_SIZE);
        }
    }
}

/* ---- Curve25519 ----------------------------------------------------------------------------- */

static void check_dh(const char *private_hex, const char *public_hex, const char *shared_hex)
{
    guint8 shared[WG_KEY_SIZE];
    WgKey private_key;
    WgKey public_key;

    unhex(private_key.bytes, WG_KEY_SIZE, private_hex);
    unhex(public_key.bytes, WG_KEY_SIZE, public_hex);
    g_assert_true(wg_dh(shared, &private_key, &public_key));
    assert_hex(shared, sizeof shared, shared_hex);
}

/* RFC 7748, sections 5.2 and 6.1. */
static void test_dh(void)
{
    static const char *const alice[] = {
        "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
        "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"};
    static const char *const bob[] = {
        "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
        "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"};
    static const char shared[] = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742";
    WgKey private_key;
    WgKey public_key;

    check_dh("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
             "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
             "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
    check_dh("4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
             "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
             "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957");
    check_dh(alice[0], bob[1], shared);
    check_dh(bob[0], alice[1], shared);

    unhex(private_key.bytes, WG_KEY_SIZE, alice[0]);
    wg_key_public(&public_key, &private_key);
    assert_hex(public_key.bytes, WG_KEY_SIZE, alice[1]);
    unhex(private_key.bytes, WG_KEY_SIZE, bob[0]);
    wg_key_public(&public_key, &private_key);
    assert_hex(public_key.bytes, WG_KEY_SIZE, bob[1]);
}

static void test_dh_iterated(void)
{
    WgKey k = {{9}};
    WgKey u = {{9}};
    guint8 shared[WG_KEY_SIZE];

    for (guint i = 0; i < 1000; i++) {
        g_assert_true(wg_dh(shared, &k, &u));
        u = k;
        memcpy(k.bytes, shared, WG_KEY_SIZE);
        if (i == 0)
            assert_hex(k.bytes, WG_KEY_SIZE,
                       "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079");
    }
    assert_hex(k.bytes, WG_KEY_SIZE,
               "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51");
}

/* The points of low order of https://cr.yp.to/ecdh.html, and their other spellings: the top bit of
 * a public key is ignored (RFC 7748, section 5). */
static void test_low_order(void)
{
    static const char *const points[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    };
    const WgKey zero = {{0}};
    WgKey private_key;
    WgKey public_key;
    WgKey shared;

    for (guint i = 0; i < 2 * G_N_ELEMENTS(points); i++) {
        wg_key_generate(&private_key);
        unhex(public_key.bytes, WG_KEY_SIZE, points[i / 2]);
        public_key.bytes[31] |= i % 2 ? 0x80 : 0;
        memset(&shared, 0xaa, sizeof shared);
        g_assert_false(wg_dh(shared.bytes, &private_key, &public_key));
        g_assert_cmpmem(shared.bytes, WG_KEY_SIZE, zero.bytes, WG_KEY_SIZE);
    }
}

/* ---- Authenticated encryption --------------------------------------------------------------- */

/* draft-irtf-cfrg-xchacha-03, appendix A.3.1. */
static const SealCase xchacha = {
    "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
    "404142434445464748494a4b4c4d4e4f5051525354555657",
    "50515253c0c1c2c3c4c5c6c7",
    "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb"
    "731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452"
    "2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9"
    "21f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49",
    "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
    "sunscreen would be it.",
};

#define MAX_SEALED 512

typedef struct {
    guint8 key[WG_KEY_SIZE];
    guint8 nonce[WG_XNONCE_SIZE];
    guint64 counter;
    guint8 *ad;
    gsize ad_len;
    guint8 *sealed;
    gsize sealed_len;
    const char *plain;
    gsize len;
} Case;

static Case *case_load(const SealCase *from)
{
    Case *c = g_new0(Case, 1);

    unhex(c->key, sizeof c->key, from->key);
    unhex(c->nonce, strlen(from->nonce) / 2, from->nonce);
    memcpy(&c->counter, c->nonce, sizeof c->counter);
    c->counter = GUINT64_FROM_LE(c->counter);
    c->ad = unhex_alloc(from->ad, &c->ad_len);
    c->sealed = unhex_alloc(from->sealed, &c->sealed_len);
    c->plain = from->plain;
    c->len = strlen(from->plain);
    g_assert_cmpuint(c->sealed_len, ==, c->len + WG_TAG_SIZE);
    g_assert_cmpuint(c->sealed_len, <, MAX_SEALED);
    return c;
}

static void case_free(Case *c)
{
    g_free(c->ad);
    g_free(c->sealed);
    g_free(c);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Case, case_free)

static void test_aead(void)
{
    g_autoptr(WgAead) aead = wg_aead_new();
    g_autoptr(Case) c = case_load(&rfc8439);
    guint8 out[MAX_SEALED];

    /* Apart and in place; with a key of no name, a new one, a remembered one. */
    for (guint64 i = 0; i < 6; i++) {
        gboolean in_place = i % 2;
        guint64 id = i / 2 ? 7 : 0;

        memcpy(out, c->plain, c->len);
        wg_aead_seal(aead, c->key, id, c->counter, c->ad, c->ad_len,
                     in_place ? out : (const guint8 *) c->plain, c->len, out);
        g_assert_cmpmem(out, c->sealed_len, c->sealed, c->sealed_len);

        memcpy(out, c->sealed, c->sealed_len);
        g_assert_true(wg_aead_open(aead, c->key, id, c->counter, c->ad, c->ad_len,
                                   in_place ? out : c->sealed, c->sealed_len, out));
        g_assert_cmpmem(out, c->len, c->plain, c->len);
    }
}

static gboolean opens(WgAead *aead, Case *c)
{
    guint8 out[MAX_SEALED];

    return wg_aead_open(aead, c->key, 0, c->counter, c->ad, c->ad_len, c->sealed, c->sealed_len,
                        out);
}

static void test_aead_tampering(void)
{
    g_autoptr(WgAead) aead = wg_aead_new();
    g_autoptr(Case) c = case_load(&rfc8439);

    for (gsize i = 0; i < c->sealed_len; i++) {
        c->sealed[i] ^= 0x10;
        g_assert_false(opens(aead, c));
        c->sealed[i] ^= 0x10;
    }
    for (gsize i = 0; i < c->ad_len; i++) {
        c->ad[i] ^= 1;
        g_assert_false(opens(aead, c));
        c->ad[i] ^= 1;
    }
    c->counter++;
    g_assert_false(opens(aead, c));
    c->counter--;
    g_assert_true(opens(aead, c));
    for (; c->sealed_len > 0; c->sealed_len--)
        g_assert_cmpint(opens(aead, c), ==, c->sealed_len == c->len + WG_TAG_SIZE);
    g_assert_false(opens(aead, c));
}

/* What is remembered is the key of an id; both directions remember by themselves. */
static void test_aead_remembers(void)
{
    g_autoptr(WgAead) aead = wg_aead_new();
    g_autoptr(WgAead) fresh = wg_aead_new();
    guint8 keys[4][WG_KEY_SIZE];
    guint8 text[100];
    guint8 sealed[sizeof text + WG_TAG_SIZE];
    guint8 again[sizeof sealed];

    wg_random(keys, sizeof keys);
    wg_random(text, sizeof text);
    for (guint i = 0; i < 400; i++) {
        guint id = (guint) g_test_rand_int_range(0, G_N_ELEMENTS(keys));
        gsize len = (gsize) g_test_rand_int_range(0, sizeof text + 1);

        if (g_test_rand_int_range(0, 10) == 0)
            wg_aead_forget(aead);
        wg_aead_seal(aead, keys[id], id, i, NULL, 0, text, len, sealed);
        wg_aead_seal(fresh, keys[id], 0, i, NULL, 0, text, len, again);
        g_assert_cmpmem(sealed, len + WG_TAG_SIZE, again, len + WG_TAG_SIZE);
        id = (guint) g_test_rand_int_range(0, G_N_ELEMENTS(keys));
        wg_aead_seal(fresh, keys[id], 0, i, NULL, 0, text, len, sealed);
        g_assert_true(
            wg_aead_open(aead, keys[id], id, i, NULL, 0, sealed, len + WG_TAG_SIZE, again));
        g_assert_cmpmem(again, len, text, len);
    }
}

/* A remembered key is used without looking at the key again; a forgotten one is not. (libipsec-mb
 * remembers none.) */
static void check_forgets(WgAeadBackend backend)
{
    g_autoptr(WgAead) aead = wg_aead_new();
    guint8 key[WG_KEY_SIZE] = {1};
    guint8 other[WG_KEY_SIZE] = {2};
    guint8 first[WG_TAG_SIZE];
    guint8 second[WG_TAG_SIZE];

    g_assert_true(wg_aead_set_backend(aead, backend));
    wg_aead_seal(aead, key, 5, 0, NULL, 0, NULL, 0, first);
    wg_aead_seal(aead, other, 5, 0, NULL, 0, NULL, 0, second);
    g_assert_cmpmem(first, sizeof first, second, sizeof second);
    wg_aead_forget(aead);
    wg_aead_seal(aead, other, 5, 0, NULL, 0, NULL, 0, second);
    g_assert_false(wg_equal(first, second, sizeof first));
    g_assert_true(wg_aead_open(aead, key, 0, 0, NULL, 0, first, sizeof first, second));
    g_assert_false(wg_aead_open(aead, other, 0, 0, NULL, 0, first, sizeof first, second));
}

static void test_aead_forgets(void)
{
    check_forgets(WG_AEAD_EVP);
    check_forgets(WG_AEAD_REFERENCE);
}

/* draft-irtf-cfrg-xchacha-03, section 2.2.1. */
static void test_hchacha20(void)
{
    guint8 key[WG_KEY_SIZE];
    guint8 nonce[16];
    guint8 out[WG_KEY_SIZE];

    for (guint8 i = 0; i < sizeof key; i++)
        key[i] = i;
    unhex(nonce, sizeof nonce, "000000090000004a0000000031415927");
    wg_hchacha20(out, key, nonce);
    assert_hex(out, sizeof out, "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc");
}

static void test_xaead(void)
{
    g_autoptr(Case) c = case_load(&xchacha);
    guint8 out[MAX_SEALED];

    wg_xaead_seal(c->key, c->nonce, c->ad, c->ad_len, (const guint8 *) c->plain, c->len, out);
    g_assert_cmpmem(out, c->sealed_len, c->sealed, c->sealed_len);
    g_assert_true(wg_xaead_open(c->key, c->nonce, c->ad, c->ad_len, c->sealed, c->sealed_len, out));
    g_assert_cmpmem(out, c->len, c->plain, c->len);

    for (gsize i = 0; i < sizeof c->nonce; i++) {
        c->nonce[i] ^= 1;
        g_assert_false(
            wg_xaead_open(c->key, c->nonce, c->ad, c->ad_len, c->sealed, c->sealed_len, out));
        c->nonce[i] ^= 1;
    }
    c->ad[0] ^= 1;
    g_assert_false(
        wg_xaead_open(c->key, c->nonce, c->ad, c->ad_len, c->sealed, c->sealed_len, out));
}

/* ---- Keys ----------------------------------------------------------------------------------- */

static void test_base64(void)
{
    char text[WG_KEY_BASE64_SIZE];
    WgKey key;
    WgKey back;

    for (guint i = 0; i < 1000; i++) {
        wg_random(&key, sizeof key);
        if (i < 256)
            memset(&key, (int) i, sizeof key);
        g_autofree char *expected = g_base64_encode(key.bytes, WG_KEY_SIZE);

        wg_key_to_base64(&key, text);
        g_assert_cmpstr(text, ==, expected);
        g_assert_true(wg_key_from_base64(&back, text));
        g_assert_cmpmem(&back, sizeof back, &key, sizeof key);
    }
}

static void test_base64_refused(void)
{
    static const char *const texts[] = {
        "",
        "=",
        "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk",    /* no padding */
        "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk==",  /* too much */
        "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBm==",   /* 31 bytes */
        "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmkA",   /* 33 bytes */
        "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBml=",   /* an unused bit */
        "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmm=",   /* the other */
        " Anz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=",   /* a blank */
        "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\n", /* a line end */
        "yAnz5TF-lXXJte14tji3zlMNq-hd2rYUIgJBgB3fBmk=",   /* the alphabet for URLs */
        "yAnz5TF_lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=",
        "=Anz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=",
    };
    const WgKey zero = {{0}};
    WgKey key;

    g_assert_true(wg_key_from_base64(&key, "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="));
    for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
        memset(&key, 0xaa, sizeof key);
        g_assert_false(wg_key_from_base64(&key, texts[i]));
        g_assert_cmpmem(&key, sizeof key, &zero, sizeof zero);
    }
    g_assert_false(wg_key_from_base64(&key, NULL));
}

/* Every byte in every place: 64 are characters of the alphabet, but in the last place only one in
 * four leaves the unused bits zero. */
static void test_base64_characters(void)
{
    WgKey key;

    for (guint place = 0; place < 43; place++) {
        guint n = 0;

        for (guint c = 1; c < 256; c++) {
            char text[] = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";

            text[place] = (char) c;
            n += wg_key_from_base64(&key, text) ? 1 : 0;
        }
        g_assert_cmpuint(n, ==, place == 42 ? 16 : 64);
    }
}

static void test_clamp(void)
{
    WgKey key;
    WgKey other;

    memset(&key, 0xff, sizeof key);
    wg_key_clamp(&key);
    assert_hex(key.bytes, WG_KEY_SIZE,
               "f8ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f");
    memset(&key, 0, sizeof key);
    g_assert_true(wg_key_is_zero(&key));
    wg_key_clamp(&key);
    assert_hex(key.bytes, WG_KEY_SIZE,
               "0000000000000000000000000000000000000000000000000000000000000040");
    g_assert_false(wg_key_is_zero(&key));

    wg_key_generate(&key);
    other = key;
    wg_key_clamp(&other);
    g_assert_true(wg_equal(&key, &other, sizeof key));
    wg_key_generate(&other);
    g_assert_false(wg_equal(&key, &other, sizeof key));
}

/* ---- Secrets -------------------------------------------------------------------------------- */

/* More than fits the locked heap: all are zeroed and apart, and all can be freed. */
static void test_secrets(void)
{
    const gsize size = 8192;
    guint8 *secrets[256];
    WgKey key = {{1, 2, 3}};

    for (guint i = 0; i < G_N_ELEMENTS(secrets); i++) {
        secrets[i] = wg_secret_alloc0(size);
        for (gsize j = 0; j < size; j++)
            g_assert_cmpuint(secrets[i][j], ==, 0);
        memset(secrets[i], (int) i, size);
    }
    for (guint i = 0; i < G_N_ELEMENTS(secrets); i++) {
        g_assert_cmpuint(secrets[i][0], ==, i);
        g_assert_cmpuint(secrets[i][size - 1], ==, i);
        wg_secret_free(secrets[i], size);
    }
    wg_secret_free(NULL, size);

    WgKey *copy = wg_secret_key_copy(&key);
    g_assert_cmpmem(copy, sizeof *copy, &key, sizeof key);
    wg_secret_key_free(copy);
}

/* The kernel's word on it: secrets are locked and left out of core dumps. */
static void test_secrets_locked(void)
{
    struct rlimit limit;
    WgKey *secret = wg_secret_new0(WgKey);
    g_autofree char *maps = NULL;
    g_auto(GStrv) lines = NULL;
    gboolean ours = FALSE;
    char *flags = NULL;

    g_assert_cmpint(getrlimit(RLIMIT_MEMLOCK, &limit), ==, 0);
    if (limit.rlim_cur < (1 << 16)) {
        g_test_skip("too little memory may be locked");
        wg_secret_free(secret, sizeof *secret);
        return;
    }
    g_assert_true(g_file_get_contents("/proc/self/smaps", &maps, NULL, NULL));
    lines = g_strsplit(maps, "\n", -1);
    for (guint i = 0; lines[i] && !flags; i++) {
        char *end;
        guint64 first = g_ascii_strtoull(lines[i], &end, 16);

        if (*end == '-')
            ours = (guint64) (guintptr) secret >= first &&
                   (guint64) (guintptr) secret < g_ascii_strtoull(end + 1, NULL, 16);
        if (ours && g_str_has_prefix(lines[i], "VmFlags:"))
            flags = lines[i];
    }
    g_assert_nonnull(flags);
    g_assert_nonnull(strstr(flags, " lo"));
    g_assert_nonnull(strstr(flags, " dd"));
    wg_secret_free(secret, sizeof *secret);
}

static void test_random_below(void)
{
    guint seen[7] = {0};

    for (guint i = 0; i < 7000; i++)
        seen[wg_random_below(G_N_ELEMENTS(seen))]++;
    for (guint i = 0; i < G_N_ELEMENTS(seen); i++) {
        g_assert_cmpuint(seen[i], >, 700);
        g_assert_cmpuint(seen[i], <, 1300);
    }
    g_assert_cmpuint(wg_random_below(1), ==, 0);
    g_assert_cmpuint(wg_random_below(G_MAXUINT32), <, G_MAXUINT32);
}

/* Threads may use the primitives at once, the first time included. */
static gpointer use_primitives(gpointer unused)
{
    for (guint i = 0; i < 50; i++) {
        WgKey *key = wg_secret_new0(WgKey);
        WgKey other;
        guint8 a[WG_KEY_SIZE];
        guint8 b[WG_KEY_SIZE];
        WgKey public_key;
        WgKey other_public;

        wg_key_generate(key);
        wg_key_generate(&other);
        wg_key_public(&public_key, key);
        wg_key_public(&other_public, &other);
        g_assert_true(wg_dh(a, key, &other_public));
        g_assert_true(wg_dh(b, &other, &public_key));
        g_assert_true(wg_equal(a, b, sizeof a));
        wg_kdf(a, 1, a, b, sizeof b);
        wg_secret_key_free(key);
    }
    return NULL;
}

static void test_threads(void)
{
    GThread *threads[4];

    for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
        threads[i] = g_thread_new("primitives", use_primitives, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
        g_thread_join(threads[i]);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/wg-crypto/threads", test_threads);
    g_test_add_func("/wg-crypto/hash", test_hash);
    g_test_add_func("/wg-crypto/mac", test_mac);
    g_test_add_func("/wg-crypto/kdf", test_kdf); /* row 2 */
    g_test_add_func("/wg-crypto/dh", test_dh);
    g_test_add_func("/wg-crypto/dh-iterated", test_dh_iterated);
    g_test_add_func("/wg-crypto/low-order", test_low_order); /* row 4 */
    g_test_add_func("/wg-crypto/aead", test_aead);           /* row 2 */
    g_test_add_func("/wg-crypto/aead-tampering", test_aead_tampering);
    g_test_add_func("/wg-crypto/aead-remembers", test_aead_remembers);
    g_test_add_func("/wg-crypto/aead-forgets", test_aead_forgets); /* row 32 */
    g_test_add_func("/wg-crypto/hchacha20", test_hchacha20);
    g_test_add_func("/wg-crypto/xaead", test_xaead); /* row 9 */
    g_test_add_func("/wg-crypto/base64", test_base64);
    g_test_add_func("/wg-crypto/base64-refused", test_base64_refused);
    g_test_add_func("/wg-crypto/base64-characters", test_base64_characters);
    g_test_add_func("/wg-crypto/clamp", test_clamp);
    g_test_add_func("/wg-crypto/secrets", test_secrets);
    g_test_add_func("/wg-crypto/secrets-locked", test_secrets_locked); /* row 32 */
    g_test_add_func("/wg-crypto/random-below", test_random_below);
    return g_test_run();
}
