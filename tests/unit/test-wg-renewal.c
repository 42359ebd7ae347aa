/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-wg-renewal.c: what a handshake that came to nothing leaves behind for the next one: it must
 * be nothing that delays, shortens or betrays it.
 */
#include "wire.h"

#include <string.h>

/* Both deadlines found due together, as a late control thread finds them: the running handshake is
 * counted on all the same. */
static void test_both_due(void)
{
    WgTimers timers;
    guint given_up = 0;

    wg_timers_init(&timers);
    wg_timers_start(&timers, 0);
    wg_timers_initiation_sent(&timers, 0);
    for (gint64 now = 0; now < 300 * WG_SECOND; now += 6 * WG_SECOND) {
        WgDue due;

        wg_timers_data_sent(&timers, now);
        due = wg_timers_expire(&timers, now);
        if (due & WG_DUE_GIVE_UP)
            given_up++;
        if (due & WG_DUE_INITIATION)
            wg_timers_initiation_sent(&timers, now);
    }
    g_assert_cmpuint(given_up, >=, 1);
}

/* Dialling sends initiations of its own, which nobody counts: what waits must not wait for ever. */
static void test_late_packets(void)
{
    PAIR;
    net_set_filter(net, drop_all, NULL);
    host_send(a, "10.0.0.1", "10.0.0.2", 60, 1);
    for (guint i = 0; i < 20; i++) {
        initiate_now(a, b);
        net_advance(net, 5 * WG_SECOND);
    }
    host_send(a, "10.0.0.1", "10.0.0.2", 60, 2);
    net_set_filter(net, NULL, NULL);
    initiate_now(a, b);
    net_settle(net);
    g_assert_true(host_got(b, 60, 2));
    g_assert_cmpuint(peer_stats(a, b).dropped_staged, ==, 1);
}

static gint64 time_until_silent(Net *net, Host *host)
{
    guint before = host->outputs[WG_OUTPUT_SILENT];
    gint64 begin = net->now;

    while (host->outputs[WG_OUTPUT_SILENT] == before && net->now - begin < 300 * WG_SECOND)
        net_advance(net, WG_SECOND);
    return net->now - begin;
}

/* A handshake that ended without an answer, because our key was taken away, is not counted on with
 * the next one. */
static void test_counts_anew(void)
{
    PAIR;
    net_set_filter(net, drop_all, NULL);
    host_send(a, "10.0.0.1", "10.0.0.2", 60, 1);
    net_advance(net, 80 * WG_SECOND);
    wg_device_set_private_key(a->device, NULL);
    net_advance(net, 3600 * WG_SECOND);
    wg_device_set_private_key(a->device, &a->private_key);
    host_send(a, "10.0.0.1", "10.0.0.2", 60, 1);
    g_assert_cmpint(time_until_silent(net, a), >=, WG_REKEY_ATTEMPT_TIME);
}

/* With a new key there is no old initiation to wait for. */
static void test_new_key_at_once(void)
{
    PAIR;
    WgKey key;

    net_set_filter(net, drop_all, NULL);
    host_send(a, "10.0.0.1", "10.0.0.2", 60, 1);
    wg_key_generate(&key);
    wg_device_set_private_key(a->device, &key);
    a->sent[WG_TYPE_INITIATION] = 0;
    host_send(a, "10.0.0.1", "10.0.0.2", 60, 1);
    net_settle(net);
    g_assert_cmpuint(a->sent[WG_TYPE_INITIATION], ==, 1);
}

/* A sanitizer keeps the heap elsewhere. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

/* How often the key, given with all bits flipped, lies in the heap. */
static guint copies_in_heap(const guint8 flipped[WG_KEY_SIZE])
{
    g_autofree char *maps = NULL;
    g_auto(GStrv) lines = NULL;
    guint copies = 0;

    g_assert_true(g_file_get_contents("/proc/self/maps", &maps, NULL, NULL));
    lines = g_strsplit(maps, "\n", -1);
    for (guint i = 0; lines[i]; i++) {
        guint64 begin, end;

        if (!strstr(lines[i], "[heap]"))
            continue;
        begin = g_ascii_strtoull(lines[i], NULL, 16);
        end = g_ascii_strtoull(strchr(lines[i], '-') + 1, NULL, 16);
        for (const guint8 *p = (const guint8 *) (gsize) begin; (gsize) p + WG_KEY_SIZE <= end;
             p += 4) {
            guint equal = 0;

            while (equal < WG_KEY_SIZE && (p[equal] ^ flipped[equal]) == 0xff)
                equal++;
            copies += equal == WG_KEY_SIZE;
        }
    }
    return copies;
}

static void check_no_key_stays(void)
{
    PAIR;
    guint8 flipped[WG_KEY_SIZE];

    converse(a, b);
    for (guint i = 0; i < WG_KEY_SIZE; i++)
        flipped[i] = host_peer(a, b)->current->keys[0].bytes[i] ^ 0xff;
    wg_aead_forget(a->aead);
    wg_aead_forget(b->aead);
    g_assert_cmpuint(copies_in_heap(flipped), >=, 1);
    wg_device_set_up(a->device, FALSE);
    wg_device_set_up(b->device, FALSE);
    g_assert_cmpuint(copies_in_heap(flipped), ==, 0);
}

/* The control thread's own tool seals keepalives and what waited; it forgets its key with the rest.
 * Of the backends for packets, this one has a copy. */
static void test_no_key_stays(void)
{
    g_assert_true(wg_aead_prefer(WG_AEAD_EVP));
    check_no_key_stays();
    g_assert_true(wg_aead_prefer(WG_AEAD_AUTO));
}
#endif

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/wg-renewal/both-due", test_both_due); /* row 6 */
    g_test_add_func("/wg-renewal/late-packets", test_late_packets);
    g_test_add_func("/wg-renewal/counts-anew", test_counts_anew);
    g_test_add_func("/wg-renewal/new-key-at-once", test_new_key_at_once);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    g_test_add_func("/wg-renewal/no-key-stays", test_no_key_stays);
#endif
    return g_test_run();
}
