/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-wg-stealth.c: what strangers, forgers and floods get out of a device on the net of wire.h:
 * nothing, or, under load, a cookie.
 */
#include "wire.h"

#include <string.h>

/* ---- Forgeries: silence --------------------------------------------------------------------- */

typedef struct {
    guint sent;
    WgPeerStats stats;
    WgEndpoint endpoint;
    WgKeypair *current, *next, *previous;
} Snapshot;

static Snapshot snapshot(Host *host, Host *peer)
{
    WgPeer *p = host_peer(host, peer);
    Snapshot s = {.current = p->current, .next = p->next, .previous = p->previous};

    for (guint i = 1; i < A_KEEPALIVE; i++)
        s.sent += host->sent[i];
    s.stats = p->stats;
    s.endpoint = p->endpoint;
    return s;
}

static void assert_unmoved(const Snapshot *before, Host *host, Host *peer)
{
    Snapshot after = snapshot(host, peer);

    g_assert_cmpmem(before, sizeof *before, &after, sizeof after);
}

static guint64 drops(Host *host)
{
    WgDeviceStats s = device_stats(host);

    return s.dropped_mac1 + s.dropped_handshake + s.dropped_no_session + s.dropped_unauthentic +
           s.dropped_malformed + s.dropped_ratelimited;
}

/* Every length from 0 to 200 with every type and reserved bit: no answer and no change. */
static void test_noise_on_the_wire(void)
{
    PAIR;
    WgEndpoint stranger = endpoint_of("203.0.113.9", 9);
    guint8 junk[200];
    Snapshot before;
    guint64 n = 0;

    converse(a, b);
    before = snapshot(b, a);
    for (guint type = 0; type <= 5; type++) {
        for (gsize len = 0; len <= sizeof junk; len++) {
            for (guint bit = 0; bit <= 24; bit++) {
                wg_random(junk, sizeof junk);
                memset(junk, 0, 4);
                junk[0] = (guint8) type;
                if (bit < 24)
                    junk[1 + bit / 8] = (guint8) (1 << bit % 8);
                g_autofree guint8 *exact = g_memdup2(junk, len);
                b->under_load = bit % 2;
                net_inject(net, &stranger, &b->address, exact, len);
                n++;
            }
        }
    }
    assert_unmoved(&before, b, a);
    g_assert_cmpuint(drops(b), ==, n);
    b->under_load = FALSE;
    converse(a, b);
}

/* Real messages, a byte changed at a time. */
static void test_changed_bytes(void)
{
    PAIR;
    WgEndpoint stranger = endpoint_of("203.0.113.9", 9);
    const Datagram *originals[2];
    Host *receivers[2] = {b, a};

    /* Both are real and unused. */
    net_set_filter(net, drop_type, GUINT_TO_POINTER(WG_TYPE_RESPONSE));
    initiate_now(a, b);
    net_set_filter(net, drop_all, NULL);
    originals[1] = net_last(net, b, WG_TYPE_RESPONSE);
    initiate_now(b, a);
    net_set_filter(net, NULL, NULL);
    originals[0] = net_last(net, b, WG_TYPE_INITIATION);
    receivers[0] = a;

    for (guint i = 0; i < 2; i++) {
        const Datagram *original = originals[i];
        Host *host = receivers[i];
        Snapshot before = snapshot(host, b);

        /* mac2 means nothing to a receiver that is not under load. */
        for (gsize at = 0; at < original->len - WG_MAC_SIZE; at++) {
            g_autofree guint8 *copy = g_memdup2(original->data, original->len);
            guint64 n = drops(host);

            copy[at] ^= 0x20;
            net_inject(net, &stranger, &host->address, copy, original->len);
            g_assert_cmpuint(drops(host), ==, n + 1);
        }
        g_assert_cmpuint(device_stats(host).dropped_handshake, ==, 0);
        assert_unmoved(&before, host, b);
    }
    /* The genuine ones still work. */
    net_replay(net, originals[1]);
    g_assert_cmpuint(a->outputs[WG_OUTPUT_SESSION], ==, 1);
    net_replay(net, originals[0]);
    g_assert_cmpuint(a->sent[WG_TYPE_RESPONSE], ==, 1);
}

/* The same by somebody who knows our public key, and so can make mac1 right. */
static void test_changed_bytes_with_mac(void)
{
    PAIR;
    const Datagram *original;
    WgCookieMaker maker;
    Snapshot before;
    guint n = 0;

    wg_cookie_maker_init(&maker, &b->public_key);
    net_set_filter(net, drop_all, NULL);
    initiate_now(a, b);
    net_set_filter(net, NULL, NULL);
    original = net_last(net, a, WG_TYPE_INITIATION);
    before = snapshot(b, a);
    for (gsize at = 8; at < WG_INITIATION_SIZE - 2 * WG_MAC_SIZE; at++) {
        g_autofree guint8 *copy = g_memdup2(original->data, original->len);

        copy[at] ^= 0x20;
        wg_cookie_add_macs(&maker, copy, original->len, net->now);
        net_inject(net, &a->address, &b->address, copy, original->len);
        g_assert_cmpuint(device_stats(b).dropped_handshake, ==, ++n);
    }
    assert_unmoved(&before, b, a);
    g_assert_cmpuint(device_stats(b).dropped_mac1, ==, 0);
    wg_cookie_maker_clear(&maker);
}

/* A response that only looks right does not spoil the handshake for the one that is. */
static void test_forged_response(void)
{
    PAIR;
    const Datagram *original;
    WgCookieMaker maker;

    wg_cookie_maker_init(&maker, &a->public_key);
    net_set_filter(net, drop_type, GUINT_TO_POINTER(WG_TYPE_RESPONSE));
    initiate_now(a, b);
    net_set_filter(net, NULL, NULL);
    original = net_last(net, b, WG_TYPE_RESPONSE);
    for (gsize at = 8; at < WG_RESPONSE_SIZE - 2 * WG_MAC_SIZE; at++) {
        g_autofree guint8 *copy = g_memdup2(original->data, original->len);

        copy[at] ^= 0x20;
        wg_cookie_add_macs(&maker, copy, original->len, net->now);
        net_inject(net, &b->address, &a->address, copy, original->len);
    }
    g_assert_cmpuint(device_stats(a).dropped_handshake, ==, WG_RESPONSE_SIZE - 2 * WG_MAC_SIZE - 8);
    net_replay(net, original);
    g_assert_cmpuint(a->outputs[WG_OUTPUT_SESSION], ==, 1);
    wg_cookie_maker_clear(&maker);
}

/* Reserved bits and lengths are outside what is encrypted; only the rules forbid them. */
static void test_reserved_and_length(void)
{
    PAIR;
    guint8 message[WG_INITIATION_SIZE + 1] = {0};
    const Datagram *original;
    WgCookieMaker maker;

    wg_cookie_maker_init(&maker, &b->public_key);
    net_set_filter(net, drop_all, NULL);
    initiate_now(a, b);
    net_set_filter(net, NULL, NULL);
    original = net_last(net, a, WG_TYPE_INITIATION);
    memcpy(message, original->data, original->len);
    for (guint bit = 0; bit < 24; bit++) {
        message[1 + bit / 8] = (guint8) (1 << bit % 8);
        wg_cookie_add_macs(&maker, message, WG_INITIATION_SIZE, net->now);
        net_inject(net, &a->address, &b->address, message, WG_INITIATION_SIZE);
        message[1 + bit / 8] = 0;
    }
    g_assert_cmpuint(device_stats(b).dropped_malformed, ==, 24);
    wg_cookie_add_macs(&maker, message, WG_INITIATION_SIZE + 1, net->now);
    net_inject(net, &a->address, &b->address, message, WG_INITIATION_SIZE + 1);
    g_assert_cmpuint(device_stats(b).dropped_malformed, ==, 25);
    net_replay(net, original);
    g_assert_cmpuint(b->sent[WG_TYPE_RESPONSE], ==, 1);
    g_assert_cmpuint(device_stats(b).dropped_malformed, ==, 25);
    wg_cookie_maker_clear(&maker);
}

static void test_strangers(void)
{
    PAIR;
    Host *c = host_new(net, "192.0.2.3", 1003);
    Snapshot before;

    host_add(c, b, "10.0.0.2/32", TRUE);
    before = snapshot(b, a);
    host_send(c, "10.0.0.3", "10.0.0.2", 60, 1);
    g_assert_cmpuint(device_stats(b).dropped_handshake, ==, 1);
    assert_unmoved(&before, b, a);
    g_assert_cmpuint(net_last(net, NULL, 0)->data[0], ==, WG_TYPE_INITIATION);

    /* One whom we know as somebody else, and one whom we no longer know. */
    converse(a, b);
    wg_device_remove_peer(b->device, host_peer(b, a));
    net_settle(net);
    host_send(a, "10.0.0.1", "10.0.0.2", 60, 1);
    g_assert_cmpint(b->last_verdict, ==, WG_NO_SESSION);
    initiate_now(a, b);
    g_assert_cmpuint(device_stats(b).dropped_handshake, ==, 2);
    g_assert_cmpuint(b->delivered->len, ==, 0);
}

/* An initiation counts once, and none that is older than one that counted. */
static void test_replayed_initiation(void)
{
    PAIR;
    Snapshot before;

    converse(a, b);
    net_advance(net, WG_SECOND);
    before = snapshot(b, a);
    net_replay(net, net_last(net, a, WG_TYPE_INITIATION));
    assert_unmoved(&before, b, a);
    g_assert_cmpuint(device_stats(b).dropped_handshake, ==, 1);

    net_set_filter(net, hold_type, GUINT_TO_POINTER(WG_TYPE_INITIATION));
    initiate_now(a, b);
    net_set_filter(net, NULL, NULL);
    net_advance(net, WG_SECOND);
    initiate_now(a, b);
    g_assert_cmpuint(b->sent[WG_TYPE_RESPONSE], ==, 2);
    net_advance(net, WG_SECOND);
    before = snapshot(b, a);
    net_release(net, 0);
    assert_unmoved(&before, b, a);
    g_assert_cmpuint(device_stats(b).dropped_handshake, ==, 2);
    converse(a, b);
}

/* From one peer at most 50 initiations a second are worth the work. */
static void test_flood(void)
{
    PAIR;

    initiate_now(a, b);
    for (guint i = 0; i < 10; i++) {
        net_advance(net, WG_INITIATION_INTERVAL / 4);
        initiate_now(a, b);
    }
    g_assert_cmpuint(a->sent[WG_TYPE_INITIATION], ==, 11);
    g_assert_cmpuint(b->sent[WG_TYPE_RESPONSE], ==, 3);
    g_assert_cmpuint(device_stats(b).dropped_handshake, ==, 8);
    converse(a, b);
}

/* ---- Cookies -------------------------------------------------------------------------------- */

/* Under load a stranger first shows that it receives where it sends from, in its own time. */
static void test_cookie(void)
{
    PAIR;

    b->under_load = TRUE;
    host_send(a, "10.0.0.1", "10.0.0.2", 60, 1);
    g_assert_cmpuint(b->sent[WG_TYPE_COOKIE_REPLY], ==, 1);
    g_assert_cmpuint(b->sent[WG_TYPE_RESPONSE], ==, 0);
    g_assert_cmpuint(net_last(net, b, 0)->len, ==, WG_COOKIE_REPLY_SIZE);
    g_assert_cmpuint(net_last(net, b, 0)->tos, ==, 0);
    net_advance(net, 4900 * G_TIME_SPAN_MILLISECOND);
    g_assert_cmpuint(a->sent[WG_TYPE_INITIATION], ==, 1);
    net_advance(net, WG_SECOND / 2);
    g_assert_cmpuint(a->sent[WG_TYPE_INITIATION], ==, 2);
    g_assert_cmpuint(b->sent[WG_TYPE_RESPONSE], ==, 1);
    g_assert_cmpuint(b->sent[WG_TYPE_COOKIE_REPLY], ==, 1);
    g_assert_true(host_got(b, 60, 1));
}

/* An initiator under load wants the same of responses. */
static void test_cookie_for_response(void)
{
    PAIR;

    a->under_load = TRUE;
    host_send(a, "10.0.0.1", "10.0.0.2", 60, 1);
    g_assert_cmpuint(b->sent[WG_TYPE_RESPONSE], ==, 1);
    g_assert_cmpuint(a->sent[WG_TYPE_COOKIE_REPLY], ==, 1);
    g_assert_cmpuint(a->outputs[WG_OUTPUT_SESSION], ==, 0);
    net_advance(net, 5400 * G_TIME_SPAN_MILLISECOND);
    g_assert_cmpuint(b->sent[WG_TYPE_RESPONSE], ==, 2);
    g_assert_cmpuint(a->sent[WG_TYPE_COOKIE_REPLY], ==, 1);
    g_assert_true(host_got(b, 60, 1));
}

/* From another port the cookie is worth nothing. */
static void test_cookie_other_port(void)
{
    PAIR;

    b->under_load = TRUE;
    host_send(a, "10.0.0.1", "10.0.0.2", 60, 1);
    host_move(a, "192.0.2.1", 1111);
    net_advance(net, 5400 * G_TIME_SPAN_MILLISECOND);
    g_assert_cmpuint(b->sent[WG_TYPE_COOKIE_REPLY], ==, 2);
    g_assert_cmpuint(b->sent[WG_TYPE_RESPONSE], ==, 0);
    net_advance(net, 5400 * G_TIME_SPAN_MILLISECOND);
    g_assert_cmpuint(b->sent[WG_TYPE_RESPONSE], ==, 1);
    g_assert_true(host_got(b, 60, 1));
}

/* A cookie reply tells nothing about where the peer is, and counts once. */
static void test_cookie_reply_moves_nothing(void)
{
    PAIR;
    WgEndpoint stranger = endpoint_of("203.0.113.9", 9);
    const Datagram *reply;
    Snapshot before;

    b->under_load = TRUE;
    net_set_filter(net, drop_type, GUINT_TO_POINTER(WG_TYPE_COOKIE_REPLY));
    host_send(a, "10.0.0.1", "10.0.0.2", 60, 1);
    net_set_filter(net, NULL, NULL);
    reply = net_last(net, b, WG_TYPE_COOKIE_REPLY);
    before = snapshot(a, b);
    net_inject(net, &stranger, &a->address, reply->data, reply->len);
    g_assert_cmpuint(device_stats(a).dropped_handshake, ==, 0);
    net_inject(net, &stranger, &a->address, reply->data, reply->len);
    g_assert_cmpuint(device_stats(a).dropped_handshake, ==, 1);
    assert_unmoved(&before, a, b);
    g_assert_cmpuint(a->outputs[WG_OUTPUT_MOVED], ==, 0);
    net_advance(net, 5400 * G_TIME_SPAN_MILLISECOND);
    g_assert_true(host_got(b, 60, 1));
}

/* With a cookie one still has only one's share; without mac1 not even a cookie. */
static void test_ratelimit(void)
{
    PAIR;
    const Datagram *with_cookie;

    b->under_load = TRUE;
    host_send(a, "10.0.0.1", "10.0.0.2", 60, 1);
    net_set_filter(net, drop_type, GUINT_TO_POINTER(WG_TYPE_INITIATION));
    net_advance(net, 5400 * G_TIME_SPAN_MILLISECOND);
    net_set_filter(net, NULL, NULL);
    with_cookie = net_last(net, a, WG_TYPE_INITIATION);
    for (guint i = 0; i < 12; i++)
        net_replay(net, with_cookie);
    g_assert_cmpuint(b->sent[WG_TYPE_RESPONSE], ==, 1);
    g_assert_cmpuint(device_stats(b).dropped_ratelimited, ==, 12 - WG_RATELIMIT_BURST);
    b->under_load = FALSE;
    net_replay(net, with_cookie);
    g_assert_cmpuint(device_stats(b).dropped_ratelimited, ==, 12 - WG_RATELIMIT_BURST);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/wg-stealth/noise-on-the-wire", test_noise_on_the_wire);           /* row 11 */
    g_test_add_func("/wg-stealth/changed-bytes", test_changed_bytes);                   /* row 7 */
    g_test_add_func("/wg-stealth/changed-bytes-with-mac", test_changed_bytes_with_mac); /* row 7 */
    g_test_add_func("/wg-stealth/forged-response", test_forged_response);               /* row 28 */
    g_test_add_func("/wg-stealth/reserved-and-length", test_reserved_and_length);       /* row 1 */
    g_test_add_func("/wg-stealth/strangers", test_strangers);                           /* row 10 */
    g_test_add_func("/wg-stealth/replayed-initiation", test_replayed_initiation);       /* row 5 */
    g_test_add_func("/wg-stealth/flood", test_flood);                                   /* row 6 */
    g_test_add_func("/wg-stealth/cookie", test_cookie);                                 /* row 9 */
    g_test_add_func("/wg-stealth/cookie-for-response", test_cookie_for_response);       /* row 9 */
    g_test_add_func("/wg-stealth/cookie-other-port", test_cookie_other_port);           /* row 9 */
    g_test_add_func("/wg-stealth/cookie-reply-moves-nothing",
                    test_cookie_reply_moves_nothing);         /* row 9 */
    g_test_add_func("/wg-stealth/ratelimit", test_ratelimit); /* row 8 */
    return g_test_run();
}
