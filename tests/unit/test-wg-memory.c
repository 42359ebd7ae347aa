/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-wg-memory.c: keys that are done with are nowhere in this process's memory any more: in no
 * secret, no stack, no cipher context. Checklist row 32.
 */
#include <string.h>

#include "wire.h"

/* A key to look for is kept in a form that is not found itself. */
#define MASK 0xa5

/* Mappings larger than this are a sanitizer's bookkeeping. */
#define MAPPING_MAX (1u << 30)

typedef struct {
    guint8 masked[WG_KEY_SIZE];
} Trace;

static void remember(Trace *trace, gconstpointer secret)
{
    for (guint i = 0; i < sizeof trace->masked; i++)
        trace->masked[i] = ((const guint8 *) secret)[i] ^ MASK;
}

/* Reads what a sanitizer would not let it. */
__attribute__((no_sanitize("address"), noinline)) static gboolean is_at(const Trace *trace,
                                                                        const volatile guint8 *p)
{
    for (guint i = 0; i < sizeof trace->masked; i++) {
        if ((p[i] ^ MASK) != trace->masked[i])
            return FALSE;
    }
    return TRUE;
}

__attribute__((no_sanitize("address"))) static guint count_in(const Trace *trace,
                                                              const guint8 *first,
                                                              const guint8 *end)
{
    guint found = 0;

    for (const guint8 *p = first; p + sizeof trace->masked <= end; p++) {
        if ((*(const volatile guint8 *) p ^ MASK) == trace->masked[0] && is_at(trace, p))
            found++;
    }
    return found;
}

/* In all memory that can be written. */
static guint count(const Trace *trace)
{
    g_autofree char *maps = NULL;
    g_auto(GStrv) lines = NULL;
    guint found = 0;

    g_assert_true(g_file_get_contents("/proc/self/maps", &maps, NULL, NULL));
    lines = g_strsplit(maps, "\n", -1);
    for (guint i = 0; lines[i]; i++) {
        char *rest;
        guint64 first = g_ascii_strtoull(lines[i], &rest, 16);
        guint64 end = *rest == '-' ? g_ascii_strtoull(rest + 1, &rest, 16) : 0;

        if (g_str_has_prefix(rest, " rw") && end - first <= MAPPING_MAX)
            found += count_in(trace, (const guint8 *) (gsize) first, (const guint8 *) (gsize) end);
    }
    return found;
}

/* The keys of a's session with b; b has them, too. */
static void remember_session(Host *a, Host *b, Trace traces[2])
{
    remember(&traces[0], &host_peer(a, b)->current->keys[0]);
    remember(&traces[1], &host_peer(a, b)->current->keys[1]);
    for (guint i = 0; i < 2; i++)
        g_assert_cmpuint(count(&traces[i]), >=, 2);
}

static void assert_gone(const Trace *traces, guint n)
{
    for (guint i = 0; i < n; i++)
        g_assert_cmpuint(count(&traces[i]), ==, 0);
}

/* ---- Sessions ------------------------------------------------------------------------------- */

static void test_after_540_seconds(void)
{
    PAIR;
    Trace traces[2];

    converse(a, b);
    remember_session(a, b, traces);
    net_advance(net, 540 * WG_SECOND - 1);
    g_assert_cmpuint(count(&traces[0]), >, 0);
    net_advance(net, 1);
    assert_gone(traces, 2);
}

static void test_after_down(void)
{
    PAIR;
    Trace traces[2];

    converse(a, b);
    remember_session(a, b, traces);
    wg_device_set_up(a->device, FALSE);
    wg_device_set_up(b->device, FALSE);
    net_settle(net);
    assert_gone(traces, 2);
}

static void test_after_removal(void)
{
    PAIR;
    Trace traces[2];

    converse(a, b);
    remember_session(a, b, traces);
    wg_device_remove_peer(a->device, host_peer(a, b));
    wg_peer_drop_sessions(host_peer(b, a));
    net_settle(net);
    assert_gone(traces, 2);
}

/* Two changes of keys: what was previous then is gone. */
static void test_after_rekey(void)
{
    PAIR;
    Trace traces[2];

    converse(a, b);
    remember_session(a, b, traces);
    for (guint i = 0; i < 2; i++) {
        net_advance(net, 6 * WG_SECOND);
        initiate_now(a, b);
        converse(a, b);
    }
    assert_gone(traces, 2);
}

/* ---- Handshakes ----------------------------------------------------------------------------- */

static void test_handshake(void)
{
    PAIR;
    Trace traces[3];
    WgHandshake *handshake;

    net_set_filter(net, hold_type, GUINT_TO_POINTER(WG_TYPE_INITIATION));
    host_send(a, "10.0.0.1", "10.0.0.2", 60, 1);
    handshake = host_peer(a, b)->handshake;
    g_assert_nonnull(handshake);
    remember(&traces[0], &handshake->ephemeral);
    remember(&traces[1], handshake->noise.chain);
    remember(&traces[2], handshake->noise.hash);
    for (guint i = 0; i < G_N_ELEMENTS(traces); i++)
        g_assert_cmpuint(count(&traces[i]), >, 0);
    net_set_filter(net, NULL, NULL);
    net_release(net, 0);
    g_assert_true(host_got(b, 60, 1));
    assert_gone(traces, G_N_ELEMENTS(traces));
}

/* ---- Settings ------------------------------------------------------------------------------- */

static void test_settings(void)
{
    g_autoptr(Net) net = net_new();
    Host *a = host_new(net, "192.0.2.1", 1001);
    Host *b = host_new(net, "192.0.2.2", 1002);
    Trace traces[3];
    WgPeer *peer;
    WgKey key;

    join(a, b);
    wg_random(&key, sizeof key);
    wg_peer_set_preshared_key(host_peer(a, b), &key);
    wg_peer_set_preshared_key(host_peer(b, a), &key);
    wg_wipe(&key, sizeof key);
    converse(a, b);

    peer = host_peer(a, b);
    remember(&traces[0], &peer->secrets->preshared);
    remember(&traces[1], &peer->secrets->static_shared);
    remember(&traces[2], wg_device_get_private_key(a->device));
    wg_wipe(&a->private_key, sizeof a->private_key); /* the test's own copy */
    for (guint i = 0; i < G_N_ELEMENTS(traces); i++)
        g_assert_cmpuint(count(&traces[i]), >, 0);

    wg_device_set_private_key(a->device, NULL);
    g_assert_cmpuint(count(&traces[2]), ==, 0);
    wg_peer_set_preshared_key(peer, NULL);
    wg_device_remove_peer(b->device, host_peer(b, a));
    net_settle(net);
    assert_gone(traces, G_N_ELEMENTS(traces));
}

/* ---- Packets -------------------------------------------------------------------------------- */

static void test_packet_key(void)
{
    g_autoptr(WgAead) aead = wg_aead_new();
    guint8 packet[1424 + WG_TAG_SIZE] = {0};
    Trace trace;
    WgKey *key = wg_secret_new0(WgKey);

    wg_random(key, sizeof *key);
    remember(&trace, key);
    for (guint64 i = 0; i < 20; i++) {
        gsize len = i * 71;

        wg_aead_seal(aead, key->bytes, 1, i, NULL, 0, packet, len, packet);
        g_assert_true(
            wg_aead_open(aead, key->bytes, 2, i, NULL, 0, packet, len + WG_TAG_SIZE, packet));
    }
    g_assert_cmpuint(count(&trace), >=, 1);
    wg_secret_key_free(key);
    wg_aead_forget(aead);
    assert_gone(&trace, 1);
}

/* Neither a packet's text nor the keystream, which begins with the key of its tag, stays behind. */
static void test_packet_text(void)
{
    g_autoptr(WgAead) aead = wg_aead_new();
    guint8 packet[1424 + WG_TAG_SIZE] = {0};
    gsize len = sizeof packet - WG_TAG_SIZE;
    Trace traces[2];
    WgKey key;

    wg_random(&key, sizeof key);
    wg_aead_seal(aead, key.bytes, 1, 7, NULL, 0, packet, len, packet);
    remember(&traces[0], packet); /* the keystream, since the text is zeros */

    wg_random(packet, len);
    remember(&traces[1], packet);
    wg_aead_seal(aead, key.bytes, 1, 8, NULL, 0, packet, len, packet);
    g_assert_true(wg_aead_open(aead, key.bytes, 2, 8, NULL, 0, packet, len + WG_TAG_SIZE, packet));
    wg_wipe(packet, sizeof packet);
    wg_aead_forget(aead);
    assert_gone(traces, G_N_ELEMENTS(traces));
}

/* ---- Backends ------------------------------------------------------------------------------- */

typedef struct {
    WgAeadBackend backend;
    void (*function)(void);
} Run;

static void run(gconstpointer data)
{
    const Run *self = data;

    g_assert_true(wg_aead_prefer(self->backend));
    self->function();
}

/* Once with each backend for data packets. */
static void add(const char *name, void (*function)(void))
{
    for (WgAeadBackend backend = WG_AEAD_EVP; backend <= WG_AEAD_IPSEC_MB; backend++) {
        g_autofree char *path = g_strdup_printf("%s/%s", name, wg_aead_backend_name(backend));
        Run *self = g_new(Run, 1);

        *self = (Run){backend, function};
        if (wg_aead_has_backend(backend))
            g_test_add_data_func_full(path, self, (GTestDataFunc) run, g_free);
        else
            g_free(self);
    }
}

#define ADD(name, function) add("/wg-memory/" name, function)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("after-540-seconds", test_after_540_seconds);        /* row 32 */
    ADD("after-down", test_after_down);                      /* row 32 */
    ADD("after-removal", test_after_removal);                /* row 32 */
    ADD("after-rekey", test_after_rekey);                    /* row 32 */
    g_test_add_func("/wg-memory/handshake", test_handshake); /* row 32 */
    g_test_add_func("/wg-memory/settings", test_settings);   /* row 32 */
    ADD("packet-key", test_packet_key);                      /* row 32 */
    ADD("packet-text", test_packet_text);                    /* row 32 */
    return g_test_run();
}
