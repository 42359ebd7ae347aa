/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-wg-aead.c: the backends of authenticated encryption: each gives what the reference gives,
 * for every length, and takes nothing else.
 */
#include <string.h>

#include "test-aead-vector.h"
#include "test-hex.h"
#include "wireguard/wg-aead-private.h"
#include "wireguard/wg-crypto.h"

#define EVERY_LENGTH_TO 2000
#define LARGEST         65535
#define ROOM            (LARGEST + WG_TAG_SIZE + 64)

/* What is tested: a backend, with libipsec-mb one of its managers. */
typedef struct {
    WgAeadBackend backend;
    WgIpsecMbManager manager;
} Subject;

static WgAead *subject_new(gconstpointer data)
{
    const Subject *subject = data;
    WgAead *aead = wg_aead_new();
    gboolean ok = subject->manager == WG_IPSEC_MB_AUTO
                      ? wg_aead_set_backend(aead, subject->backend)
                      : wg_aead_set_manager(aead, subject->manager);

    g_assert_true(ok);
    g_assert_cmpint(wg_aead_get_backend(aead), ==, subject->backend);
    return aead;
}

static WgAead *reference_new(void)
{
    WgAead *aead = wg_aead_new();

    g_assert_true(wg_aead_set_backend(aead, WG_AEAD_REFERENCE));
    return aead;
}

/* A key with no name, a new one, a remembered one. */
static guint64 some_id(guint64 i)
{
    return i % 3 == 0 ? 0 : 1 + i / 6;
}

typedef struct {
    WgAead *reference;
    WgAead *subject;
    guint8 key[WG_KEY_SIZE];
    guint8 *text;
    guint8 *sealed; /* by the reference */
    guint8 *out;
} Bench;

static Bench *bench_new(gconstpointer subject)
{
    Bench *bench = g_new0(Bench, 1);

    bench->reference = reference_new();
    bench->subject = subject_new(subject);
    bench->text = g_malloc(ROOM);
    bench->sealed = g_malloc(ROOM);
    bench->out = g_malloc(ROOM);
    wg_random(bench->key, sizeof bench->key);
    wg_random(bench->text, ROOM);
    return bench;
}

static void bench_free(Bench *bench)
{
    wg_aead_free(bench->reference);
    wg_aead_free(bench->subject);
    g_free(bench->text);
    g_free(bench->sealed);
    g_free(bench->out);
    g_free(bench);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Bench, bench_free)

/* What lies around a result stays what it was. */
#define GUARD 32

static void check_length(Bench *b, gsize len, guint64 id, guint64 counter, gsize misaligned,
                         gboolean in_place)
{
    static const guint8 guard[GUARD] = {0x5a, 1, 2, 3};
    gsize sealed_len = len + WG_TAG_SIZE;
    guint8 *text = b->text + misaligned, *out = b->out + GUARD - misaligned;

    wg_aead_seal(b->reference, b->key, 0, counter, NULL, 0, text, len, b->sealed);

    memcpy(out + sealed_len, guard, GUARD);
    if (in_place)
        memcpy(out, text, len);
    wg_aead_seal(b->subject, b->key, id, counter, NULL, 0, in_place ? out : text, len, out);
    g_assert_cmpmem(out, sealed_len, b->sealed, sealed_len);
    g_assert_cmpmem(out + sealed_len, GUARD, guard, GUARD);

    memset(out, 0, sealed_len);
    memcpy(out + len, guard, GUARD);
    if (in_place)
        memcpy(out, b->sealed, sealed_len);
    g_assert_true(wg_aead_open(b->subject, b->key, id, counter, NULL, 0, in_place ? out : b->sealed,
                               sealed_len, out));
    g_assert_cmpmem(out, len, text, len);
    if (!in_place)
        g_assert_cmpmem(out + len, GUARD, guard, GUARD);
}

static void test_every_length(gconstpointer subject)
{
    g_autoptr(Bench) b = bench_new(subject);

    for (gsize len = 0; len <= EVERY_LENGTH_TO; len++) {
        for (guint i = 0; i < 4; i++) {
            guint64 id = some_id(len + i);

            /* The key of an id is always the same, so that one may be remembered. */
            check_length(b, len, id, len * 4 + i, i < 2 ? 0 : len % 17, i % 2);
        }
    }
}

static void test_large(gconstpointer subject)
{
    static const gsize lengths[] = {2047, 2048,  2049,  4095,  4096,  4097,  8920,
                                    9000, 16384, 32767, 65455, 65519, 65534, LARGEST};
    g_autoptr(Bench) b = bench_new(subject);

    for (guint i = 0; i < G_N_ELEMENTS(lengths); i++) {
        for (guint j = 0; j < 4; j++)
            check_length(b, lengths[i], 0, i, j < 2 ? 0 : 3, j % 2);
    }
}

static void test_counters(gconstpointer subject)
{
    static const guint64 counters[] = {
        0,
        1,
        255,
        256,
        G_MAXUINT32,
        (guint64) 1 << 32,
        (guint64) 1 << 63,
        G_MAXUINT64 - 8193,
        G_MAXUINT64 - 1,
        G_MAXUINT64,
    };
    g_autoptr(Bench) b = bench_new(subject);

    for (guint i = 0; i < G_N_ELEMENTS(counters); i++) {
        check_length(b, 0, 1, counters[i], 0, TRUE);
        check_length(b, 1424, 1, counters[i], 0, FALSE);
    }
}

/* Keys change between packets, each direction by itself. */
static void test_keys(gconstpointer subject)
{
    g_autoptr(Bench) b = bench_new(subject);
    guint8 keys[4][WG_KEY_SIZE];

    wg_random(keys, sizeof keys);
    for (guint i = 0; i < 400; i++) {
        guint id = (guint) g_test_rand_int_range(0, G_N_ELEMENTS(keys));

        if (g_test_rand_int_range(0, 10) == 0)
            wg_aead_forget(b->subject);
        memcpy(b->key, keys[id], sizeof b->key);
        check_length(b, (gsize) g_test_rand_int_range(0, 200), id, i, 0, FALSE);
    }
}

/* Additional data changes the tag only, so the vector's ciphertext is what it is without. */
static void test_vector(gconstpointer subject)
{
    g_autoptr(WgAead) aead = subject_new(subject);
    gsize len = strlen(rfc8439.plain), sealed_len;
    g_autofree guint8 *sealed = unhex_alloc(rfc8439.sealed, &sealed_len);
    g_autofree guint8 *out = g_malloc(len + WG_TAG_SIZE);
    guint8 key[WG_KEY_SIZE];
    guint64 counter;

    unhex(key, sizeof key, rfc8439.key);
    unhex((guint8 *) &counter, sizeof counter, rfc8439.nonce);
    wg_aead_seal(aead, key, 0, GUINT64_FROM_LE(counter), NULL, 0, (const guint8 *) rfc8439.plain,
                 len, out);
    g_assert_cmpmem(out, len, sealed, sealed_len - WG_TAG_SIZE);
    g_assert_true(
        wg_aead_open(aead, key, 0, GUINT64_FROM_LE(counter), NULL, 0, out, len + WG_TAG_SIZE, out));
    g_assert_cmpmem(out, len, rfc8439.plain, len);
}

/* With key and nonce zero, the one-time key is that of RFC 8439, appendix A.4, test vector 1; the
 * empty text's tag is that of one block of zeros, the two lengths: r times 2^128 (modulo 2^130 -
 * 5), plus s, computed with Python's integers. */
static void test_empty(gconstpointer subject)
{
    g_autoptr(WgAead) aead = subject_new(subject);
    const guint8 key[WG_KEY_SIZE] = {0};
    guint8 tag[WG_TAG_SIZE];

    wg_aead_seal(aead, key, 0, 0, NULL, 0, NULL, 0, tag);
    assert_hex(tag, sizeof tag, "4eb972c9a8fb3a1b382bb4d36f5ffad1");
    g_assert_true(wg_aead_open(aead, key, 0, 0, NULL, 0, tag, sizeof tag, NULL));
}

/* ---- What is not authentic ------------------------------------------------------------------ */

static gboolean opens(Bench *b, guint64 counter, gsize sealed_len)
{
    /* In place, as data packets are: what is opened is a copy. */
    memcpy(b->out, b->sealed, sealed_len);
    return wg_aead_open(b->subject, b->key, 1, counter, NULL, 0, b->out, sealed_len, b->out);
}

static void check_tampering(Bench *b, gsize len)
{
    gsize sealed_len = len + WG_TAG_SIZE;

    wg_aead_seal(b->reference, b->key, 0, 9, NULL, 0, b->text, len, b->sealed);
    for (gsize i = 0; i < sealed_len; i++) {
        /* Each bit of the tag, one of each other byte. */
        for (guint bit = i < len ? i % 8 : 0; bit < (i < len ? i % 8 + 1 : 8); bit++) {
            b->sealed[i] ^= 1 << bit;
            g_assert_false(opens(b, 9, sealed_len));
            b->sealed[i] ^= 1 << bit;
        }
    }
    g_assert_false(opens(b, 10, sealed_len));
    g_assert_true(opens(b, 9, sealed_len));
    g_assert_cmpmem(b->out, len, b->text, len);
    if (len > 0)
        g_assert_false(opens(b, 9, sealed_len - 1));
    b->key[31] ^= 0x80;
    wg_aead_forget(b->subject);
    g_assert_false(opens(b, 9, sealed_len));
    b->key[31] ^= 0x80;
    wg_aead_forget(b->subject);
}

static void test_tampering(gconstpointer subject)
{
    static const gsize lengths[] = {0, 1, 15, 16, 64, 100, 512, 1424, 2500};
    g_autoptr(Bench) b = bench_new(subject);

    for (guint i = 0; i < G_N_ELEMENTS(lengths); i++)
        check_tampering(b, lengths[i]);
}

static void test_too_short(gconstpointer subject)
{
    g_autoptr(Bench) b = bench_new(subject);

    for (gsize len = 0; len < WG_TAG_SIZE; len++)
        g_assert_false(wg_aead_open(b->subject, b->key, 0, 0, NULL, 0, b->text, len, b->out));
}

/* ---- Which backend -------------------------------------------------------------------------- */

static void test_names(void)
{
    WgAeadBackend backend = WG_AEAD_REFERENCE;

    for (WgAeadBackend i = WG_AEAD_AUTO; i <= WG_AEAD_IPSEC_MB; i++) {
        g_assert_true(wg_aead_backend_from_name(wg_aead_backend_name(i), &backend));
        g_assert_cmpint(backend, ==, i);
    }
    backend = WG_AEAD_EVP;
    g_assert_false(wg_aead_backend_from_name("", &backend));
    g_assert_false(wg_aead_backend_from_name("EVP", &backend));
    g_assert_cmpint(backend, ==, WG_AEAD_EVP);
}

/* As README says. */
static gboolean is_fast_with_ipsec_mb(void)
{
#ifdef __x86_64__
    return wg_aead_has_backend(WG_AEAD_IPSEC_MB) && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512ifma");
#else
    return FALSE;
#endif
}

static void test_choice(void)
{
    g_autoptr(WgAead) automatic = wg_aead_new();
    g_autoptr(WgAead) plain = NULL;

    g_assert_cmpint(wg_aead_get_backend(automatic), ==,
                    is_fast_with_ipsec_mb() ? WG_AEAD_IPSEC_MB : WG_AEAD_EVP);
    g_assert_true(wg_aead_prefer(WG_AEAD_EVP));
    plain = wg_aead_new();
    g_assert_cmpint(wg_aead_get_backend(plain), ==, WG_AEAD_EVP);
    g_assert_true(wg_aead_set_backend(plain, WG_AEAD_AUTO));
    g_assert_cmpint(wg_aead_get_backend(plain), ==, wg_aead_get_backend(automatic));
    g_assert_true(wg_aead_prefer(WG_AEAD_AUTO));
}

/* Without libipsec-mb nothing is lost but speed, and what was chosen stays. */
static void test_absent(void)
{
    g_autoptr(WgAead) aead = wg_aead_new();

    g_assert_true(wg_aead_set_backend(aead, WG_AEAD_EVP));
    if (wg_aead_has_backend(WG_AEAD_IPSEC_MB)) {
        g_assert_true(wg_aead_set_backend(aead, WG_AEAD_IPSEC_MB));
        return;
    }
    g_assert_false(wg_aead_set_backend(aead, WG_AEAD_IPSEC_MB));
    g_assert_false(wg_aead_prefer(WG_AEAD_IPSEC_MB));
    g_assert_cmpint(wg_aead_get_backend(aead), ==, WG_AEAD_EVP);
}

static void add_tests(const char *name, const Subject *subject)
{
    static const struct {
        const char *name;
        GTestDataFunc function;
    } tests[] = {
        {"every-length", test_every_length},
        {"large", test_large},
        {"counters", test_counters},
        {"keys", test_keys},
        {"vector", test_vector},
        {"empty", test_empty},
        {"tampering", test_tampering},
        {"too-short", test_too_short},
    };

    for (guint i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_autofree char *path = g_strdup_printf("/wg-aead/%s/%s", name, tests[i].name);

        g_test_add_data_func(path, subject, tests[i].function);
    }
}

/* Those managers of libipsec-mb that this processor runs. */
static void add_managers(void)
{
    static const Subject subjects[] = {
        {WG_AEAD_IPSEC_MB, WG_IPSEC_MB_AUTO},   {WG_AEAD_IPSEC_MB, WG_IPSEC_MB_SSE},
        {WG_AEAD_IPSEC_MB, WG_IPSEC_MB_AVX},    {WG_AEAD_IPSEC_MB, WG_IPSEC_MB_AVX2},
        {WG_AEAD_IPSEC_MB, WG_IPSEC_MB_AVX512},
    };
    static const char *const names[] = {"ipsec-mb", "ipsec-mb-sse", "ipsec-mb-avx", "ipsec-mb-avx2",
                                        "ipsec-mb-avx512"};

    for (guint i = 0; i < G_N_ELEMENTS(subjects); i++) {
        g_autoptr(WgAead) aead = wg_aead_new();

        if (wg_aead_set_manager(aead, subjects[i].manager))
            add_tests(names[i], &subjects[i]);
    }
}

int main(int argc, char **argv)
{
    static const Subject reference = {WG_AEAD_REFERENCE, WG_IPSEC_MB_AUTO};
    static const Subject evp = {WG_AEAD_EVP, WG_IPSEC_MB_AUTO};

    g_test_init(&argc, &argv, NULL);
    add_tests("reference", &reference);
    add_tests("evp", &evp);
    add_managers();
    g_test_add_func("/wg-aead/names", test_names);
    g_test_add_func("/wg-aead/choice", test_choice);
    g_test_add_func("/wg-aead/absent", test_absent);
    return g_test_run();
}
