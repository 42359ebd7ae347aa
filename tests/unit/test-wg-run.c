/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-wg-run.c: many packets under one permit: which belong together, and what becomes of each.
 */
#include "wire.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

/* Many packets under one permit, sealed in place, opened and judged together. */
static void test_run(void)
{
    enum {
        N = 64,
        SIZE = 100
    };
    PAIR;
    g_autoptr(GByteArray) packet = packet_new("10.0.0.1", "10.0.0.2", SIZE, 0);
    guint8 wire[N][SIZE + WG_DATA_OVERHEAD + WG_PADDING];
    WgRxPacket packets[N];
    gsize size = 0;
    WgTx tx;
    WgRx rx;

    converse(a, b);
    g_assert_cmpint(wg_tx_begin(a->device, &(WgTxPacket){packet->data, SIZE, N}, 1, net->now, &tx),
                    ==, WG_OK);
    for (guint i = 0; i < N; i++) {
        memcpy(wire[i] + WG_DATA_HEADER_SIZE, packet->data, SIZE);
        wire[i][WG_DATA_HEADER_SIZE + SIZE - 1] = (guint8) i;
        size = wg_tx_seal(&tx, a->aead, i, wire[i] + WG_DATA_HEADER_SIZE, SIZE, wire[i]);
        g_assert_cmpuint(size, ==, wg_tx_sealed_size(&tx, SIZE));
    }
    wg_tx_sent(tx.peer, N, N * size, net->now);
    wg_tx_end(&tx);

    memcpy(wire[5], wire[4], size); /* one twice */
    wire[6][20] ^= 1;               /* one spoilt */
    g_assert_cmpint(wg_rx_begin(b->device, wire[0], size, net->now, &rx), ==, WG_OK);
    for (guint i = 0; i < N; i++) {
        g_assert_true(wg_rx_same_run(&rx, wire[i], size));
        packets[i] = (WgRxPacket){.data = wire[i], .len = size};
        wg_rx_open(&rx, b->aead, &packets[i]);
        g_assert_cmpint(packets[i].verdict, ==, i == 6 ? WG_UNAUTHENTIC : WG_OK);
    }
    wire[0][4] ^= 1;
    g_assert_false(wg_rx_same_run(&rx, wire[0], size));
    g_assert_false(wg_rx_same_run(&rx, wire[1], WG_DATA_OVERHEAD - 1));
    wg_rx_end(&rx, packets, N, &a->address, net->now);
    for (guint i = 0; i < N; i++) {
        WgVerdict expected = i == 5 ? WG_REPLAYED : i == 6 ? WG_UNAUTHENTIC : WG_OK;

        g_assert_cmpint(packets[i].verdict, ==, expected);
        if (expected == WG_OK) {
            g_assert_cmpuint(packets[i].len, ==, SIZE);
            g_assert_cmpuint(packets[i].data[SIZE - 1], ==, i);
        }
    }
    g_assert_cmpuint(device_stats(b).dropped_unauthentic, ==, 1);
    g_assert_cmpuint(peer_stats(b, a).dropped_replayed, ==, 1);
    converse(a, b);
}

/* ---- Out ------------------------------------------------------------------------------------ */

#define N_PACKETS 8

typedef struct {
    GPtrArray *memory; /* GByteArray */
    WgTxPacket packets[N_PACKETS];
    guint n;
} Offer;

static void offer(Offer *self, const char *to, guint count)
{
    GByteArray *packet = packet_new(strchr(to, ':') ? "fd00::1" : "10.0.0.1", to, 100, 0);

    if (!self->memory)
        self->memory = g_ptr_array_new_with_free_func((GDestroyNotify) g_byte_array_unref);
    g_ptr_array_add(self->memory, packet);
    self->packets[self->n++] = (WgTxPacket){packet->data, packet->len, count};
}

static void offer_clear(Offer *self)
{
    g_ptr_array_unref(self->memory);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Offer, offer_clear)

/* What follows the first goes with it as long as it goes to the same peer, by whichever of its
 * addresses; each datagram of each has a counter of its own. */
static void test_same_peer(void)
{
    PAIR;
    Host *c = host_new(net, "192.0.2.3", 1003);
    g_auto(Offer) offered = {0};
    guint64 first;
    WgTx tx;

    host_add(a, c, "10.0.0.3/32", TRUE);
    host_add(c, a, "10.0.0.1/32", TRUE);
    allow(host_peer(a, b), "10.0.1.0/24");
    allow(host_peer(a, b), "fd00:1::/32");
    converse(a, b);
    offer(&offered, "10.0.0.2", 1);
    offer(&offered, "10.0.0.2", 45);
    offer(&offered, "10.0.1.7", 1);
    offer(&offered, "fd00:1::9", 2);
    offer(&offered, "10.0.0.3", 1); /* another's */
    offer(&offered, "10.0.0.2", 1);

    g_assert_cmpint(wg_tx_begin(a->device, offered.packets, offered.n, net->now, &tx), ==, WG_OK);
    g_assert_cmpuint(tx.n_packets, ==, 4);
    g_assert_true(tx.peer == host_peer(a, b));
    first = tx.counter;
    wg_tx_end(&tx);

    g_assert_cmpint(wg_tx_begin(a->device, offered.packets + 4, 2, net->now, &tx), ==, WG_STAGED);
    g_assert_cmpuint(tx.n_packets, ==, 1);
    wg_tx_end(&tx);

    g_assert_cmpint(wg_tx_begin(a->device, offered.packets + 5, 1, net->now, &tx), ==, WG_OK);
    g_assert_cmpuint(tx.counter - first, ==, 1 + 45 + 1 + 2);
    wg_tx_end(&tx);
}

static void test_ends_at_no_peer(void)
{
    PAIR;
    g_auto(Offer) offered = {0};
    WgTx tx;

    converse(a, b);
    offer(&offered, "10.0.0.2", 1);
    offer(&offered, "10.9.9.9", 1); /* nobody's */
    offer(&offered, "10.0.0.2", 1);
    offer(&offered, "10.0.0.2", 1);
    offered.packets[2].data[0] = 0; /* not IP */

    for (guint i = 0; i < offered.n; i++) {
        static const WgVerdict expected[] = {WG_OK, WG_NO_PEER, WG_MALFORMED, WG_OK};

        g_assert_cmpint(wg_tx_begin(a->device, offered.packets + i, offered.n - i, net->now, &tx),
                        ==, expected[i]);
        g_assert_cmpuint(tx.n_packets, ==, 1);
        if (expected[i] == WG_OK)
            wg_tx_end(&tx);
    }
    g_assert_cmpuint(device_stats(a).tx_no_peer, ==, 1);
}

/* Sealed from where it was read: the same bytes as in place, and the packet is left alone. */
static void test_seal_from_elsewhere(void)
{
    PAIR;
    WgTx tx;

    converse(a, b);
    for (gsize len = 20; len <= 1420; len += 7) {
        g_autoptr(GByteArray) packet = packet_new("10.0.0.1", "10.0.0.2", len, (guint8) len);
        g_autofree guint8 *original = g_memdup2(packet->data, len);
        g_autofree guint8 *in_place = g_malloc0(len + WG_DATA_OVERHEAD + WG_PADDING);
        g_autofree guint8 *elsewhere = g_malloc0(len + WG_DATA_OVERHEAD + WG_PADDING);
        gsize size;

        g_assert_cmpint(
            wg_tx_begin(a->device, &(WgTxPacket){packet->data, len, 1}, 1, net->now, &tx), ==,
            WG_OK);
        memcpy(in_place + WG_DATA_HEADER_SIZE, packet->data, len);
        size = wg_tx_seal(&tx, a->aead, 0, in_place + WG_DATA_HEADER_SIZE, len, in_place);
        g_assert_cmpuint(wg_tx_seal(&tx, a->aead, 0, packet->data, len, elsewhere), ==, size);
        g_assert_cmpmem(elsewhere, size, in_place, size);
        g_assert_cmpmem(packet->data, len, original, len);
        wg_tx_end(&tx);
    }
}

typedef struct {
    Host *host;
    GByteArray *packet;
    atomic_bool all_popped;
    atomic_bool overtook;
} Racer;

static gpointer race(gpointer data)
{
    Racer *racer = data;
    WgTx tx;

    g_assert_cmpint(wg_tx_begin(racer->host->device,
                                &(WgTxPacket){racer->packet->data, racer->packet->len, 1}, 1,
                                racer->host->net->now, &tx),
                    ==, WG_OK);
    racer->overtook = !racer->all_popped;
    wg_tx_end(&tx);
    return NULL;
}

/* What waited for a session is sent before what a data thread has, though by another thread. */
static void test_staged_goes_first(void)
{
    PAIR;
    g_autoptr(GByteArray) packet = packet_new("10.0.0.1", "10.0.0.2", 100, 0);
    Racer racer = {.host = a, .packet = packet};
    guint n_datagrams = 0;
    WgOutput output;
    GThread *thread;
    WgTx tx;

    converse(a, b);
    g_assert_cmpint(
        wg_tx_begin(a->device, &(WgTxPacket){packet->data, packet->len, 1}, 1, net->now, &tx), ==,
        WG_OK);
    for (guint i = 0; i < 5; i++)
        wg_tx_stage(&tx, packet->data, packet->len, net->now);
    wg_tx_end(&tx);
    /* Behind what is staged it is staged itself. */
    g_assert_cmpint(
        wg_tx_begin(a->device, &(WgTxPacket){packet->data, packet->len, 1}, 1, net->now, &tx), ==,
        WG_STAGED);
    wg_tx_end(&tx);

    wg_device_run(a->device, net->now, net->now);
    thread = g_thread_new("race", race, &racer);
    while (n_datagrams < 5 && wg_device_pop(a->device, &output)) {
        n_datagrams += output.type == WG_OUTPUT_DATAGRAM;
        g_free(output.data);
        g_thread_yield();
    }
    racer.all_popped = true;
    g_assert_false(wg_device_pop(a->device, &output));
    g_thread_join(thread);
    g_assert_cmpuint(n_datagrams, ==, 5);
    g_assert_false(racer.overtook);
}

/* ---- In ------------------------------------------------------------------------------------- */

/* Each packet's source is looked at, whatever the one before had. */
static void test_sources_in_a_run(void)
{
    static const char *const sources[] = {"10.0.0.1",  "10.0.0.1", "10.0.0.77", "10.0.0.1",
                                          "10.0.0.77", "fd00::1",  "fd00::77",  "fd00::1"};
    static const WgVerdict expected[] = {WG_OK,          WG_OK, WG_NOT_ALLOWED, WG_OK,
                                         WG_NOT_ALLOWED, WG_OK, WG_NOT_ALLOWED, WG_OK};
    PAIR;
    WgRxPacket packets[G_N_ELEMENTS(sources)];
    guint8 wire[G_N_ELEMENTS(sources)][256];
    WgTx tx;
    WgRx rx;

    converse(a, b);
    for (guint i = 0; i < G_N_ELEMENTS(sources); i++) {
        gboolean v6 = strchr(sources[i], ':') != NULL;
        g_autoptr(GByteArray) packet =
            packet_new(sources[i], v6 ? "fd00::2" : "10.0.0.2", 100, (guint8) i);

        g_assert_cmpint(
            wg_tx_begin(a->device, &(WgTxPacket){packet->data, 100, 1}, 1, net->now, &tx), ==,
            WG_OK);
        packets[i] = (WgRxPacket){.data = wire[i]};
        packets[i].len = wg_tx_seal(&tx, a->aead, 0, packet->data, 100, wire[i]);
        wg_tx_sent(tx.peer, 1, packets[i].len, net->now);
        wg_tx_end(&tx);
    }
    g_assert_cmpint(wg_rx_begin(b->device, wire[0], packets[0].len, net->now, &rx), ==, WG_OK);
    for (guint i = 0; i < G_N_ELEMENTS(sources); i++)
        wg_rx_open(&rx, b->aead, &packets[i]);
    wg_rx_end(&rx, packets, G_N_ELEMENTS(sources), &a->address, net->now);
    for (guint i = 0; i < G_N_ELEMENTS(sources); i++)
        g_assert_cmpint(packets[i].verdict, ==, expected[i]);
    g_assert_cmpuint(peer_stats(b, a).dropped_allowed_ips, ==, 3);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/wg-run/judged-together", test_run);
    g_test_add_func("/wg-run/same-peer", test_same_peer);
    g_test_add_func("/wg-run/ends-at-no-peer", test_ends_at_no_peer);
    g_test_add_func("/wg-run/seal-from-elsewhere", test_seal_from_elsewhere);
    g_test_add_func("/wg-run/staged-goes-first", test_staged_goes_first);
    g_test_add_func("/wg-run/sources", test_sources_in_a_run);
    return g_test_run();
}
