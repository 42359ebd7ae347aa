/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wire.c: the network of wire.h.
 */
#include "wire.h"

#include <arpa/inet.h>
#include <string.h>

/* Some time after boot, and some time in 2023. */
#define EPOCH     (1000 * WG_SECOND)
#define REAL_TIME (G_GINT64_CONSTANT(1700000000) * G_USEC_PER_SEC)

/* More than any test needs at one time: two hosts that answer each other for ever. */
#define MANY 100000

static void datagram_free(gpointer data)
{
    Datagram *datagram = data;

    g_free(datagram->data);
    g_free(datagram);
}

static Datagram *datagram_copy(const Datagram *from)
{
    Datagram *datagram = g_memdup2(from, sizeof *from);

    datagram->data = g_memdup2(from->data, from->len);
    return datagram;
}

/* ---- Hosts ---------------------------------------------------------------------------------- */

WgEndpoint endpoint_of(const char *address, guint16 port)
{
    WgEndpoint endpoint = {0};

    if (inet_pton(AF_INET, address, &endpoint.remote.in4.sin_addr) == 1) {
        endpoint.remote.in4.sin_family = AF_INET;
        endpoint.remote.in4.sin_port = htons(port);
    } else {
        g_assert_cmpint(inet_pton(AF_INET6, address, &endpoint.remote.in6.sin6_addr), ==, 1);
        endpoint.remote.in6.sin6_family = AF_INET6;
        endpoint.remote.in6.sin6_port = htons(port);
    }
    return endpoint;
}

static void woken(gpointer data)
{
    ((Host *) data)->woken = TRUE;
}

static void packet_free(gpointer packet)
{
    g_byte_array_unref(packet);
}

Host *host_new(Net *net, const char *address, guint16 port)
{
    Host *host = g_new0(Host, 1);

    host->net = net;
    host->device = wg_device_new(woken, host);
    host->address = endpoint_of(address, port);
    host->aead = wg_aead_new();
    host->delivered = g_ptr_array_new_with_free_func(packet_free);
    host->deadline = G_MAXINT64;
    wg_key_generate(&host->private_key);
    wg_key_public(&host->public_key, &host->private_key);
    wg_device_set_private_key(host->device, &host->private_key);
    g_ptr_array_add(net->hosts, host);
    net_settle(net);
    wg_device_set_up(host->device, TRUE);
    return host;
}

static void host_free(gpointer data)
{
    Host *host = data;

    wg_device_free(host->device);
    wg_aead_free(host->aead);
    g_ptr_array_unref(host->delivered);
    g_free(host);
}

void host_move(Host *host, const char *address, guint16 port)
{
    host->address = endpoint_of(address, port);
}

void allow(WgPeer *peer, const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text, "/", 2);
    WgPrefix prefix = {.family = strchr(text, ':') ? AF_INET6 : AF_INET};

    g_assert_cmpint(inet_pton(prefix.family, parts[0], prefix.addr), ==, 1);
    prefix.length = (guint8) g_ascii_strtoull(parts[1], NULL, 10);
    wg_peer_add_allowed_ip(peer, &prefix);
}

WgPeer *host_add(Host *host, Host *other, const char *allowed, gboolean where)
{
    g_auto(GStrv) prefixes = g_strsplit(allowed, ",", -1);
    WgPeer *peer = wg_device_add_peer(host->device, &other->public_key);

    g_assert_nonnull(peer);
    for (guint i = 0; prefixes[i]; i++)
        allow(peer, prefixes[i]);
    if (where)
        wg_peer_set_endpoint(peer, &other->address);
    return peer;
}

WgPeer *host_peer(Host *host, Host *other)
{
    return wg_device_find_peer(host->device, &other->public_key);
}

void join(Host *a, Host *b)
{
    host_add(a, b, "10.0.0.2/32,fd00::2/128", TRUE);
    host_add(b, a, "10.0.0.1/32,fd00::1/128", TRUE);
}

WgPeerStats peer_stats(Host *host, Host *other)
{
    WgPeerStats stats;

    wg_peer_get_stats(host_peer(host, other), &stats);
    return stats;
}

WgDeviceStats device_stats(Host *host)
{
    WgDeviceStats stats;

    wg_device_get_stats(host->device, &stats);
    return stats;
}

/* ---- What a host sends ---------------------------------------------------------------------- */

static void host_emit(Host *host, const WgEndpoint *to, const guint8 *data, gsize len, guint8 tos)
{
    Datagram datagram = {.from = host->address, .to = *to, .len = len, .tos = tos};

    g_assert_cmpint(to->remote.any.sa_family, !=, AF_UNSPEC);
    g_assert_cmpuint(len, >=, WG_KEEPALIVE_SIZE);
    g_assert_cmpuint(data[0], <, A_KEEPALIVE);
    host->sent[data[0]]++;
    if (data[0] == WG_TYPE_DATA && len == WG_KEEPALIVE_SIZE)
        host->sent[A_KEEPALIVE]++;
    datagram.at = host->net->now;
    datagram.data = (guint8 *) data;
    g_ptr_array_add(host->net->log, datagram_copy(&datagram));
    g_queue_push_tail(&host->net->flying, datagram_copy(&datagram));
}

static void host_drain(Host *host)
{
    WgOutput output;

    while (wg_device_pop(host->device, &output)) {
        host->outputs[output.type]++;
        if (output.type == WG_OUTPUT_DATAGRAM)
            host_emit(host, &output.endpoint, output.data, output.len, output.tos);
        if (output.type == WG_OUTPUT_KEYS_GONE)
            wg_aead_forget(host->aead);
        g_free(output.data);
    }
}

static gboolean host_run_if_due(Host *host)
{
    gint64 now = host->net->now;

    if (!host->woken && now < host->deadline)
        return FALSE;
    host->woken = FALSE;
    host->deadline = wg_device_run(host->device, now, REAL_TIME + now + host->clock_skew);
    host_drain(host);
    return TRUE;
}

GByteArray *packet_new(const char *from, const char *to, gsize len, guint8 tag)
{
    GByteArray *packet = g_byte_array_new();
    gboolean v6 = strchr(from, ':') != NULL;
    guint8 *p;

    g_assert_cmpuint(len, >=, v6 ? 40 : 20);
    g_byte_array_set_size(packet, (guint) len);
    p = packet->data;
    for (gsize i = 0; i < len; i++)
        p[i] = (guint8) (i * 7);
    p[0] = v6 ? 0x60 : 0x45;
    if (v6) {
        p[4] = (guint8) ((len - 40) >> 8);
        p[5] = (guint8) (len - 40);
    } else {
        p[2] = (guint8) (len >> 8);
        p[3] = (guint8) len;
    }
    g_assert_cmpint(inet_pton(v6 ? AF_INET6 : AF_INET, from, p + (v6 ? 8 : 12)), ==, 1);
    g_assert_cmpint(inet_pton(v6 ? AF_INET6 : AF_INET, to, p + (v6 ? 24 : 16)), ==, 1);
    if (len > 40)
        p[len - 1] = tag;
    return packet;
}

WgVerdict host_send_packet(Host *host, const GByteArray *packet)
{
    gint64 now = host->net->now;
    WgVerdict verdict;
    WgTx tx;

    verdict = wg_tx_begin(host->device, &(WgTxPacket){packet->data, packet->len, 1}, 1, now, &tx);
    if (verdict == WG_OK) {
        gsize size = wg_tx_sealed_size(&tx, packet->len);
        g_autofree guint8 *out = g_malloc(size);

        g_assert_cmpuint(wg_tx_seal(&tx, host->aead, 0, packet->data, packet->len, out), ==, size);
        host_emit(host, &tx.endpoint, out, size, 0);
        wg_tx_sent(tx.peer, 1, size, now);
        wg_tx_end(&tx);
    } else if (verdict == WG_STAGED) {
        wg_tx_stage(&tx, packet->data, packet->len, now);
        wg_tx_end(&tx);
    }
    net_settle(host->net);
    return verdict;
}

WgVerdict host_send(Host *host, const char *from, const char *to, gsize len, guint8 tag)
{
    g_autoptr(GByteArray) packet = packet_new(from, to, len, tag);

    return host_send_packet(host, packet);
}

/* ---- What a host receives ------------------------------------------------------------------- */

static void host_receive_data(Host *host, const Datagram *datagram)
{
    g_autofree guint8 *copy = g_memdup2(datagram->data, datagram->len);
    WgRxPacket packet = {.data = copy, .len = datagram->len};
    gint64 now = host->net->now;
    WgRx rx;

    host->last_verdict = wg_rx_begin(host->device, datagram->data, datagram->len, now, &rx);
    if (host->last_verdict != WG_OK)
        return;
    wg_rx_open(&rx, host->aead, &packet);
    wg_rx_end(&rx, &packet, 1, &datagram->from, now);
    host->last_verdict = packet.verdict;
    if (packet.verdict == WG_OK) {
        GByteArray *inner = g_byte_array_new();

        g_byte_array_append(inner, packet.data, (guint) packet.len);
        g_ptr_array_add(host->delivered, inner);
    }
}

static void host_receive(Host *host, const Datagram *datagram)
{
    if (datagram->len > 0 && datagram->data[0] == WG_TYPE_DATA) {
        host_receive_data(host, datagram);
        return;
    }
    wg_device_receive(host->device, datagram->data, datagram->len, &datagram->from,
                      host->under_load, host->net->now);
    host_drain(host);
    host->woken = TRUE;
}

gboolean host_got(Host *host, gsize len, guint8 tag)
{
    gboolean got = FALSE;

    if (host->delivered->len == 1) {
        const GByteArray *packet = g_ptr_array_index(host->delivered, 0);

        got = packet->len == len && packet->data[len - 1] == tag;
    }
    g_ptr_array_set_size(host->delivered, 0);
    return got;
}

void initiate_now(Host *host, Host *other)
{
    wg_peer_initiate(host_peer(host, other), TRUE);
    net_settle(host->net);
}

void converse(Host *a, Host *b)
{
    host_send(a, "10.0.0.1", "10.0.0.2", 100, 1);
    g_assert_true(host_got(b, 100, 1));
    host_send(b, "fd00::2", "fd00::1", 101, 2);
    g_assert_true(host_got(a, 101, 2));
}

/* ---- The net -------------------------------------------------------------------------------- */

Net *net_new(void)
{
    Net *net = g_new0(Net, 1);

    net->now = EPOCH;
    net->hosts = g_ptr_array_new_with_free_func(host_free);
    net->log = g_ptr_array_new_with_free_func(datagram_free);
    net->held = g_ptr_array_new_with_free_func(datagram_free);
    g_queue_init(&net->flying);
    return net;
}

void net_free(Net *net)
{
    g_ptr_array_unref(net->hosts);
    g_ptr_array_unref(net->log);
    g_ptr_array_unref(net->held);
    g_queue_clear_full(&net->flying, datagram_free);
    g_free(net);
}

void net_set_filter(Net *net, NetFilter filter, gpointer data)
{
    net->filter = filter;
    net->filter_data = data;
}

static void net_deliver(Net *net, const Datagram *datagram)
{
    for (guint i = 0; i < net->hosts->len; i++) {
        Host *host = g_ptr_array_index(net->hosts, i);

        if (wg_endpoint_equal(&host->address, &datagram->to))
            host_receive(host, datagram);
    }
}

static void net_carry(Net *net, Datagram *datagram)
{
    Fate fate = net->filter ? net->filter(net, datagram, net->filter_data) : PASS;

    if (fate == HOLD) {
        g_ptr_array_add(net->held, datagram);
        return;
    }
    if (fate == PASS || fate == TWICE)
        net_deliver(net, datagram);
    if (fate == TWICE)
        net_deliver(net, datagram);
    datagram_free(datagram);
}

void net_settle(Net *net)
{
    guint steps = 0;
    gboolean busy;

    do {
        Datagram *datagram = g_queue_pop_head(&net->flying);

        busy = datagram != NULL;
        if (datagram)
            net_carry(net, datagram);
        for (guint i = 0; i < net->hosts->len; i++)
            busy |= host_run_if_due(g_ptr_array_index(net->hosts, i));
        g_assert_cmpuint(steps++, <, MANY);
    } while (busy);
}

void net_advance(Net *net, gint64 duration)
{
    gint64 end = net->now + duration;

    net_settle(net);
    while (net->now < end) {
        gint64 next = end;

        for (guint i = 0; i < net->hosts->len; i++)
            next = MIN(next, ((Host *) g_ptr_array_index(net->hosts, i))->deadline);
        g_assert_cmpint(next, >, net->now);
        net->now = next;
        net_settle(net);
    }
}

void net_inject(Net *net, const WgEndpoint *from, const WgEndpoint *to, const guint8 *data,
                gsize len)
{
    Datagram datagram = {.from = *from, .to = *to, .data = (guint8 *) data, .len = len};

    net_deliver(net, &datagram);
    net_settle(net);
}

void net_replay(Net *net, const Datagram *datagram)
{
    net_inject(net, &datagram->from, &datagram->to, datagram->data, datagram->len);
}

void net_release(Net *net, guint index)
{
    Datagram *datagram = g_ptr_array_steal_index(net->held, index);

    net_deliver(net, datagram);
    datagram_free(datagram);
    net_settle(net);
}

const Datagram *net_last(Net *net, const Host *from, guint8 type)
{
    for (guint i = net->log->len; i-- > 0;) {
        const Datagram *datagram = g_ptr_array_index(net->log, i);

        if ((!from || wg_endpoint_equal(&datagram->from, &from->address)) &&
            (type == 0 || datagram->data[0] == type))
            return datagram;
    }
    return NULL;
}

Fate drop_all(Net *net, const Datagram *datagram, gpointer unused)
{
    return DROP;
}

Fate drop_type(Net *net, const Datagram *datagram, gpointer type)
{
    return datagram->data[0] == GPOINTER_TO_UINT(type) ? DROP : PASS;
}

Fate hold_type(Net *net, const Datagram *datagram, gpointer type)
{
    return datagram->data[0] == GPOINTER_TO_UINT(type) ? HOLD : PASS;
}

Fate hold_all(Net *net, const Datagram *datagram, gpointer unused)
{
    return HOLD;
}

Fate double_all(Net *net, const Datagram *datagram, gpointer unused)
{
    return TWICE;
}
