/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-wg-schedule.c: what devices on the net of wire.h do in the course of time: new keys, the end
 * of old ones, keepalives, asking and giving up. The table of each timer is in test-wg-timers.c.
 */
#include "wire.h"

#include <string.h>

#define MS ((gint64) G_TIME_SPAN_MILLISECOND)

static void ping(Host *a, Host *b)
{
    host_send(a, "10.0.0.1", "10.0.0.2", 60, 1);
    g_assert_true(host_got(b, 60, 1));
}

static void pong(Host *a, Host *b)
{
    host_send(b, "10.0.0.2", "10.0.0.1", 60, 2);
    g_assert_true(host_got(a, 60, 2));
}

static guint initiations(Host *a, Host *b)
{
    return a->sent[WG_TYPE_INITIATION] + b->sent[WG_TYPE_INITIATION];
}

/* ---- New keys ------------------------------------------------------------------------------- */

/* The initiator, when it sends, after 120 s; nothing is lost over it. */
static void test_rekey_on_send(void)
{
    PAIR;

    converse(a, b);
    for (guint i = 1; i < 120; i++) {
        net_advance(net, WG_SECOND);
        converse(a, b);
    }
    net_advance(net, WG_SECOND - 1);
    converse(a, b);
    g_assert_cmpuint(initiations(a, b), ==, 1);
    net_advance(net, 1);
    pong(a, b); /* the responder does not ask */
    g_assert_cmpuint(initiations(a, b), ==, 1);
    ping(a, b);
    g_assert_cmpuint(a->sent[WG_TYPE_INITIATION], ==, 2);
    g_assert_cmpuint(b->sent[WG_TYPE_INITIATION], ==, 0);
    g_assert_cmpuint(b->outputs[WG_OUTPUT_SESSION], ==, 2);
    converse(a, b);
    g_assert_cmpuint(initiations(a, b), ==, 2);
}

/* An hour of talk: a session every two minutes, and each packet arrives. */
static void test_an_hour(void)
{
    PAIR;

    for (guint i = 0; i < 3600; i++) {
        converse(a, b);
        net_advance(net, WG_SECOND);
    }
    g_assert_cmpuint(a->sent[WG_TYPE_INITIATION], ==, 30);
    g_assert_cmpuint(peer_stats(a, b).handshakes, ==, 30);
    g_assert_cmpuint(peer_stats(b, a).handshakes, ==, 30);
    g_assert_cmpuint(a->sent[A_KEEPALIVE], ==, 29);
    g_assert_cmpuint(b->sent[A_KEEPALIVE], ==, 0);
}

/* One that only listens does so by its passive keepalives. */
static void test_rekey_on_receive(void)
{
    PAIR;

    converse(a, b);
    for (guint i = 0; i < 28; i++) {
        net_advance(net, 5 * WG_SECOND);
        pong(a, b);
    }
    g_assert_cmpuint(a->sent[WG_TYPE_INITIATION], ==, 2);
    g_assert_cmpuint(b->sent[WG_TYPE_INITIATION], ==, 0);
}

/* If it had no reason to send before, it asks in the session's last 15 s, once: 165 s. */
static void test_rekey_in_last_seconds(void)
{
    PAIR;

    converse(a, b);
    net_advance(net, 165 * WG_SECOND - 1);
    pong(a, b);
    g_assert_cmpuint(initiations(a, b), ==, 1);
    net_advance(net, 1);
    net_set_filter(net, drop_type, GUINT_TO_POINTER(WG_TYPE_INITIATION));
    pong(a, b);
    g_assert_cmpuint(a->sent[WG_TYPE_INITIATION], ==, 2);
    pong(a, b);
    g_assert_cmpuint(a->sent[WG_TYPE_INITIATION], ==, 2);
    net_set_filter(net, NULL, NULL);
    net_advance(net, 6 * WG_SECOND);
    g_assert_cmpuint(peer_stats(a, b).handshakes, ==, 2);
    g_assert_cmpuint(b->sent[WG_TYPE_INITIATION], ==, 0);

    /* In the next session again; and never the responder. */
    net_advance(net, 170 * WG_SECOND);
    net_set_filter(net, drop_type, GUINT_TO_POINTER(WG_TYPE_INITIATION));
    ping(a, b);
    g_assert_cmpuint(b->sent[WG_TYPE_INITIATION], ==, 0);
    net_set_filter(net, NULL, NULL);
    net_advance(net, 6 * WG_SECOND);
    g_assert_cmpuint(peer_stats(a, b).handshakes, ==, 3);
    net_advance(net, 166 * WG_SECOND);
    pong(a, b);
    g_assert_cmpuint(peer_stats(a, b).handshakes, ==, 4);
}

/* A tunnel that nobody uses makes no new keys and says nothing at all. */
static void test_idle(void)
{
    PAIR;
    guint n;

    converse(a, b);
    net_advance(net, 11 * WG_SECOND); /* the answer to what converse() sent last */
    n = net->log->len;
    net_advance(net, 3600 * WG_SECOND);
    g_assert_cmpuint(net->log->len, ==, n);
}

/* ---- The end of keys ------------------------------------------------------------------------ */

static void test_reject_after_time(void)
{
    PAIR;

    converse(a, b);
    net_set_filter(net, hold_all, NULL);
    host_send(a, "10.0.0.1", "10.0.0.2", 60, 1);
    host_send(a, "10.0.0.1", "10.0.0.2", 60, 2);
    net_set_filter(net, drop_all, NULL);
    net_advance(net, 180 * WG_SECOND - 1);
    net_release(net, 0);
    g_assert_true(host_got(b, 60, 1));
    g_assert_cmpint(host_send(b, "10.0.0.2", "10.0.0.1", 60, 1), ==, WG_OK);
    net_advance(net, 1);
    net_release(net, 0);
    g_assert_cmpint(b->last_verdict, ==, WG_UNAUTHENTIC);
    g_assert_cmpuint(device_stats(b).dropped_unauthentic, ==, 1);
    g_assert_cmpint(host_send(b, "10.0.0.2", "10.0.0.1", 60, 1), ==, WG_STAGED);
    g_assert_cmpint(host_send(a, "10.0.0.1", "10.0.0.2", 60, 1), ==, WG_STAGED);
    net_set_filter(net, NULL, NULL);
    net_advance(net, 6 * WG_SECOND);
    g_assert_true(host_got(b, 60, 1));
    g_assert_true(host_got(a, 60, 1));
}

static void test_zero_keys(void)
{
    PAIR;
    guint gone;

    converse(a, b);
    net_advance(net, 540 * WG_SECOND - 1);
    g_assert_nonnull(host_peer(a, b)->current);
    g_assert_nonnull(host_peer(b, a)->current);
    gone = a->outputs[WG_OUTPUT_KEYS_GONE];
    net_advance(net, 1);
    g_assert_null(host_peer(a, b)->current);
    g_assert_null(host_peer(b, a)->current);
    g_assert_cmpuint(g_hash_table_size(a->device->indices), ==, 0);
    g_assert_cmpuint(g_hash_table_size(b->device->indices), ==, 0);
    g_assert_cmpuint(a->outputs[WG_OUTPUT_KEYS_GONE], ==, gone + 1);
    net_replay(net, net_last(net, a, WG_TYPE_DATA));
    g_assert_cmpint(b->last_verdict, ==, WG_NO_SESSION);
    converse(a, b);
}

/* The old keys' end is no reason to lose what waits for the new ones. */
static void test_zero_keys_keeps_staged(void)
{
    PAIR;

    converse(a, b);
    net_advance(net, 538 * WG_SECOND);
    net_set_filter(net, drop_all, NULL);
    host_send(a, "10.0.0.1", "10.0.0.2", 60, 1);
    net_advance(net, 3 * WG_SECOND);
    g_assert_null(host_peer(a, b)->current);
    net_set_filter(net, NULL, NULL);
    net_advance(net, 6 * WG_SECOND);
    g_assert_true(host_got(b, 60, 1));
}

/* What a suspend of a week leaves: nothing that could be used. */
static void test_suspend(void)
{
    PAIR;

    converse(a, b);
    net->now += 7 * G_TIME_SPAN_DAY;
    g_assert_cmpint(host_send(a, "10.0.0.1", "10.0.0.2", 60, 1), ==, WG_STAGED);
    g_assert_true(host_got(b, 60, 1));
    g_assert_cmpuint(b->outputs[WG_OUTPUT_SESSION], ==, 2);
}

static void test_drop_sessions(void)
{
    PAIR;

    converse(a, b);
    wg_peer_drop_sessions(host_peer(a, b));
    net_settle(net);
    g_assert_null(host_peer(a, b)->current);
    g_assert_cmpuint(g_hash_table_size(a->device->indices), ==, 0);
    host_send(b, "10.0.0.2", "10.0.0.1", 60, 1);
    g_assert_cmpint(a->last_verdict, ==, WG_NO_SESSION);

    /* What waited was meant for the net of before. */
    net_set_filter(net, drop_all, NULL);
    host_send(a, "10.0.0.1", "10.0.0.2", 60, 1);
    wg_peer_drop_sessions(host_peer(a, b));
    g_assert_cmpuint(peer_stats(a, b).dropped_staged, ==, 1);
    net_set_filter(net, NULL, NULL);
    net_advance(net, 6 * WG_SECOND);
    g_assert_cmpuint(b->delivered->len, ==, 0);
    converse(a, b);
}

/* ---- Asking and giving up ------------------------------------------------------------------- */

/* Twenty times in about 100 s, at least 5 s apart; then the packets are lost and there is peace. */
static void test_give_up(void)
{
    PAIR;
    gint64 last = 0;

    net_set_filter(net, drop_all, NULL);
    host_send(a, "10.0.0.1", "10.0.0.2", 60, 1);
    net_advance(net, 99 * WG_SECOND);
    g_assert_cmpuint(a->outputs[WG_OUTPUT_SILENT], ==, 0);
    g_assert_cmpuint(peer_stats(a, b).dropped_staged, ==, 0);
    net_advance(net, 9 * WG_SECOND);
    g_assert_cmpuint(a->outputs[WG_OUTPUT_SILENT], ==, 1);
    g_assert_cmpuint(a->sent[WG_TYPE_INITIATION], ==, 20);
    g_assert_cmpuint(peer_stats(a, b).initiations_unanswered, ==, 20);
    g_assert_cmpuint(peer_stats(a, b).dropped_staged, ==, 1);
    for (guint i = 0; i < net->log->len; i++) {
        const Datagram *datagram = g_ptr_array_index(net->log, i);

        g_assert_cmpint(datagram->at - last, >=, 5 * WG_SECOND);
        last = datagram->at;
    }
    net_advance(net, 3600 * WG_SECOND);
    g_assert_cmpuint(net->log->len, ==, 20);

    net_set_filter(net, NULL, NULL);
    ping(a, b);
    g_assert_cmpuint(peer_stats(a, b).initiations_unanswered, ==, 0);
}

/* Somebody who keeps trying to reach a peer that is gone is told so no later. */
static void test_give_up_under_traffic(void)
{
    PAIR;

    net_set_filter(net, drop_all, NULL);
    for (guint i = 0; i < 1080; i++) {
        host_send(a, "10.0.0.1", "10.0.0.2", 60, 1);
        net_advance(net, 100 * MS);
    }
    g_assert_cmpuint(a->outputs[WG_OUTPUT_SILENT], ==, 1);
    g_assert_cmpuint(a->sent[WG_TYPE_INITIATION], <=, 22);
    for (guint i = 1; i < net->log->len; i++)
        g_assert_cmpint(((Datagram *) net->log->pdata[i])->at, >=,
                        ((Datagram *) net->log->pdata[i - 1])->at + WG_REKEY_TIMEOUT);
    net_set_filter(net, NULL, NULL);
    net_advance(net, 6 * WG_SECOND);
    g_ptr_array_set_size(b->delivered, 0);
    converse(a, b);
}

/* A new address is asked at once, whenever the last initiation was. */
static void test_initiate_now(void)
{
    PAIR;

    net_set_filter(net, drop_all, NULL);
    host_send(a, "10.0.0.1", "10.0.0.2", 60, 1);
    net_advance(net, WG_SECOND);
    wg_peer_initiate(host_peer(a, b), FALSE);
    net_settle(net);
    g_assert_cmpuint(a->sent[WG_TYPE_INITIATION], ==, 1);
    wg_peer_initiate(host_peer(a, b), TRUE);
    net_settle(net);
    g_assert_cmpuint(a->sent[WG_TYPE_INITIATION], ==, 2);
    net_advance(net, 4900 * MS);
    g_assert_cmpuint(a->sent[WG_TYPE_INITIATION], ==, 2);
    net_advance(net, WG_SECOND / 2);
    g_assert_cmpuint(a->sent[WG_TYPE_INITIATION], ==, 3);
}

/* The session is there but nothing comes back: after 15 s a new one is tried. */
static void test_new_handshake(void)
{
    PAIR;

    converse(a, b);
    net_advance(net, 20 * WG_SECOND);
    net_set_filter(net, drop_all, NULL);
    g_assert_cmpint(host_send(a, "10.0.0.1", "10.0.0.2", 60, 1), ==, WG_OK);
    net_advance(net, 15 * WG_SECOND - 1);
    g_assert_cmpuint(a->sent[WG_TYPE_INITIATION], ==, 1);
    net_advance(net, 334 * MS + 1);
    g_assert_cmpuint(a->sent[WG_TYPE_INITIATION], ==, 2);
    net_set_filter(net, NULL, NULL);
    net_advance(net, 6 * WG_SECOND);
    g_assert_cmpuint(peer_stats(a, b).handshakes, ==, 2);

    /* The other side's passive keepalive is what keeps this from happening. */
    ping(a, b);
    net_advance(net, 60 * WG_SECOND);
    g_assert_cmpuint(a->sent[WG_TYPE_INITIATION], ==, 3);
    g_assert_cmpuint(peer_stats(a, b).handshakes, ==, 2);
}

/* A gateway that lost everything, as by a restart, is found again. */
static void test_restarted_peer(void)
{
    PAIR;
    Host *again;

    converse(a, b);
    net_advance(net, 30 * WG_SECOND);
    host_move(b, "198.51.100.1", 1);
    again = host_new(net, "192.0.2.2", 1002);
    wg_device_set_private_key(again->device, &b->private_key);
    host_add(again, a, "10.0.0.1/32,fd00::1/128", FALSE);
    host_send(a, "10.0.0.1", "10.0.0.2", 60, 1);
    g_assert_cmpint(again->last_verdict, ==, WG_NO_SESSION);
    net_advance(net, 16 * WG_SECOND);
    host_send(a, "10.0.0.1", "10.0.0.2", 60, 2);
    g_assert_true(host_got(again, 60, 2));
}

/* A responder whose response was lost, and whose initiator is gone, asks for itself. */
static void test_staged_at_responder(void)
{
    PAIR;

    net_set_filter(net, drop_type, GUINT_TO_POINTER(WG_TYPE_RESPONSE));
    wg_peer_initiate(host_peer(a, b), FALSE);
    net_settle(net);
    wg_device_set_up(a->device, FALSE);
    net_set_filter(net, NULL, NULL);
    net_advance(net, WG_SECOND);
    host_send(b, "10.0.0.2", "10.0.0.1", 60, 1);
    g_assert_cmpuint(b->sent[WG_TYPE_INITIATION], ==, 0);
    wg_device_set_up(a->device, TRUE);
    net_advance(net, 4400 * MS);
    g_assert_cmpuint(b->sent[WG_TYPE_INITIATION], ==, 1);
    g_assert_true(host_got(a, 60, 1));
}

/* ---- Keepalives ----------------------------------------------------------------------------- */

/* Data that is not answered within 10 s is acknowledged; that is not acknowledged in turn. */
static void test_passive_keepalive(void)
{
    PAIR;
    guint n;

    converse(a, b);
    pong(a, b);
    net_advance(net, 30 * WG_SECOND);
    n = net->log->len;
    ping(a, b);
    net_advance(net, 10 * WG_SECOND - 1);
    g_assert_cmpuint(net->log->len, ==, n + 1);
    net_advance(net, 1);
    g_assert_cmpuint(net->log->len, ==, n + 2);
    g_assert_cmpuint(net_last(net, NULL, 0)->len, ==, WG_KEEPALIVE_SIZE);
    g_assert_true(wg_endpoint_equal(&net_last(net, NULL, 0)->from, &b->address));
    net_advance(net, 60 * WG_SECOND);
    g_assert_cmpuint(net->log->len, ==, n + 2);
}

static void test_no_passive_keepalive_when_answered(void)
{
    PAIR;
    guint n;

    converse(a, b);
    n = a->sent[A_KEEPALIVE] + b->sent[A_KEEPALIVE];
    for (guint i = 0; i < 30; i++) {
        net_advance(net, 3 * WG_SECOND);
        ping(a, b);
        net_advance(net, WG_SECOND);
        pong(a, b);
    }
    g_assert_cmpuint(a->sent[A_KEEPALIVE] + b->sent[A_KEEPALIVE], ==, n);
}

static void test_persistent_keepalive(void)
{
    PAIR;

    wg_peer_set_keepalive(host_peer(a, b), 25);
    g_assert_cmpuint(wg_peer_get_keepalive(host_peer(a, b)), ==, 25);
    net_settle(net);
    g_assert_cmpuint(a->outputs[WG_OUTPUT_SESSION], ==, 1);
    g_assert_cmpuint(a->sent[A_KEEPALIVE], ==, 1);
    net_advance(net, 25 * WG_SECOND - 1);
    g_assert_cmpuint(a->sent[A_KEEPALIVE], ==, 1);
    net_advance(net, 1);
    g_assert_cmpuint(a->sent[A_KEEPALIVE], ==, 2);
    net_advance(net, 75 * WG_SECOND);
    g_assert_cmpuint(a->sent[A_KEEPALIVE], ==, 5);
    g_assert_cmpuint(b->sent[A_KEEPALIVE], ==, 0);

    /* It keeps the session fresh by itself. */
    net_advance(net, 3600 * WG_SECOND);
    g_assert_cmpuint(a->sent[WG_TYPE_INITIATION], >, 20);
    g_assert_cmpuint(a->sent[A_KEEPALIVE], >, 140);

    wg_peer_set_keepalive(host_peer(a, b), 0);
    net_advance(net, 30 * WG_SECOND);
    guint n = net->log->len;
    net_advance(net, 300 * WG_SECOND);
    g_assert_cmpuint(net->log->len, ==, n);
}

/* While there is traffic in either direction, it is not needed. */
static void test_persistent_keepalive_while_active(void)
{
    PAIR;
    guint n;

    wg_peer_set_keepalive(host_peer(a, b), 5);
    net_settle(net);
    n = a->sent[A_KEEPALIVE];
    for (guint i = 0; i < 25; i++) {
        net_advance(net, 4 * WG_SECOND);
        if (i % 2)
            ping(a, b);
        else
            pong(a, b);
    }
    g_assert_cmpuint(a->sent[A_KEEPALIVE], ==, n);
}

/* It goes at once at each of the moments that it could go for the first time. */
static void test_persistent_keepalive_starts(void)
{
    PAIR;
    WgKey key = a->private_key;

    wg_device_set_private_key(a->device, NULL);
    wg_device_set_up(a->device, FALSE);
    net_settle(net);
    wg_peer_set_keepalive(host_peer(a, b), 25);
    net_advance(net, 10 * WG_SECOND);
    g_assert_cmpuint(net->log->len, ==, 0);
    wg_device_set_up(a->device, TRUE);
    net_advance(net, 10 * WG_SECOND);
    g_assert_cmpuint(net->log->len, ==, 0);
    wg_device_set_private_key(a->device, &key);
    net_settle(net);
    g_assert_cmpuint(a->sent[A_KEEPALIVE], ==, 1);

    wg_device_set_up(a->device, FALSE);
    net_advance(net, 100 * WG_SECOND);
    g_assert_cmpuint(a->sent[A_KEEPALIVE], ==, 1);
    wg_device_set_up(a->device, TRUE);
    net_settle(net);
    g_assert_cmpuint(a->sent[A_KEEPALIVE], ==, 2);
}

/* Nor does it wait when the address is what comes last. */
static void test_persistent_keepalive_waits_for_endpoint(void)
{
    g_autoptr(Net) net = net_new();
    Host *a = host_new(net, "192.0.2.1", 1001);
    Host *b = host_new(net, "192.0.2.2", 1002);

    host_add(b, a, "10.0.0.1/32", FALSE);
    wg_peer_set_keepalive(host_add(a, b, "10.0.0.2/32", FALSE), 25);
    net_advance(net, 10 * WG_SECOND);
    g_assert_cmpuint(net->log->len, ==, 0);
    wg_peer_set_endpoint(host_peer(a, b), &b->address);
    net_settle(net);
    g_assert_cmpuint(a->sent[A_KEEPALIVE], ==, 1);
}

/* Down and up again is a fresh start, however soon. */
static void test_down_and_up(void)
{
    PAIR;

    wg_peer_set_keepalive(host_peer(a, b), 25);
    net_settle(net);
    net_advance(net, WG_SECOND);
    wg_device_set_up(a->device, FALSE);
    net_settle(net);
    g_assert_null(host_peer(a, b)->current);
    g_assert_cmpint(host_send(a, "10.0.0.1", "10.0.0.2", 60, 1), !=, WG_OK);
    host_send(b, "10.0.0.2", "10.0.0.1", 60, 1);
    g_assert_cmpuint(a->delivered->len, ==, 0);
    g_assert_cmpuint(a->sent[WG_TYPE_INITIATION], ==, 1);
    wg_device_set_up(a->device, TRUE);
    net_settle(net);
    g_assert_cmpuint(a->sent[WG_TYPE_INITIATION], ==, 2);
    g_assert_cmpuint(peer_stats(a, b).handshakes, ==, 2);
}

/* Down, a device neither answers nor asks. */
static void test_down(void)
{
    PAIR;

    wg_device_set_up(b->device, FALSE);
    host_send(a, "10.0.0.1", "10.0.0.2", 60, 1);
    wg_peer_initiate(host_peer(b, a), TRUE);
    net_advance(net, 30 * WG_SECOND);
    g_assert_cmpuint(b->sent[WG_TYPE_INITIATION] + b->sent[WG_TYPE_RESPONSE], ==, 0);
    wg_device_set_up(b->device, TRUE);
    net_advance(net, 6 * WG_SECOND);
    g_assert_true(host_got(b, 60, 1));
}

/* ---- At random ------------------------------------------------------------------------------ */

typedef struct {
    guint loss;  /* percent */
    guint twice; /* percent */
    guint hold;  /* percent */
} Weather;

static Fate by_weather(Net *net, const Datagram *datagram, gpointer data)
{
    const Weather *weather = data;
    guint roll = (guint) g_test_rand_int_range(0, 100);

    if (roll < weather->loss)
        return DROP;
    if (roll < weather->loss + weather->twice)
        return TWICE;
    return roll < weather->loss + weather->twice + weather->hold ? HOLD : PASS;
}

static void release_some(Net *net)
{
    while (net->held->len > 0 && g_test_rand_int_range(0, 3) > 0)
        net_release(net, (guint) g_test_rand_int_range(0, (gint32) net->held->len));
}

static void count_tags(Host *host, guint *seen)
{
    for (guint i = 0; i < host->delivered->len; i++) {
        const GByteArray *packet = g_ptr_array_index(host->delivered, i);
        guint16 number = (guint16) (packet->data[50] << 8 | packet->data[51]);

        seen[number]++;
    }
    g_ptr_array_set_size(host->delivered, 0);
}

static void send_number(Host *host, const char *from, const char *to, guint number)
{
    g_autoptr(GByteArray) packet = packet_new(from, to, 60, 0);

    packet->data[50] = (guint8) (number >> 8);
    packet->data[51] = (guint8) number;
    host_send_packet(host, packet);
}

/* Half an hour over a bad net: no packet comes twice, few are lost beyond what the net loses, and
 * when the weather clears all is well. */
static void test_bad_weather(void)
{
    enum {
        N = 3600
    };
    Weather weather = {.loss = 10, .twice = 10, .hold = 10};
    g_autofree guint *at_b = g_new0(guint, N);
    g_autofree guint *at_a = g_new0(guint, N);
    guint arrived = 0;
    PAIR;

    net_set_filter(net, by_weather, &weather);
    for (guint i = 0; i < N; i++) {
        send_number(a, "10.0.0.1", "10.0.0.2", i);
        send_number(b, "10.0.0.2", "10.0.0.1", i);
        net_advance(net, WG_SECOND / 2);
        release_some(net);
        count_tags(b, at_b);
        count_tags(a, at_a);
    }
    for (guint i = 0; i < N; i++) {
        g_assert_cmpuint(at_a[i], <=, 1);
        g_assert_cmpuint(at_b[i], <=, 1);
        arrived += at_a[i] + at_b[i];
    }
    g_assert_cmpuint(arrived, >, 2 * N * 85 / 100);
    g_assert_cmpuint(g_hash_table_size(a->device->indices), <=, 4);
    g_assert_cmpuint(g_hash_table_size(b->device->indices), <=, 4);
    net_set_filter(net, NULL, NULL);
    net_advance(net, 20 * WG_SECOND);
    g_ptr_array_set_size(a->delivered, 0);
    g_ptr_array_set_size(b->delivered, 0);
    converse(a, b);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/wg-schedule/rekey-on-send", test_rekey_on_send); /* row 13 */
    g_test_add_func("/wg-schedule/an-hour", test_an_hour);
    g_test_add_func("/wg-schedule/rekey-on-receive", test_rekey_on_receive);           /* row 13 */
    g_test_add_func("/wg-schedule/rekey-in-last-seconds", test_rekey_in_last_seconds); /* row 13 */
    g_test_add_func("/wg-schedule/idle", test_idle);
    g_test_add_func("/wg-schedule/reject-after-time", test_reject_after_time); /* row 13 */
    g_test_add_func("/wg-schedule/zero-keys", test_zero_keys);
    g_test_add_func("/wg-schedule/zero-keys-keeps-staged",
                    test_zero_keys_keeps_staged);          /* row 22 */
    g_test_add_func("/wg-schedule/suspend", test_suspend); /* row 14 */
    g_test_add_func("/wg-schedule/drop-sessions", test_drop_sessions);
    g_test_add_func("/wg-schedule/give-up", test_give_up);                             /* row 15 */
    g_test_add_func("/wg-schedule/give-up-under-traffic", test_give_up_under_traffic); /* row 6 */
    g_test_add_func("/wg-schedule/initiate-now", test_initiate_now);
    g_test_add_func("/wg-schedule/new-handshake", test_new_handshake); /* row 15 */
    g_test_add_func("/wg-schedule/restarted-peer", test_restarted_peer);
    g_test_add_func("/wg-schedule/staged-at-responder", test_staged_at_responder); /* row 22 */
    g_test_add_func("/wg-schedule/passive-keepalive", test_passive_keepalive);     /* row 15 */
    g_test_add_func("/wg-schedule/no-passive-keepalive-when-answered",
                    test_no_passive_keepalive_when_answered); /* row 15 */
    g_test_add_func("/wg-schedule/persistent-keepalive", test_persistent_keepalive);
    g_test_add_func("/wg-schedule/persistent-keepalive-while-active",
                    test_persistent_keepalive_while_active); /* row 15 */
    g_test_add_func("/wg-schedule/persistent-keepalive-starts",
                    test_persistent_keepalive_starts); /* row 16 */
    g_test_add_func("/wg-schedule/persistent-keepalive-waits-for-endpoint",
                    test_persistent_keepalive_waits_for_endpoint); /* row 16 */
    g_test_add_func("/wg-schedule/down-and-up", test_down_and_up); /* row 31 */
    g_test_add_func("/wg-schedule/down", test_down);               /* row 31 */
    g_test_add_func("/wg-schedule/bad-weather", test_bad_weather);
    return g_test_run();
}
