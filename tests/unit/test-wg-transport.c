/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-wg-transport.c: data messages between devices on the net of wire.h: what may pass, in what
 * size, from where, and what is counted.
 */
#include "wire.h"

#include <string.h>

/* A permit for `count` datagrams to where `packet`, `len` bytes, goes. */
static WgVerdict begin(Host *host, const GByteArray *packet, gsize len, guint count, WgTx *tx)
{
    return wg_tx_begin(host->device, &(WgTxPacket){packet->data, len, count}, 1, host->net->now,
                       tx);
}

/* ---- Sizes ---------------------------------------------------------------------------------- */

static void test_lengths(void)
{
    PAIR;

    converse(a, b);
    for (gsize len = 41; len <= 1420; len++) {
        host_send(a, "10.0.0.1", "10.0.0.2", len, (guint8) len);
        g_assert_true(host_got(b, len, (guint8) len));
        g_assert_cmpuint(net_last(net, a, 0)->len, ==, 32 + MIN((len + 15) / 16 * 16, 1420));
    }
    host_send(b, "fd00::2", "fd00::1", 65000, 9);
    g_assert_true(host_got(a, 65000, 9));
}

/* Padding stops at the MTU; beyond it, it is that of the last MTU's worth (checklist 23). */
static void test_padding(void)
{
    static const struct {
        guint mtu;
        gsize len;
        gsize padded;
    } cases[] = {
        {1420, 1, 16},      {1420, 16, 16},     {1420, 17, 32},     {1420, 1407, 1408},
        {1420, 1408, 1408}, {1420, 1409, 1420}, {1420, 1419, 1420}, {1420, 1420, 1420},
        {1420, 1421, 1436}, {1420, 2840, 2840}, {1420, 2839, 2840}, {1299, 1297, 1299},
        {1300, 1297, 1300}, {1280, 1279, 1280}, {0, 1409, 1424},    {0, 1, 16},
        {1, 1, 1},          {20, 19, 20},       {65535, 0, 0},      {1420, 0, 0},
    };
    WgTx tx = {0};

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        tx.mtus.device = cases[i].mtu;
        g_assert_cmpuint(wg_tx_sealed_size(&tx, cases[i].len), ==, cases[i].padded + 32);
    }
}

/* The MTU in force is the one of the moment, also for packets that waited. */
static void test_mtu_change(void)
{
    PAIR;

    wg_device_set_mtu(a->device, 1300);
    host_send(a, "10.0.0.1", "10.0.0.2", 1297, 1);
    g_assert_true(host_got(b, 1297, 1));
    g_assert_cmpuint(net_last(net, a, 0)->len, ==, 1332);
    wg_device_set_mtu(a->device, 1420);
    host_send(a, "10.0.0.1", "10.0.0.2", 1297, 1);
    g_assert_cmpuint(net_last(net, a, 0)->len, ==, 1344);
}

/* The padding is zeros, and the header is the paper's (5.4.6). */
static void test_format(void)
{
    PAIR;
    g_autoptr(WgAead) aead = wg_aead_new();
    g_autoptr(GByteArray) packet = packet_new("10.0.0.1", "10.0.0.2", 50, 1);
    const Datagram *datagram;
    guint8 plain[64];
    const guint8 zeros[14] = {0};
    struct {
        guint32 type;
        guint32 receiver;
        guint64 counter;
    } header;

    converse(a, b);
    host_send_packet(a, packet);
    host_send_packet(a, packet);
    datagram = net_last(net, a, 0);
    memcpy(&header, datagram->data, sizeof header);
    g_assert_cmpuint(GUINT32_FROM_LE(header.type), ==, 4);
    g_assert_cmpuint(GUINT32_FROM_LE(header.receiver), ==, host_peer(b, a)->current->local_index);
    g_assert_cmpuint(GUINT64_FROM_LE(header.counter), ==, 2);
    g_assert_true(wg_aead_open(aead, host_peer(b, a)->current->keys[1].bytes, 0, 2, NULL, 0,
                               datagram->data + 16, datagram->len - 16, plain));
    g_assert_cmpmem(plain, 50, packet->data, packet->len);
    g_assert_cmpmem(plain + 50, 14, zeros, sizeof zeros);
}

/* As Linux's netns.sh counts ten pings: the datagrams' whole payload, handshake included. */
static void test_statistics(void)
{
    PAIR;

    for (guint i = 0; i < 10; i++) {
        host_send(a, "10.0.0.1", "10.0.0.2", 84, 1);
        host_send(b, "10.0.0.2", "10.0.0.1", 84, 1);
    }
    g_assert_cmpuint(peer_stats(a, b).tx_bytes, ==, 1428);
    g_assert_cmpuint(peer_stats(a, b).rx_bytes, ==, 1372);
    g_assert_cmpuint(peer_stats(b, a).tx_bytes, ==, 1372);
    g_assert_cmpuint(peer_stats(b, a).rx_bytes, ==, 1428);
}

static gsize wire_size(Host *a, gsize len)
{
    host_send(a, "10.0.0.1", "10.0.0.2", len, 1);
    return net_last(a->net, a, WG_TYPE_DATA)->len - WG_DATA_OVERHEAD;
}

/* A packet that fits a route's MTU is not padded beyond that; one that does not, not beyond the
 * interface's. */
static void test_route_mtu(void)
{
    PAIR;

    converse(a, b);
    wg_device_set_mtu(a->device, 1300);
    g_assert_cmpuint(wire_size(a, 1297), ==, 1300);
    wg_device_add_route_mtu(a->device, 1299);
    wg_device_add_route_mtu(a->device, 1500); /* more than the interface's */
    wg_device_add_route_mtu(a->device, 1001);
    wg_device_add_route_mtu(a->device, 1001);
    g_assert_cmpuint(wire_size(a, 1297), ==, 1299);
    g_assert_cmpuint(wire_size(a, 1299), ==, 1299);
    g_assert_cmpuint(wire_size(a, 1300), ==, 1300);
    g_assert_cmpuint(wire_size(a, 1001), ==, 1001);
    g_assert_cmpuint(wire_size(a, 995), ==, 1001);
    g_assert_cmpuint(wire_size(a, 1002), ==, 1008);
    for (guint mtu = 1; mtu < 100; mtu++)
        wg_device_add_route_mtu(a->device, mtu * 7);
    g_assert_cmpuint(wire_size(a, 1300), ==, 1300);

    /* Also what waits for a session. */
    wg_device_add_route_mtu(a->device, 28);
    wg_peer_drop_sessions(host_peer(a, b));
    net_advance(net, 6 * WG_SECOND);
    g_assert_cmpuint(wire_size(a, 28), ==, 28);
}

/* ---- Runs ----------------------------------------------------------------------------------- */

/* ---- Staged packets ------------------------------------------------------------------------- */

static void assert_tags(Host *host, guint8 first, guint n)
{
    g_assert_cmpuint(host->delivered->len, ==, n);
    for (guint i = 0; i < n; i++) {
        const GByteArray *packet = g_ptr_array_index(host->delivered, i);

        g_assert_cmpuint(packet->data[packet->len - 1], ==, (guint8) (first + i));
    }
    g_ptr_array_set_size(host->delivered, 0);
}

/* What waits for a session goes out in order; of too many, the oldest are lost. */
static void test_staged(void)
{
    PAIR;

    net_set_filter(net, hold_type, GUINT_TO_POINTER(WG_TYPE_RESPONSE));
    for (guint i = 0; i < 128; i++)
        g_assert_cmpint(host_send(a, "10.0.0.1", "10.0.0.2", 60, (guint8) i), ==, WG_STAGED);
    g_assert_cmpuint(peer_stats(a, b).dropped_staged, ==, 0);
    g_assert_cmpuint(a->sent[WG_TYPE_INITIATION], ==, 1);
    net_set_filter(net, NULL, NULL);
    net_release(net, 0);
    assert_tags(b, 0, 128);

    net_advance(net, 200 * WG_SECOND);
    net_set_filter(net, hold_type, GUINT_TO_POINTER(WG_TYPE_RESPONSE));
    for (guint i = 0; i < 131; i++)
        host_send(a, "10.0.0.1", "10.0.0.2", 60, (guint8) i);
    g_assert_cmpuint(peer_stats(a, b).dropped_staged, ==, 3);
    net_set_filter(net, NULL, NULL);
    net_release(net, 0);
    assert_tags(b, 3, 128);
    g_assert_cmpuint(peer_stats(a, b).dropped_staged, ==, 3);
}

/* Each peer has a queue of its own; removing a peer drops its alone. */
static void test_staged_apart(void)
{
    PAIR;
    Host *c = host_new(net, "192.0.2.3", 1003);

    host_add(a, c, "10.0.0.3/32", TRUE);
    host_add(c, a, "10.0.0.1/32", TRUE);
    net_set_filter(net, hold_all, NULL);
    host_send(a, "10.0.0.1", "10.0.0.2", 60, 2);
    host_send(a, "10.0.0.1", "10.0.0.3", 60, 3);
    wg_device_remove_peer(a->device, host_peer(a, b));
    net_set_filter(net, NULL, NULL);
    net_release(net, 1);
    g_assert_true(host_got(c, 60, 3));
    net_release(net, 0);
    g_assert_cmpuint(b->delivered->len, ==, 0);
}

/* ---- Replay and order ----------------------------------------------------------------------- */

static void test_reorder(void)
{
    PAIR;

    converse(a, b);
    net_set_filter(net, hold_all, NULL);
    for (guint i = 0; i < 50; i++)
        host_send(a, "10.0.0.1", "10.0.0.2", 60, (guint8) i);
    net_set_filter(net, NULL, NULL);
    while (net->held->len > 0) {
        guint at = (guint) g_test_rand_int_range(0, (gint32) net->held->len);

        net_release(net, at);
    }
    g_assert_cmpuint(b->delivered->len, ==, 50);
    g_ptr_array_set_size(b->delivered, 0);

    for (guint i = 0; i < net->log->len; i++) {
        const Datagram *datagram = g_ptr_array_index(net->log, i);

        if (datagram->data[0] == WG_TYPE_DATA && wg_endpoint_equal(&datagram->to, &b->address)) {
            net_replay(net, datagram);
            g_assert_cmpint(b->last_verdict, ==, WG_REPLAYED);
        }
    }
    g_assert_cmpuint(b->delivered->len, ==, 0);
    g_assert_cmpuint(peer_stats(b, a).dropped_replayed, ==, 51);
}

/* A packet from a to b, which the network holds. */
static guint8 *copy_of_held(Net *net, Host *a, Host *b, gsize *len)
{
    const Datagram *datagram;

    converse(a, b);
    net_set_filter(net, hold_all, NULL);
    host_send(a, "10.0.0.1", "10.0.0.2", 60, 1);
    net_set_filter(net, NULL, NULL);
    datagram = net_last(net, a, 0);
    *len = datagram->len;
    return g_memdup2(datagram->data, datagram->len);
}

/* The header's reserved bits are not authenticated, only forbidden. */
static void test_reserved(void)
{
    PAIR;
    gsize len;
    g_autofree guint8 *copy = copy_of_held(net, a, b, &len);

    for (guint bit = 0; bit < 24; bit++) {
        copy[1 + bit / 8] = (guint8) (1 << bit % 8);
        net_inject(net, &a->address, &b->address, copy, len);
        g_assert_cmpint(b->last_verdict, ==, WG_MALFORMED);
        copy[1 + bit / 8] = 0;
    }
    g_assert_cmpuint(device_stats(b).dropped_malformed, ==, 24);
    net_release(net, 0);
    g_assert_true(host_got(b, 60, 1));
}

/* A counter so far ahead that the window moves is not believed before the tag is checked. */
static void test_forged_counter(void)
{
    PAIR;
    gsize len;
    g_autofree guint8 *copy = copy_of_held(net, a, b, &len);

    for (guint byte = 8; byte < 16; byte++) {
        copy[byte] ^= 0xff;
        net_inject(net, &a->address, &b->address, copy, len);
        g_assert_cmpint(b->last_verdict, ==, WG_UNAUTHENTIC);
        copy[byte] ^= 0xff;
    }
    net_release(net, 0);
    g_assert_true(host_got(b, 60, 1));
}

/* ---- Where from ----------------------------------------------------------------------------- */

static void assert_endpoint(Host *host, Host *peer, const WgEndpoint *expected)
{
    WgEndpoint endpoint;

    wg_peer_get_endpoint(host_peer(host, peer), &endpoint);
    g_assert_true(wg_endpoint_equal(&endpoint, expected));
}

static void test_roaming(void)
{
    PAIR;
    WgEndpoint here = a->address;
    WgEndpoint stranger = endpoint_of("203.0.113.9", 9);
    const Datagram *datagram;
    g_autofree guint8 *spoilt = NULL;

    converse(a, b);
    g_assert_cmpuint(b->outputs[WG_OUTPUT_MOVED], ==, 0);

    /* A replay or a forgery moves nobody. */
    datagram = net_last(net, a, 0);
    net_inject(net, &stranger, &b->address, datagram->data, datagram->len);
    assert_endpoint(b, a, &here);
    net_set_filter(net, hold_all, NULL);
    host_send(a, "10.0.0.1", "10.0.0.2", 60, 1);
    net_set_filter(net, NULL, NULL);
    datagram = net_last(net, a, 0);
    spoilt = g_memdup2(datagram->data, datagram->len);
    spoilt[30] ^= 1;
    net_inject(net, &stranger, &b->address, spoilt, datagram->len);
    assert_endpoint(b, a, &here);
    g_assert_cmpuint(b->outputs[WG_OUTPUT_MOVED], ==, 0);

    /* Any authentic packet does, in either address family. */
    host_move(a, "2001:db8::77", 7777);
    host_send(a, "10.0.0.1", "10.0.0.2", 60, 2);
    assert_endpoint(b, a, &a->address);
    g_assert_cmpuint(b->outputs[WG_OUTPUT_MOVED], ==, 1);
    g_ptr_array_set_size(b->delivered, 0);
    converse(a, b);
    g_assert_cmpuint(b->outputs[WG_OUTPUT_MOVED], ==, 1);

    /* So does an initiation. */
    host_move(a, "192.0.2.99", 1001);
    net_advance(net, WG_SECOND);
    wg_peer_initiate(host_peer(a, b), TRUE);
    net_settle(net);
    assert_endpoint(b, a, &a->address);
    g_assert_cmpuint(b->outputs[WG_OUTPUT_MOVED], ==, 2);
    converse(a, b);
    g_assert_cmpuint(a->sent[WG_TYPE_INITIATION], ==, 2);
    g_assert_cmpuint(a->outputs[WG_OUTPUT_MOVED], ==, 0);
}

/* The local address a datagram came to is where answers leave from, until told to forget. */
static void test_local_address(void)
{
    PAIR;
    const Datagram *datagram;
    WgEndpoint endpoint;

    converse(a, b);
    net_set_filter(net, drop_all, NULL);
    host_send(a, "10.0.0.1", "10.0.0.2", 60, 1);
    datagram = net_last(net, a, 0);
    endpoint = datagram->from;
    endpoint.local.in4.s_addr = 0x01020304;
    endpoint.local_ifindex = 5;
    net_inject(net, &endpoint, &b->address, datagram->data, datagram->len);
    g_assert_true(host_got(b, 60, 1));
    wg_peer_get_endpoint(host_peer(b, a), &endpoint);
    g_assert_cmpint(endpoint.local_ifindex, ==, 5);
    g_assert_cmpuint(b->outputs[WG_OUTPUT_MOVED], ==, 0);
    wg_device_clear_local_addresses(b->device);
    wg_peer_get_endpoint(host_peer(b, a), &endpoint);
    g_assert_cmpint(endpoint.local_ifindex, ==, 0);
    g_assert_cmpuint(endpoint.local.in4.s_addr, ==, 0);
    g_assert_true(wg_endpoint_equal(&endpoint, &a->address));
}

/* Of one peer, if its endpoint is still what was looked at. */
static void test_forget_local_address(void)
{
    PAIR;
    WgPeer *peer = host_peer(b, a);
    WgEndpoint known = a->address, other;

    known.local.in4.s_addr = 0x01020304;
    known.local_ifindex = 5;
    wg_peer_set_endpoint(peer, &known);
    other = known;
    other.local_ifindex = 6;
    wg_peer_forget_local_address(peer, &other);
    wg_peer_get_endpoint(peer, &other);
    g_assert_cmpint(other.local_ifindex, ==, 5);
    wg_peer_forget_local_address(peer, &known);
    wg_peer_get_endpoint(peer, &other);
    g_assert_cmpint(other.local_ifindex, ==, 0);
    g_assert_cmpuint(other.local.in4.s_addr, ==, 0);
    g_assert_true(wg_endpoint_equal(&known, &other));
}

/* ---- What may pass -------------------------------------------------------------------------- */

/* A peer may not speak for a part of its prefix that is another peer's. */
static void test_source_check(void)
{
    g_autoptr(Net) net = net_new();
    Host *hub = host_new(net, "192.0.2.1", 1001);
    Host *a = host_new(net, "192.0.2.2", 1002);
    Host *b = host_new(net, "192.0.2.3", 1003);
    WgPeer *peer_a = host_add(hub, a, "10.0.0.0/24,fd00::/64", FALSE);
    WgPrefix v4 = {.addr = {10}, .family = AF_INET, .length = 24};
    g_autoptr(GArray) prefixes = NULL;

    host_add(hub, b, "10.0.0.128/25,fd00::b/128", FALSE);
    host_add(a, hub, "0.0.0.0/0,::/0", TRUE);
    host_add(b, hub, "0.0.0.0/0,::/0", TRUE);

    host_send(a, "10.0.0.5", "10.9.9.9", 60, 1);
    g_assert_true(host_got(hub, 60, 1));
    host_send(a, "10.0.0.129", "10.9.9.9", 60, 1);
    g_assert_cmpint(hub->last_verdict, ==, WG_NOT_ALLOWED);
    host_send(a, "fd00::b", "fd00:9::", 60, 1);
    g_assert_cmpint(hub->last_verdict, ==, WG_NOT_ALLOWED);
    host_send(a, "10.0.1.1", "10.9.9.9", 60, 1);
    g_assert_cmpint(hub->last_verdict, ==, WG_NOT_ALLOWED);
    host_send(a, "fd00::a", "fd00:9::", 60, 1);
    g_assert_true(host_got(hub, 60, 1));
    host_send(b, "10.0.0.129", "10.9.9.9", 60, 1);
    g_assert_true(host_got(hub, 60, 1));
    host_send(b, "10.0.0.5", "10.9.9.9", 60, 1);
    g_assert_cmpint(hub->last_verdict, ==, WG_NOT_ALLOWED);
    g_assert_cmpuint(peer_stats(hub, a).dropped_allowed_ips, ==, 3);
    g_assert_cmpuint(peer_stats(hub, b).dropped_allowed_ips, ==, 1);
    g_assert_cmpuint(hub->delivered->len, ==, 0);

    /* Such a packet is authentic all the same: it moves the endpoint. */
    host_move(a, "192.0.2.200", 1002);
    host_send(a, "10.0.1.1", "10.9.9.9", 60, 1);
    g_assert_cmpuint(hub->outputs[WG_OUTPUT_MOVED], ==, 3);

    /* Changes of the table count at once. */
    wg_peer_remove_allowed_ip(peer_a, &v4);
    host_send(a, "10.0.0.5", "10.9.9.9", 60, 1);
    g_assert_cmpint(hub->last_verdict, ==, WG_NOT_ALLOWED);
    prefixes = wg_peer_get_allowed_ips(peer_a);
    g_assert_cmpuint(prefixes->len, ==, 1);
    wg_peer_clear_allowed_ips(peer_a);
    host_send(a, "fd00::a", "fd00:9::", 60, 1);
    g_assert_cmpint(hub->last_verdict, ==, WG_NOT_ALLOWED);
    allow(peer_a, "10.0.0.128/25");
    host_send(a, "10.0.0.129", "10.9.9.9", 60, 1);
    g_assert_true(host_got(hub, 60, 1));
    host_send(b, "10.0.0.129", "10.9.9.9", 60, 1);
    g_assert_cmpint(hub->last_verdict, ==, WG_NOT_ALLOWED);
}

typedef struct {
    const char *what;
    gboolean v6;
    gsize len;
    guint8 first;   /* byte */
    guint16 field;  /* total length of IPv4, payload length of IPv6 */
    gsize expected; /* 0: malformed */
} InnerCase;

/* Seals any payload under a's key, which a's own device would refuse to send. */
static void send_raw(Host *a, Host *b, const guint8 *payload, gsize len)
{
    WgKeypair *keypair = host_peer(a, b)->current;
    WgTx tx = {.keypair = keypair, .counter = keypair->next_counter++};
    g_autofree guint8 *out = g_malloc(wg_tx_sealed_size(&tx, len));
    gsize size = wg_tx_seal(&tx, a->aead, 0, payload, len, out);

    net_inject(a->net, &a->address, &b->address, out, size);
}

/* The inner packet must be one and tell the truth about its length; padding is cut off. */
static void test_inner(void)
{
    static const InnerCase cases[] = {
        {"whole", FALSE, 60, 0x45, 60, 60},
        {"padded", FALSE, 64, 0x45, 60, 60},
        {"header alone", FALSE, 20, 0x45, 20, 20},
        {"shorter than its header", FALSE, 60, 0x45, 19, 0},
        {"nothing", FALSE, 60, 0x45, 0, 0},
        {"longer than there is", FALSE, 64, 0x45, 65, 0},
        {"much longer", FALSE, 64, 0x45, 65535, 0},
        {"version 5", FALSE, 60, 0x55, 60, 0},
        {"version 0", FALSE, 60, 0x05, 60, 0},
        {"version 15", FALSE, 60, 0xf5, 60, 0},
        {"whole", TRUE, 80, 0x60, 40, 80},
        {"padded", TRUE, 96, 0x60, 40, 80},
        {"header alone", TRUE, 40, 0x60, 0, 40},
        {"header alone, padded", TRUE, 48, 0x60, 0, 40},
        {"longer than there is", TRUE, 80, 0x60, 41, 0},
        {"so long that 16 bits overflow", TRUE, 80, 0x60, 65496, 0},
        {"longest", TRUE, 80, 0x60, 65535, 0},
        {"an IPv4 header's version", TRUE, 80, 0x40, 40, 0},
    };
    PAIR;
    guint malformed = 0;

    converse(a, b);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        const InnerCase *c = &cases[i];
        g_autoptr(GByteArray) packet =
            packet_new(c->v6 ? "fd00::1" : "10.0.0.1", c->v6 ? "fd00::2" : "10.0.0.2", c->len, 0);

        g_test_message("%s", c->what);
        packet->data[0] = c->first;
        packet->data[c->v6 ? 4 : 2] = (guint8) (c->field >> 8);
        packet->data[c->v6 ? 5 : 3] = (guint8) c->field;
        if (c->first == 0x40)
            packet->data[2] = packet->data[3] = 0xff;
        send_raw(a, b, packet->data, c->len);
        malformed += c->expected == 0 ? 1 : 0;
        g_assert_cmpuint(peer_stats(b, a).dropped_malformed, ==, malformed);
        g_assert_cmpuint(b->delivered->len, ==, c->expected > 0 ? 1 : 0);
        if (c->expected > 0)
            g_assert_cmpuint(((GByteArray *) b->delivered->pdata[0])->len, ==, c->expected);
        g_ptr_array_set_size(b->delivered, 0);
    }
    for (gsize len = 1; len < 20; len++) {
        guint8 stub[20] = {0x45, 0, 0, 20};

        stub[0] = len % 2 ? 0x45 : 0x60;
        send_raw(a, b, stub, len);
        /* With its padding it may be as long as it says; but it is nobody's. */
        g_assert_cmpuint(b->delivered->len, ==, 0);
    }
}

/* The device does not let such packets out either, nor those to nobody. */
static void test_outer_refusals(void)
{
    PAIR;
    g_autoptr(GByteArray) packet = packet_new("10.0.0.1", "10.0.0.2", 60, 0);

    packet->data[0] = 0x55;
    g_assert_cmpint(host_send_packet(a, packet), ==, WG_MALFORMED);
    packet->data[0] = 0x45;
    packet->data[3] = 61;
    g_assert_cmpint(host_send_packet(a, packet), ==, WG_MALFORMED);
    g_assert_cmpint(host_send(a, "10.0.0.1", "10.0.0.3", 60, 0), ==, WG_NO_PEER);
    g_assert_cmpint(host_send(a, "fd00::1", "fd00::3", 60, 0), ==, WG_NO_PEER);
    g_assert_cmpuint(device_stats(a).tx_no_peer, ==, 2);
    g_assert_cmpuint(net->log->len, ==, 0);
}

/* ---- Counters ------------------------------------------------------------------------------- */

/* Many messages want a new session, whoever made this one; too many are the end. */
static void test_message_limits(void)
{
    PAIR;
    WgKeypair *keypair;

    converse(a, b);
    net_advance(net, 6 * WG_SECOND);
    keypair = host_peer(b, a)->current;
    g_assert_false(keypair->initiator);
    keypair->next_counter = WG_REKEY_AFTER_MESSAGES;
    host_send(b, "10.0.0.2", "10.0.0.1", 60, 1);
    g_assert_cmpuint(b->sent[WG_TYPE_INITIATION], ==, 1);
    g_assert_true(host_got(a, 60, 1));
    g_assert_true(host_peer(b, a)->current != keypair);

    net_set_filter(net, drop_type, GUINT_TO_POINTER(WG_TYPE_INITIATION));
    host_peer(a, b)->current->next_counter = WG_REJECT_AFTER_MESSAGES - 2;
    g_assert_cmpint(host_send(a, "10.0.0.1", "10.0.0.2", 60, 1), ==, WG_OK);
    g_assert_true(host_got(b, 60, 1));
    g_assert_cmpint(host_send(a, "10.0.0.1", "10.0.0.2", 60, 2), ==, WG_STAGED);
    g_assert_cmpint(host_send(a, "10.0.0.1", "10.0.0.2", 60, 3), ==, WG_STAGED);
    g_assert_cmpuint(b->delivered->len, ==, 0);
    net_set_filter(net, NULL, NULL);
    net_advance(net, 6 * WG_SECOND);
    assert_tags(b, 2, 2);
}

/* No run may reach over the end, even if it begins before it. */
static void test_run_at_the_end(void)
{
    PAIR;
    g_autoptr(GByteArray) packet = packet_new("10.0.0.1", "10.0.0.2", 60, 0);
    WgTx tx;

    converse(a, b);
    host_peer(a, b)->current->next_counter = WG_REJECT_AFTER_MESSAGES - 10;
    g_assert_cmpint(begin(a, packet, 60, 11, &tx), ==, WG_STAGED);
    wg_tx_end(&tx);
    g_assert_cmpint(begin(a, packet, 60, 9, &tx), ==, WG_OK);
    wg_tx_end(&tx);
}

/* A counter is used once, whether or not its packet left. */
static void test_counters_are_not_reused(void)
{
    PAIR;
    g_autoptr(GByteArray) packet = packet_new("10.0.0.1", "10.0.0.2", 60, 0);
    guint64 first;
    WgTx tx;

    converse(a, b);
    g_assert_cmpint(begin(a, packet, 60, 5, &tx), ==, WG_OK);
    first = tx.counter;
    wg_tx_end(&tx);
    g_assert_cmpint(begin(a, packet, 60, 1, &tx), ==, WG_OK);
    g_assert_cmpuint(tx.counter, ==, first + 5);
    wg_tx_sent(tx.peer, 1, 100, net->now);
    wg_tx_end(&tx);
}

/* ---- A peer that goes ----------------------------------------------------------------------- */

/* A run that is under way while its peer is removed ends well, and delivers nothing. */
static void test_removal_during_run(void)
{
    PAIR;
    g_autoptr(GByteArray) packet = packet_new("10.0.0.1", "10.0.0.2", 60, 0);
    const Datagram *datagram;
    g_autofree guint8 *copy = NULL;
    WgRxPacket received;
    guint8 out[200];
    WgTx tx;
    WgRx rx;

    converse(a, b);
    net_set_filter(net, drop_all, NULL);
    host_send_packet(a, packet);
    datagram = net_last(net, a, 0);
    copy = g_memdup2(datagram->data, datagram->len);
    received = (WgRxPacket){.data = copy, .len = datagram->len};
    g_assert_cmpint(wg_rx_begin(b->device, copy, datagram->len, net->now, &rx), ==, WG_OK);
    wg_device_remove_peer(b->device, host_peer(b, a));
    wg_rx_open(&rx, b->aead, &received);
    wg_rx_end(&rx, &received, 1, &a->address, net->now);
    g_assert_cmpint(received.verdict, ==, WG_NOT_ALLOWED);

    g_assert_cmpint(begin(a, packet, 60, 1, &tx), ==, WG_OK);
    wg_device_remove_peer(a->device, host_peer(a, b));
    g_assert_cmpuint(wg_tx_seal(&tx, a->aead, 0, packet->data, 60, out), ==, 96);
    wg_tx_sent(tx.peer, 1, 96, net->now);
    wg_tx_end(&tx);
    net_advance(net, 600 * WG_SECOND);
    g_assert_cmpuint(g_hash_table_size(a->device->indices), ==, 0);
    g_assert_cmpuint(g_hash_table_size(b->device->indices), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/wg-transport/lengths", test_lengths);       /* row 33 */
    g_test_add_func("/wg-transport/padding", test_padding);       /* row 23 */
    g_test_add_func("/wg-transport/mtu-change", test_mtu_change); /* row 23 */
    g_test_add_func("/wg-transport/route-mtu", test_route_mtu);   /* row 23 */
    g_test_add_func("/wg-transport/format", test_format);
    g_test_add_func("/wg-transport/statistics", test_statistics);                     /* row 31 */
    g_test_add_func("/wg-transport/staged", test_staged);                             /* row 22 */
    g_test_add_func("/wg-transport/staged-apart", test_staged_apart);                 /* row 22 */
    g_test_add_func("/wg-transport/reorder", test_reorder);                           /* row 18 */
    g_test_add_func("/wg-transport/reserved", test_reserved);                         /* row 1 */
    g_test_add_func("/wg-transport/forged-counter", test_forged_counter);             /* row 17 */
    g_test_add_func("/wg-transport/roaming", test_roaming);                           /* row 19 */
    g_test_add_func("/wg-transport/local-address", test_local_address);               /* row 27 */
    g_test_add_func("/wg-transport/forget-local-address", test_forget_local_address); /* row 27 */
    g_test_add_func("/wg-transport/source-check", test_source_check);                 /* row 19 */
    g_test_add_func("/wg-transport/inner", test_inner);                               /* row 19 */
    g_test_add_func("/wg-transport/outer-refusals", test_outer_refusals);             /* row 1 */
    g_test_add_func("/wg-transport/message-limits", test_message_limits);             /* row 13 */
    g_test_add_func("/wg-transport/run-at-the-end", test_run_at_the_end);             /* row 13 */
    g_test_add_func("/wg-transport/counters-are-not-reused",
                    test_counters_are_not_reused); /* row 17 */
    g_test_add_func("/wg-transport/removal-during-run", test_removal_during_run);
    return g_test_run();
}
