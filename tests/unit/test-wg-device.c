/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-wg-device.c: handshakes between devices on the net of wire.h: both roles, keys, losses.
 * Forgeries are in test-wg-stealth.c, data in test-wg-transport.c, time in test-wg-schedule.c.
 */
#include "wire.h"

#include <string.h>

static Fate drop_data_from(Net *net, const Datagram *datagram, gpointer host)
{
    return datagram->data[0] == WG_TYPE_DATA &&
                   wg_endpoint_equal(&datagram->from, &((Host *) host)->address)
               ? DROP
               : PASS;
}

/* ---- Roles ---------------------------------------------------------------------------------- */

/* The packet that wanted the session is its confirmation. */
static void test_first_packet(void)
{
    PAIR;

    g_assert_cmpint(host_send(a, "10.0.0.1", "10.0.0.2", 100, 7), ==, WG_STAGED);
    g_assert_true(host_got(b, 100, 7));
    g_assert_cmpuint(a->sent[WG_TYPE_INITIATION], ==, 1);
    g_assert_cmpuint(b->sent[WG_TYPE_RESPONSE], ==, 1);
    g_assert_cmpuint(a->sent[WG_TYPE_DATA], ==, 1);
    g_assert_cmpuint(net->log->len, ==, 3);
    g_assert_cmpuint(a->outputs[WG_OUTPUT_SESSION], ==, 1);
    g_assert_cmpuint(b->outputs[WG_OUTPUT_SESSION], ==, 1);
    g_assert_cmpuint(peer_stats(a, b).handshakes, ==, 1);
    g_assert_cmpuint(peer_stats(b, a).handshakes, ==, 1);
    g_assert_cmpint(peer_stats(a, b).last_handshake_us, ==, net->now);
    g_assert_cmpint(peer_stats(b, a).last_handshake_us, ==, net->now);
    g_assert_cmpint(peer_stats(b, a).last_handshake_real_us - net->now, ==,
                    G_GINT64_CONSTANT(1700000000) * G_USEC_PER_SEC);

    g_assert_cmpuint(net_last(net, a, WG_TYPE_INITIATION)->len, ==, WG_INITIATION_SIZE);
    g_assert_cmpuint(net_last(net, a, WG_TYPE_INITIATION)->tos, ==, 0x88);
    g_assert_cmpuint(net_last(net, b, WG_TYPE_RESPONSE)->len, ==, WG_RESPONSE_SIZE);
    g_assert_cmpuint(net_last(net, b, WG_TYPE_RESPONSE)->tos, ==, 0x88);
    g_assert_cmpuint(net_last(net, a, WG_TYPE_DATA)->tos, ==, 0);
    converse(a, b);
    g_assert_cmpuint(a->sent[WG_TYPE_INITIATION], ==, 1);
}

static void test_other_role(void)
{
    PAIR;

    g_assert_cmpint(host_send(b, "fd00::2", "fd00::1", 100, 7), ==, WG_STAGED);
    g_assert_true(host_got(a, 100, 7));
    g_assert_cmpuint(b->sent[WG_TYPE_INITIATION], ==, 1);
    converse(a, b);
    net_advance(net, WG_SECOND);
    converse(a, b);
    g_assert_cmpuint(a->sent[WG_TYPE_INITIATION], ==, 0);
}

/* Without a packet to send, a keepalive is the confirmation. */
static void test_on_request(void)
{
    PAIR;

    wg_peer_initiate(host_peer(a, b), FALSE);
    net_settle(net);
    g_assert_cmpuint(a->sent[A_KEEPALIVE], ==, 1);
    g_assert_cmpuint(b->outputs[WG_OUTPUT_SESSION], ==, 1);
    g_assert_cmpuint(net->log->len, ==, 3);
    g_assert_cmpuint(net_last(net, a, WG_TYPE_DATA)->len, ==, WG_KEEPALIVE_SIZE);
}

/* The responder needs no address of the initiator. */
static void test_responder_without_endpoint(void)
{
    g_autoptr(Net) net = net_new();
    Host *a = host_new(net, "2001:db8::1", 1001);
    Host *b = host_new(net, "2001:db8::2", 1002);

    host_add(a, b, "10.0.0.2/32,fd00::2/128", TRUE);
    host_add(b, a, "10.0.0.1/32,fd00::1/128", FALSE);
    g_assert_cmpint(host_send(b, "10.0.0.2", "10.0.0.1", 60, 1), ==, WG_NO_ENDPOINT);
    g_assert_cmpuint(device_stats(b).tx_no_endpoint, ==, 1);
    converse(a, b);
    g_assert_cmpuint(b->outputs[WG_OUTPUT_MOVED], ==, 1);
}

static void test_three(void)
{
    g_autoptr(Net) net = net_new();
    Host *hub = host_new(net, "192.0.2.1", 1001);
    Host *a = host_new(net, "192.0.2.2", 1002);
    Host *b = host_new(net, "2001:db8::3", 1003);

    host_add(hub, a, "10.0.0.2/32", FALSE);
    host_add(hub, b, "10.0.0.3/32", FALSE);
    host_add(a, hub, "0.0.0.0/0", TRUE);
    host_add(b, hub, "0.0.0.0/0", TRUE);
    host_send(a, "10.0.0.2", "10.0.0.1", 60, 2);
    g_assert_true(host_got(hub, 60, 2));
    host_send(b, "10.0.0.3", "10.0.0.1", 60, 3);
    g_assert_true(host_got(hub, 60, 3));
    host_send(hub, "10.0.0.1", "10.0.0.2", 60, 4);
    host_send(hub, "10.0.0.1", "10.0.0.3", 60, 5);
    g_assert_true(host_got(a, 60, 4));
    g_assert_true(host_got(b, 60, 5));
    g_assert_cmpint(host_send(hub, "10.0.0.1", "10.0.0.4", 60, 5), ==, WG_NO_PEER);
    g_assert_cmpuint(device_stats(hub).tx_no_peer, ==, 1);
}

/* ---- Preshared keys ------------------------------------------------------------------------- */

static WgKey some_key(void)
{
    WgKey key;

    wg_random(&key, sizeof key);
    return key;
}

/* Whether two hosts with these preshared keys (NULL: none) come together. */
static gboolean meet(const WgKey *of_a, const WgKey *of_b)
{
    PAIR;

    wg_peer_set_preshared_key(host_peer(a, b), of_a);
    wg_peer_set_preshared_key(host_peer(b, a), of_b);
    host_send(a, "10.0.0.1", "10.0.0.2", 60, 1);
    net_advance(net, 12 * WG_SECOND);
    if (host_got(b, 60, 1)) {
        converse(a, b);
        return TRUE;
    }
    /* The responder cannot know; the initiator does, and asks again. */
    g_assert_cmpuint(a->sent[WG_TYPE_INITIATION], ==, 3);
    g_assert_cmpuint(b->sent[WG_TYPE_RESPONSE], ==, 3);
    g_assert_cmpuint(device_stats(a).dropped_handshake, ==, 3);
    g_assert_cmpuint(a->outputs[WG_OUTPUT_SESSION], ==, 0);
    g_assert_cmpuint(b->outputs[WG_OUTPUT_SESSION], ==, 0);
    g_assert_cmpuint(a->sent[WG_TYPE_DATA], ==, 0);
    return FALSE;
}

static void test_psk(void)
{
    WgKey one = some_key();
    WgKey other = some_key();
    WgKey zero = {{0}};

    g_assert_true(meet(&one, &one));
    g_assert_true(meet(NULL, &zero));
    g_assert_false(meet(&one, &other));
    g_assert_false(meet(&one, NULL));
    g_assert_false(meet(NULL, &one));
}

/* A change is for the next handshake; the session goes on. */
static void test_psk_change(void)
{
    PAIR;
    WgKey key = some_key();

    converse(a, b);
    wg_peer_set_preshared_key(host_peer(a, b), &key);
    converse(a, b);
    g_assert_cmpuint(a->sent[WG_TYPE_INITIATION], ==, 1);
    net_advance(net, WG_SECOND);
    initiate_now(a, b);
    g_assert_cmpuint(a->outputs[WG_OUTPUT_SESSION], ==, 1);
    wg_peer_set_preshared_key(host_peer(b, a), &key);
    converse(a, b);
    net_advance(net, WG_SECOND);
    initiate_now(a, b);
    g_assert_cmpuint(a->outputs[WG_OUTPUT_SESSION], ==, 2);
    converse(a, b);
}

/* ---- Losses and crossings ------------------------------------------------------------------- */

static void test_lost_initiation(void)
{
    PAIR;

    net_set_filter(net, drop_all, NULL);
    host_send(a, "10.0.0.1", "10.0.0.2", 60, 1);
    net_set_filter(net, NULL, NULL);
    net_advance(net, 4900 * G_TIME_SPAN_MILLISECOND);
    g_assert_cmpuint(a->sent[WG_TYPE_INITIATION], ==, 1);
    net_advance(net, WG_SECOND / 2);
    g_assert_cmpuint(a->sent[WG_TYPE_INITIATION], ==, 2);
    g_assert_true(host_got(b, 60, 1));
}

static void test_lost_response(void)
{
    PAIR;

    net_set_filter(net, drop_type, GUINT_TO_POINTER(WG_TYPE_RESPONSE));
    host_send(a, "10.0.0.1", "10.0.0.2", 60, 1);
    g_assert_cmpuint(b->sent[WG_TYPE_RESPONSE], ==, 1);
    net_set_filter(net, NULL, NULL);
    /* The responder has keys but no word that they are shared: it does not send. */
    g_assert_cmpint(host_send(b, "10.0.0.2", "10.0.0.1", 60, 2), ==, WG_STAGED);
    g_assert_cmpuint(b->sent[WG_TYPE_DATA], ==, 0);
    net_advance(net, 6 * WG_SECOND);
    g_assert_true(host_got(b, 60, 1));
    g_assert_true(host_got(a, 60, 2));
}

static void test_lost_confirmation(void)
{
    PAIR;

    net_set_filter(net, drop_data_from, a);
    host_send(a, "10.0.0.1", "10.0.0.2", 60, 1);
    net_set_filter(net, NULL, NULL);
    g_assert_cmpint(host_send(b, "10.0.0.2", "10.0.0.1", 60, 2), ==, WG_STAGED);
    g_assert_cmpuint(b->outputs[WG_OUTPUT_SESSION], ==, 0);
    host_send(a, "10.0.0.1", "10.0.0.2", 60, 3);
    g_assert_cmpuint(b->outputs[WG_OUTPUT_SESSION], ==, 1);
    g_assert_true(host_got(b, 60, 3));
    g_assert_true(host_got(a, 60, 2));
    g_assert_cmpuint(a->sent[WG_TYPE_INITIATION] + b->sent[WG_TYPE_INITIATION], ==, 1);
}

/* A response is no proof that the initiator has it: the responder stays with the old key. */
static void test_unconfirmed_rekey(void)
{
    PAIR;

    converse(a, b);
    net_advance(net, 20 * WG_SECOND);
    initiate_now(a, b);
    net_advance(net, 20 * WG_SECOND);
    g_assert_nonnull(host_peer(b, a)->previous);
    net_set_filter(net, drop_data_from, a);
    initiate_now(a, b);
    g_assert_cmpuint(b->sent[WG_TYPE_RESPONSE], ==, 3);
    g_assert_nonnull(host_peer(b, a)->next);
    g_assert_null(host_peer(b, a)->previous); /* three sessions are never alive */
    WgKeypair *old = host_peer(b, a)->current;
    g_assert_cmpint(host_send(b, "10.0.0.2", "10.0.0.1", 60, 2), ==, WG_OK);
    g_assert_true(host_got(a, 60, 2));
    g_assert_true(host_peer(b, a)->current == old);
    net_set_filter(net, NULL, NULL);
    host_send(a, "10.0.0.1", "10.0.0.2", 60, 3);
    g_assert_true(host_got(b, 60, 3));
    g_assert_true(host_peer(b, a)->previous == old);
    converse(a, b);
}

/* Packets under way while the key changes still arrive. */
static void test_previous_key(void)
{
    PAIR;

    converse(a, b);
    net_set_filter(net, hold_all, NULL);
    host_send(a, "10.0.0.1", "10.0.0.2", 60, 1);
    host_send(b, "10.0.0.2", "10.0.0.1", 60, 2);
    net_set_filter(net, NULL, NULL);
    net_advance(net, WG_SECOND);
    initiate_now(a, b);
    g_assert_cmpuint(b->outputs[WG_OUTPUT_SESSION], ==, 2);
    net_release(net, 0);
    g_assert_true(host_got(b, 60, 1));
    net_release(net, 0);
    g_assert_true(host_got(a, 60, 2));
    converse(a, b);
    /* The one before the previous is gone. */
    g_autoptr(GByteArray) packet = packet_new("10.0.0.1", "10.0.0.2", 60, 4);
    net_set_filter(net, hold_type, GUINT_TO_POINTER(WG_TYPE_DATA));
    host_send_packet(a, packet);
    net_set_filter(net, NULL, NULL);
    for (guint i = 0; i < 2; i++) {
        net_advance(net, WG_SECOND);
        initiate_now(a, b);
    }
    net_release(net, 0);
    g_assert_cmpint(b->last_verdict, ==, WG_NO_SESSION);
}

/* Both begin at once, and the net delivers in any order. */
static void test_simultaneous(void)
{
    for (guint order = 0; order < 8; order++) {
        PAIR;
        net_set_filter(net, hold_all, NULL);
        host_send(a, "10.0.0.1", "10.0.0.2", 60, 1);
        host_send(b, "10.0.0.2", "10.0.0.1", 60, 2);
        g_assert_cmpuint(net->held->len, ==, 2);
        net_release(net, order & 1);
        if (order & 4)
            net_set_filter(net, NULL, NULL);
        net_release(net, 0);
        while (net->held->len > 0)
            net_release(net, order & 2 ? net->held->len - 1 : 0);
        net_set_filter(net, NULL, NULL);
        net_advance(net, 6 * WG_SECOND);
        g_assert_true(host_got(b, 60, 1));
        g_assert_true(host_got(a, 60, 2));
        converse(a, b);
        net_advance(net, 130 * WG_SECOND);
        converse(a, b);
        g_assert_cmpuint(a->sent[WG_TYPE_INITIATION] + b->sent[WG_TYPE_INITIATION], <=, 4);
    }
}

/* The answer to an initiation that a newer one has replaced comes too late. */
static void test_superseded(void)
{
    PAIR;

    net_set_filter(net, hold_type, GUINT_TO_POINTER(WG_TYPE_RESPONSE));
    host_send(a, "10.0.0.1", "10.0.0.2", 60, 1);
    net_advance(net, 6 * WG_SECOND);
    g_assert_cmpuint(net->held->len, ==, 2);
    net_set_filter(net, NULL, NULL);
    net_release(net, 0);
    g_assert_cmpuint(device_stats(a).dropped_handshake, ==, 1);
    g_assert_cmpuint(a->outputs[WG_OUTPUT_SESSION], ==, 0);
    net_release(net, 0);
    g_assert_cmpuint(a->outputs[WG_OUTPUT_SESSION], ==, 1);
    g_assert_true(host_got(b, 60, 1));
}

/* Every message twice: nothing happens twice. */
static void test_duplicates(void)
{
    PAIR;

    net_set_filter(net, double_all, NULL);
    converse(a, b);
    g_assert_cmpuint(b->sent[WG_TYPE_RESPONSE], ==, 1);
    g_assert_cmpuint(a->outputs[WG_OUTPUT_SESSION], ==, 1);
    g_assert_cmpuint(b->outputs[WG_OUTPUT_SESSION], ==, 1);
    g_assert_cmpuint(peer_stats(b, a).dropped_replayed, ==, 1);
    g_assert_cmpuint(peer_stats(a, b).dropped_replayed, ==, 1);
    g_assert_cmpuint(device_stats(a).dropped_handshake, ==, 1);
    g_assert_cmpuint(device_stats(b).dropped_handshake, ==, 1);
}

/* ---- Time stamps ----------------------------------------------------------------------------- */

/* Whatever the wall clock does, each initiation's time stamp is greater than the one before. */
static void test_clock_set_back(void)
{
    PAIR;

    converse(a, b);
    a->clock_skew = -G_TIME_SPAN_DAY;
    for (guint i = 0; i < 5; i++) {
        net_advance(net, WG_SECOND);
        initiate_now(a, b);
    }
    g_assert_cmpuint(b->sent[WG_TYPE_RESPONSE], ==, 6);
    g_assert_cmpuint(device_stats(b).dropped_handshake, ==, 0);
}

/* The stamp itself: TAI64N, in steps of 2^24 ns, always greater than the last. */
static void test_timestamp(void)
{
    guint8 last[WG_TIMESTAMP_SIZE] = {0};
    guint8 stamp[WG_TIMESTAMP_SIZE];
    const guint8 epoch[WG_TIMESTAMP_SIZE] = {0x40, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0, 0};
    guint8 before[WG_TIMESTAMP_SIZE];

    wg_timestamp(last, 16000, stamp); /* less than a step after 1970 */
    g_assert_cmpmem(stamp, sizeof stamp, epoch, sizeof epoch);
    for (guint i = 0; i < 200; i++) {
        memcpy(before, stamp, sizeof before);
        wg_timestamp(last, 5, stamp);
        g_assert_cmpint(memcmp(stamp, before, sizeof stamp), >, 0);
        g_assert_cmpuint(stamp[9] | stamp[10] | stamp[11], ==, 0);
        g_assert_cmpuint(stamp[8], <=, 0x3b);
    }
    wg_timestamp(last, G_GINT64_CONSTANT(1700000000) * G_USEC_PER_SEC + 999999, stamp);
    g_assert_cmpuint(stamp[8], ==, 0x3b);
    g_assert_cmpuint(stamp[4] << 24 | stamp[5] << 16 | stamp[6] << 8 | stamp[7], ==,
                     1700000000 + 10);
}

/* ---- Identities ----------------------------------------------------------------------------- */

/* The points of low order (https://cr.yp.to/ecdh.html): nothing is ever sent to such a peer. */
static void test_low_order_peer(void)
{
    static const guint8 points[][3] = {
        /* first byte, bytes in between, last byte */
        {0x00, 0x00, 0x00}, {0x01, 0x00, 0x00}, {0xec, 0xff, 0x7f},
        {0xed, 0xff, 0x7f}, {0xee, 0xff, 0x7f},
    };
    static const char *const order8[] = {
        "4Ot6fDtBuK4WVuP68Z/EatoJjeucMrH9hmIFFl9JuAA=",
        "X5yVvKNQjCSx0LFVnIPvWwREXMRYHI6G2CJO3dCfEVc=",
    };
    g_autoptr(Net) net = net_new();
    Host *a = host_new(net, "192.0.2.1", 1001);
    WgEndpoint there = endpoint_of("192.0.2.2", 1002);

    for (guint i = 0; i < G_N_ELEMENTS(points) + G_N_ELEMENTS(order8); i++) {
        WgKey key;
        WgPeer *peer;

        if (i < G_N_ELEMENTS(points)) {
            memset(&key, points[i][1], sizeof key);
            key.bytes[0] = points[i][0];
            key.bytes[31] = points[i][2];
        } else {
            g_assert_true(wg_key_from_base64(&key, order8[i - G_N_ELEMENTS(points)]));
        }
        peer = wg_device_add_peer(a->device, &key);
        g_assert_true(wg_key_is_zero(&peer->secrets->static_shared));
        wg_peer_set_endpoint(peer, &there);
        wg_peer_set_keepalive(peer, 1);
        wg_peer_initiate(peer, TRUE);
        allow(peer, "10.0.0.2/32");
        host_send(a, "10.0.0.1", "10.0.0.2", 60, 1);
    }
    net_advance(net, 20 * WG_SECOND);
    g_assert_cmpuint(net->log->len, ==, 0);
}

static void test_own_key(void)
{
    PAIR;
    Host *c = host_new(net, "192.0.2.3", 1003);

    g_assert_null(wg_device_add_peer(a->device, &a->public_key));
    converse(a, b);
    host_add(a, c, "10.0.0.3/32", TRUE);
    wg_device_set_private_key(a->device, &c->private_key);
    net_settle(net);
    g_assert_null(host_peer(a, c));
    g_assert_nonnull(host_peer(a, b));
    g_assert_cmpuint(wg_device_get_peers(a->device)->len, ==, 1);
    g_assert_cmpint(host_send(a, "10.0.0.1", "10.0.0.3", 60, 1), ==, WG_NO_PEER);
}

/* A new private key is a new identity: no packet goes out under the old one any more. */
static void test_private_key_change(void)
{
    PAIR;
    WgKey new_private;
    WgKey new_public;
    WgPeer *again;

    converse(a, b);
    wg_key_generate(&new_private);
    wg_key_public(&new_public, &new_private);
    wg_device_set_private_key(a->device, &new_private);
    g_assert_true(wg_equal(wg_device_get_public_key(a->device), &new_public, sizeof new_public));
    net_advance(net, 6 * WG_SECOND);
    g_assert_cmpint(host_send(a, "10.0.0.1", "10.0.0.2", 60, 1), ==, WG_STAGED);
    g_assert_cmpuint(b->delivered->len, ==, 0);
    g_assert_cmpuint(device_stats(b).dropped_handshake, ==, 1);

    again = wg_device_add_peer(b->device, &new_public);
    allow(again, "10.0.0.1/32");
    allow(again, "fd00::1/128");
    net_advance(net, 6 * WG_SECOND);
    g_assert_true(host_got(b, 60, 1));
    converse(a, b);
}

/* The new identity asks at once, however lately the old one did, and whether it was answered. */
static void test_private_key_change_at_once(void)
{
    PAIR;
    WgKey new_private, new_public;
    WgPeer *again;

    wg_key_generate(&new_private);
    wg_key_public(&new_public, &new_private);
    again = wg_device_add_peer(b->device, &new_public);
    converse(a, b);
    allow(again, "10.0.0.1/32");
    allow(again, "fd00::1/128");
    wg_device_set_private_key(a->device, &new_private);
    net_settle(net);
    host_send(a, "10.0.0.1", "10.0.0.2", 60, 1);
    g_assert_true(host_got(b, 60, 1));

    /* An initiation that nobody answers. */
    net_advance(net, WG_SECOND);
    net_set_filter(net, drop_all, NULL);
    wg_device_set_private_key(a->device, &a->private_key);
    net_settle(net);
    host_send(a, "10.0.0.1", "10.0.0.2", 60, 2);
    net_set_filter(net, NULL, NULL);
    wg_device_set_private_key(a->device, &new_private);
    net_settle(net);
    g_assert_true(host_got(b, 60, 2));
}

/* What is sent to the old identity is not ours. */
static void test_old_identity(void)
{
    PAIR;
    WgKey new_private;

    wg_key_generate(&new_private);
    wg_device_set_private_key(b->device, &new_private);
    net_settle(net);
    host_send(a, "10.0.0.1", "10.0.0.2", 60, 1);
    g_assert_cmpuint(device_stats(b).dropped_mac1, ==, 1);
    g_assert_cmpuint(b->sent[WG_TYPE_RESPONSE], ==, 0);
}

static void test_no_private_key(void)
{
    PAIR;
    WgKey zero = {{0}};

    converse(a, b);
    wg_device_set_private_key(b->device, &zero);
    net_settle(net);
    g_assert_null(wg_device_get_private_key(b->device));
    g_assert_true(wg_key_is_zero(wg_device_get_public_key(b->device)));
    net_advance(net, 6 * WG_SECOND);
    initiate_now(a, b);
    initiate_now(b, a);
    g_assert_cmpint(host_send(b, "10.0.0.2", "10.0.0.1", 60, 1), ==, WG_STAGED);
    g_assert_cmpuint(device_stats(b).dropped_mac1, ==, 1);
    g_assert_cmpuint(b->sent[WG_TYPE_INITIATION], ==, 0);
    g_assert_cmpuint(b->sent[WG_TYPE_RESPONSE], ==, 1);
    wg_device_set_private_key(b->device, &b->private_key);
    net_advance(net, 6 * WG_SECOND);
    g_assert_true(host_got(a, 60, 1));
}

/* Public keys are found by a hash of all their bytes, with a secret of the process's own. */
static void test_key_hash(void)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
    WgKey key = {{0}};
    guint8 digest[WG_HASH_SIZE];
    guint32 plain;

    for (guint i = 0; i < WG_KEY_SIZE * 8; i++) {
        memset(&key, 0, sizeof key);
        key.bytes[i / 8] = (guint8) (1u << (i % 8));
        g_assert_cmpuint(wg_device_key_hash(&key), ==, wg_device_key_hash(&key));
        g_hash_table_add(seen, GUINT_TO_POINTER(wg_device_key_hash(&key)));
    }
    g_assert_cmpuint(g_hash_table_size(seen), >=, WG_KEY_SIZE * 8 - 1);
    /* Without the secret it would be one of these. */
    memcpy(&plain, key.bytes + WG_KEY_SIZE - 4, sizeof plain);
    g_assert_cmpuint(wg_device_key_hash(&key), !=, plain);
    wg_hash(digest, &key, sizeof key, NULL, 0);
    memcpy(&plain, digest, sizeof plain);
    g_assert_cmpuint(wg_device_key_hash(&key), !=, plain);
}

/* Receiver indices are not reused while in use, and nobody can tell the next. */
static void test_indices(void)
{
    PAIR;
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
    guint64 ones = 0;
    guint32 last = 0;

    for (guint i = 0; i < 200; i++) {
        initiate_now(a, b);
        net_advance(net, WG_SECOND / 10);
    }
    for (guint i = 0; i < net->log->len; i++) {
        const Datagram *datagram = g_ptr_array_index(net->log, i);
        guint32 sender;

        if (datagram->data[0] > WG_TYPE_RESPONSE)
            continue;
        memcpy(&sender, datagram->data + 4, sizeof sender);
        g_assert_true(g_hash_table_add(seen, GUINT_TO_POINTER(sender)));
        ones += (guint64) __builtin_popcount(sender ^ last);
        last = sender;
    }
    g_assert_cmpuint(g_hash_table_size(seen), ==, 400);
    g_assert_cmpuint(ones, >, 400 * 15);
    g_assert_cmpuint(ones, <, 400 * 17);
    /* What is not in use is not kept. */
    g_assert_cmpuint(g_hash_table_size(a->device->indices), <=, 3);
    g_assert_cmpuint(g_hash_table_size(b->device->indices), <=, 3);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/wg-device/first-packet", test_first_packet);
    g_test_add_func("/wg-device/other-role", test_other_role);
    g_test_add_func("/wg-device/on-request", test_on_request);
    g_test_add_func("/wg-device/responder-without-endpoint", test_responder_without_endpoint);
    g_test_add_func("/wg-device/three", test_three);
    g_test_add_func("/wg-device/psk", test_psk);               /* row 3 */
    g_test_add_func("/wg-device/psk-change", test_psk_change); /* row 3 */
    g_test_add_func("/wg-device/lost-initiation", test_lost_initiation);
    g_test_add_func("/wg-device/lost-response", test_lost_response);
    g_test_add_func("/wg-device/lost-confirmation", test_lost_confirmation); /* row 12 */
    g_test_add_func("/wg-device/unconfirmed-rekey", test_unconfirmed_rekey); /* row 12 */
    g_test_add_func("/wg-device/previous-key", test_previous_key);           /* row 12 */
    g_test_add_func("/wg-device/simultaneous", test_simultaneous);           /* row 12 */
    g_test_add_func("/wg-device/superseded", test_superseded);               /* rows 12, 28 */
    g_test_add_func("/wg-device/duplicates", test_duplicates);
    g_test_add_func("/wg-device/clock-set-back", test_clock_set_back);         /* row 5 */
    g_test_add_func("/wg-device/timestamp", test_timestamp);                   /* row 5 */
    g_test_add_func("/wg-device/low-order-peer", test_low_order_peer);         /* row 4 */
    g_test_add_func("/wg-device/own-key", test_own_key);                       /* row 30 */
    g_test_add_func("/wg-device/private-key-change", test_private_key_change); /* row 30 */
    g_test_add_func("/wg-device/private-key-change-at-once",
                    test_private_key_change_at_once);              /* row 30 */
    g_test_add_func("/wg-device/old-identity", test_old_identity); /* row 30 */
    g_test_add_func("/wg-device/no-private-key", test_no_private_key);
    g_test_add_func("/wg-device/key-hash", test_key_hash); /* row 29 */
    g_test_add_func("/wg-device/indices", test_indices);   /* row 28 */
    return g_test_run();
}
