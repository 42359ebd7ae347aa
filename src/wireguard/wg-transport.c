/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wg-transport.c: data messages (paper 5.4.6): what a packet needs on its way out (wg_tx_*) and on
 * its way in (wg_rx_*). The lock is taken once at each end of a run of packets, not for each.
 */
#include "wg-private.h"

#include <string.h>

#include "wg-messages.h"

#define IPV4_HEADER_SIZE 20
#define IPV6_HEADER_SIZE 40

/* ---- Inner packets -------------------------------------------------------------------------- */

static guint16 be16(const guint8 *p)
{
    return (guint16) (p[0] << 8 | p[1]);
}

static guint ip_version(const guint8 *packet, gsize len)
{
    return len > 0 ? packet[0] >> 4 : 0;
}

/* The packet's length by its own header, which may be less than `len`: padding. 0: not an IPv4 or
 * IPv6 packet, or one that claims more than there is (RFC 791 3.1, RFC 8200 3). */
static gsize ip_length(const guint8 *packet, gsize len)
{
    gsize total = 0;

    if (ip_version(packet, len) == 4 && len >= IPV4_HEADER_SIZE) {
        total = be16(packet + 2);
        if (total < IPV4_HEADER_SIZE)
            return 0;
    } else if (ip_version(packet, len) == 6 && len >= IPV6_HEADER_SIZE) {
        total = IPV6_HEADER_SIZE + (gsize) be16(packet + 4);
    }
    return total <= len ? total : 0;
}

/* A packet's source or destination address, for a look-up. */
typedef struct {
    const guint8 *bytes;
    gsize len;
} Address;

static Address destination_of(const guint8 *packet)
{
    return packet[0] >> 4 == 4 ? (Address){packet + 16, 4} : (Address){packet + 24, 16};
}

static Address source_of(const guint8 *packet)
{
    return packet[0] >> 4 == 4 ? (Address){packet + 12, 4} : (Address){packet + 8, 16};
}

static gboolean same_address(Address a, Address b)
{
    return a.len == b.len && memcmp(a.bytes, b.bytes, a.len) == 0;
}

static WgPeer *lookup_locked(WgDevice *device, Address address)
{
    return wg_allowed_ips_lookup(device->allowed_ips, address.len == 4 ? AF_INET : AF_INET6,
                                 address.bytes);
}

/* ---- Out ------------------------------------------------------------------------------------ */

/* Fills `tx` if there is a key to send under. */
static gboolean reserve_locked(WgPeer *peer, guint n, gint64 now, WgTx *tx)
{
    WgKeypair *keypair = peer->current;

    if (!keypair || !wg_keypair_can_send_locked(keypair, n, now))
        return FALSE;
    tx->keypair = wg_keypair_ref(keypair);
    tx->counter = keypair->next_counter;
    keypair->next_counter += n;
    return TRUE;
}

/* The session grows old: the initiator of it makes the next one (paper 6.2). */
static gboolean too_old_to_send_locked(const WgPeer *peer, gint64 now)
{
    const WgKeypair *keypair = peer->current;

    return keypair && (keypair->next_counter > WG_REKEY_AFTER_MESSAGES ||
                       (keypair->initiator && now - keypair->born >= WG_REKEY_AFTER_TIME));
}

/* How many of the packets go to the peer of the first, and in how many datagrams. */
static guint measure_run_locked(WgDevice *device, const WgPeer *peer, const WgTxPacket *packets,
                                guint n, guint *n_datagrams)
{
    Address last = destination_of(packets[0].data);
    guint i;

    *n_datagrams = packets[0].count;
    for (i = 1; i < n; i++) {
        Address address;

        if (ip_length(packets[i].data, packets[i].len) == 0)
            break;
        address = destination_of(packets[i].data);
        if (!same_address(address, last) && lookup_locked(device, address) != peer)
            break;
        last = address;
        *n_datagrams += packets[i].count;
    }
    return i;
}

/* What was staged goes first: it is about to be sent by the control thread. */
static WgPeer *find_peer_locked(WgDevice *device, const guint8 *packet)
{
    WgPeer *peer;

    while ((peer = lookup_locked(device, destination_of(packet))) && peer->flushing)
        pthread_cond_wait(&device->flushed, &device->lock);
    return peer;
}

static WgVerdict begin_locked(WgDevice *device, const WgTxPacket *packets, guint n, gint64 now,
                              WgTx *tx)
{
    WgPeer *peer = find_peer_locked(device, packets[0].data);
    guint n_datagrams;

    if (!peer) {
        device->stats.tx_no_peer++;
        return WG_NO_PEER;
    }
    if (!wg_peer_has_endpoint_locked(peer)) {
        device->stats.tx_no_endpoint++;
        return WG_NO_ENDPOINT;
    }
    tx->peer = wg_peer_ref(peer);
    tx->mtus = device->mtus;
    tx->endpoint = peer->endpoint;
    tx->n_packets = measure_run_locked(device, peer, packets, n, &n_datagrams);
    /* Behind what is staged, if there is a key already. */
    return peer->staged.length == 0 && reserve_locked(peer, n_datagrams, now, tx) ? WG_OK
                                                                                  : WG_STAGED;
}

WgVerdict wg_tx_begin(WgDevice *device, const WgTxPacket *packets, guint n, gint64 now, WgTx *tx)
{
    WgVerdict verdict;

    memset(tx, 0, sizeof *tx);
    tx->n_packets = 1;
    if (ip_length(packets[0].data, packets[0].len) == 0)
        return WG_MALFORMED;
    pthread_mutex_lock(&device->lock);
    verdict = begin_locked(device, packets, n, now, tx);
    pthread_mutex_unlock(&device->lock);
    return verdict;
}

/* Plaintext is padded to 16 bytes, but not beyond the MTU, which would tell the path more than
 * the packet needs (kernel: send.c, calculate_skb_padding). */
static gsize padded_size(gsize len, guint mtu)
{
    gsize last = len, padded;

    if (mtu == 0)
        return (len + WG_PADDING - 1) & ~(gsize) (WG_PADDING - 1);
    if (last > mtu)
        last %= mtu;
    padded = MIN((last + WG_PADDING - 1) & ~(gsize) (WG_PADDING - 1), mtu);
    return len + (padded - last);
}

gsize wg_tx_sealed_size(const WgTx *tx, gsize len)
{
    return WG_DATA_OVERHEAD + padded_size(len, wg_padding_bound(&tx->mtus, len));
}

gsize wg_tx_seal(const WgTx *tx, WgAead *aead, guint i, const guint8 *packet, gsize len,
                 guint8 *out)
{
    guint64 counter = tx->counter + i;
    WgDataHeader header = {
        .type = WG_TYPE_DATA,
        .receiver = GUINT32_TO_LE(tx->keypair->remote_index),
        .counter = GUINT64_TO_LE(counter),
    };
    gsize padded = padded_size(len, wg_padding_bound(&tx->mtus, len));
    guint8 *payload = out + sizeof header;

    memcpy(out, &header, sizeof header);
    /* A packet of full size needs no padding: then sealing is the copy. */
    if (padded != len) {
        if (payload != packet && len > 0)
            memmove(payload, packet, len);
        memset(payload + len, 0, padded - len);
        packet = payload;
    }
    wg_aead_seal(aead, tx->keypair->keys[0].bytes, tx->keypair->id, counter, NULL, 0, packet,
                 padded, payload);
    return WG_DATA_OVERHEAD + padded;
}

void wg_tx_stage(WgTx *tx, const guint8 *packet, gsize len, gint64 now)
{
    WgDevice *device = tx->peer->device;
    gboolean wake = FALSE;

    pthread_mutex_lock(&device->lock);
    if (!tx->peer->removed) {
        wg_peer_stage_locked(tx->peer, packet, len, now);
        wake = wg_peer_need_locked(tx->peer, WG_WORK_FLUSH);
    }
    pthread_mutex_unlock(&device->lock);
    if (wake)
        wg_device_wake(device);
}

/* `data`: at least one datagram was not a keepalive. TRUE: wake the owner. */
static gboolean sent_locked(WgPeer *peer, gsize bytes, gboolean data, gint64 now)
{
    gboolean wake;

    peer->stats.tx_bytes += bytes;
    if (data)
        wg_timers_data_sent(&peer->timers, now);
    wg_timers_authenticated_sent(&peer->timers, now);
    wg_timers_authenticated_traversal(&peer->timers, now);
    wake = wg_peer_reschedule_locked(peer);
    if (too_old_to_send_locked(peer, now))
        wake |= wg_peer_need_locked(peer, WG_WORK_INITIATE);
    return wake;
}

void wg_tx_sent(WgPeer *peer, guint n, gsize bytes, gint64 now)
{
    WgDevice *device = peer->device;
    gboolean wake = FALSE;

    if (n == 0)
        return;
    pthread_mutex_lock(&device->lock);
    if (!peer->removed)
        wake = sent_locked(peer, bytes, TRUE, now);
    pthread_mutex_unlock(&device->lock);
    if (wake)
        wg_device_wake(device);
}

void wg_tx_end(WgTx *tx)
{
    g_clear_pointer(&tx->keypair, wg_keypair_unref);
    g_clear_pointer(&tx->peer, wg_peer_unref);
}

/* ---- Out, from the control thread: what waited, and keepalives ------------------------------ */

static gsize flush_one(WgPeer *peer, WgTx *tx, guint i, const WgStaged *staged)
{
    g_autofree guint8 *datagram = NULL;
    gsize size;

    pthread_mutex_lock(&peer->device->lock);
    tx->mtus = peer->device->mtus;
    pthread_mutex_unlock(&peer->device->lock);
    size = wg_tx_sealed_size(tx, staged->len);
    datagram = g_malloc(size);
    wg_tx_seal(tx, peer->device->aead, i, staged->data, staged->len, datagram);
    wg_device_push(peer->device, WG_OUTPUT_DATAGRAM, peer, &tx->endpoint, datagram, size, 0);
    return size;
}

static void flush_all(WgPeer *peer, WgTx *tx, GQueue *staged, gint64 now)
{
    gboolean data = FALSE;
    gsize bytes = 0;
    guint i = 0;
    WgStaged *packet;

    while ((packet = g_queue_pop_head(staged))) {
        bytes += flush_one(peer, tx, i++, packet);
        data |= packet->len > 0;
        g_free(packet);
    }
    pthread_mutex_lock(&peer->device->lock);
    sent_locked(peer, bytes, data, now);
    pthread_mutex_unlock(&peer->device->lock);
    wg_keypair_unref(tx->keypair);
}

static void set_flushing_locked(WgPeer *peer)
{
    if (peer->flushing)
        return;
    peer->flushing = TRUE;
    g_ptr_array_add(peer->device->flushing, wg_peer_ref(peer));
}

void wg_device_release(WgDevice *device)
{
    if (device->flushing->len == 0)
        return;
    pthread_mutex_lock(&device->lock);
    for (guint i = 0; i < device->flushing->len; i++)
        ((WgPeer *) g_ptr_array_index(device->flushing, i))->flushing = FALSE;
    pthread_cond_broadcast(&device->flushed);
    pthread_mutex_unlock(&device->lock);
    g_ptr_array_set_size(device->flushing, 0);
}

void wg_transport_flush(WgPeer *peer, gint64 now)
{
    WgDevice *device = peer->device;
    g_auto(GQueue) staged = G_QUEUE_INIT;
    WgTx tx = {0};

    pthread_mutex_lock(&device->lock);
    wg_peer_forget_late_locked(peer, now);
    if (peer->staged.length > 0 && wg_peer_has_endpoint_locked(peer)) {
        if (reserve_locked(peer, peer->staged.length, now, &tx)) {
            tx.endpoint = peer->endpoint;
            staged = peer->staged;
            g_queue_init(&peer->staged);
            set_flushing_locked(peer);
        } else {
            wg_peer_need_locked(peer, WG_WORK_INITIATE);
        }
    }
    pthread_mutex_unlock(&device->lock);
    if (tx.keypair)
        flush_all(peer, &tx, &staged, now);
}

void wg_transport_keepalive(WgPeer *peer, gint64 now)
{
    pthread_mutex_lock(&peer->device->lock);
    if (peer->staged.length == 0 && wg_peer_has_endpoint_locked(peer))
        wg_peer_stage_locked(peer, NULL, 0, now);
    pthread_mutex_unlock(&peer->device->lock);
    wg_transport_flush(peer, now);
}

/* ---- In ------------------------------------------------------------------------------------- */

static gboolean read_header(const guint8 *datagram, gsize len, WgDataHeader *header)
{
    if (len < WG_DATA_OVERHEAD)
        return FALSE;
    memcpy(header, datagram, sizeof *header);
    return header->type == WG_TYPE_DATA && header->reserved[0] == 0 && header->reserved[1] == 0 &&
           header->reserved[2] == 0;
}

static WgVerdict find_keypair_locked(WgDevice *device, guint32 index, gint64 now, WgRx *rx)
{
    WgIndexEntry *entry = wg_index_find_locked(device, index);

    if (!entry || !entry->keypair) {
        device->stats.dropped_no_session++;
        return WG_NO_SESSION;
    }
    if (!wg_keypair_can_receive_locked(entry->keypair, now)) {
        device->stats.dropped_unauthentic++;
        return WG_UNAUTHENTIC;
    }
    rx->keypair = wg_keypair_ref(entry->keypair);
    rx->peer = wg_peer_ref(entry->peer);
    return WG_OK;
}

WgVerdict wg_rx_begin(WgDevice *device, const guint8 *datagram, gsize len, gint64 now, WgRx *rx)
{
    WgDataHeader header;
    WgVerdict verdict = WG_MALFORMED;

    *rx = (WgRx){.device = device};
    pthread_mutex_lock(&device->lock);
    if (read_header(datagram, len, &header))
        verdict = find_keypair_locked(device, GUINT32_FROM_LE(header.receiver), now, rx);
    else
        device->stats.dropped_malformed++;
    pthread_mutex_unlock(&device->lock);
    return verdict;
}

gboolean wg_rx_same_run(const WgRx *rx, const guint8 *datagram, gsize len)
{
    WgDataHeader header;

    return read_header(datagram, len, &header) &&
           GUINT32_FROM_LE(header.receiver) == rx->keypair->local_index;
}

void wg_rx_open(const WgRx *rx, WgAead *aead, WgRxPacket *packet)
{
    guint8 *payload = packet->data + WG_DATA_HEADER_SIZE;
    WgDataHeader header;

    packet->wire_len = packet->len;
    if (!read_header(packet->data, packet->len, &header)) {
        packet->verdict = WG_MALFORMED;
        return;
    }
    packet->counter = GUINT64_FROM_LE(header.counter);
    packet->verdict = WG_UNAUTHENTIC;
    if (packet->counter >= WG_REJECT_AFTER_MESSAGES ||
        !wg_aead_open(aead, rx->keypair->keys[1].bytes, rx->keypair->id + 1, packet->counter, NULL,
                      0, payload, packet->len - WG_DATA_HEADER_SIZE, payload))
        return;
    packet->data = payload;
    packet->len -= WG_DATA_OVERHEAD;
    packet->verdict = WG_OK;
}

/* For an authentic, new packet: may it be delivered? */
static WgVerdict inspect_locked(WgRx *rx, WgRxPacket *packet, Address *allowed)
{
    Address source;
    gsize len;

    if (packet->len == 0)
        return WG_KEEPALIVE;
    len = ip_length(packet->data, packet->len);
    if (len == 0) {
        rx->peer->stats.dropped_malformed++;
        return WG_MALFORMED;
    }
    packet->len = len;
    source = source_of(packet->data);
    if (allowed->bytes && same_address(source, *allowed))
        return WG_OK;
    if (lookup_locked(rx->device, source) != rx->peer) {
        rx->peer->stats.dropped_allowed_ips++;
        return WG_NOT_ALLOWED;
    }
    *allowed = source;
    return WG_OK;
}

typedef struct {
    guint authentic; /* and new */
    guint data;      /* of those, not keepalives */
    Address allowed; /* the source of the last packet that may be delivered */
} RxCount;

static void judge_locked(WgRx *rx, WgRxPacket *packet, RxCount *count)
{
    if (packet->verdict == WG_MALFORMED) {
        rx->device->stats.dropped_malformed++;
        return;
    }
    if (packet->verdict != WG_OK) {
        rx->device->stats.dropped_unauthentic++;
        return;
    }
    if (!wg_replay_check(&rx->keypair->replay, packet->counter)) {
        rx->peer->stats.dropped_replayed++;
        packet->verdict = WG_REPLAYED;
        return;
    }
    rx->peer->stats.rx_bytes += packet->wire_len;
    packet->verdict = inspect_locked(rx, packet, &count->allowed);
    count->authentic++;
    if (packet->verdict != WG_KEEPALIVE)
        count->data++;
}

/* The responder's session is confirmed by the first packet under it (paper 5.4.5). */
static gboolean confirm_locked(WgPeer *peer, WgKeypair *keypair, gint64 now)
{
    if (!wg_keypairs_confirm_locked(peer, keypair))
        return FALSE;
    wg_timers_handshake_complete(&peer->timers, now);
    peer->stats.handshakes++;
    peer->stats.initiations_unanswered = 0;
    peer->stats.responses_unconfirmed = 0;
    peer->stats.last_handshake_us = now;
    peer->stats.last_handshake_real_us = now + peer->device->real_offset;
    return wg_peer_need_locked(peer, WG_WORK_SESSION | WG_WORK_FLUSH);
}

/* The initiator asks for a new session while the old one still receives, once: 165 s (paper 6.2;
 * kernel: receive.c, keep_key_fresh). */
static gboolean keep_key_fresh_locked(WgPeer *peer, gint64 now)
{
    const WgKeypair *keypair = peer->current;

    if (peer->timers.rekeyed_late || !keypair || !keypair->initiator ||
        now - keypair->born < WG_REJECT_AFTER_TIME - WG_KEEPALIVE_TIMEOUT - WG_REKEY_TIMEOUT)
        return FALSE;
    peer->timers.rekeyed_late = TRUE;
    return wg_peer_need_locked(peer, WG_WORK_INITIATE);
}

static gboolean heard_locked(WgRx *rx, const RxCount *count, const WgEndpoint *source, gint64 now)
{
    WgPeer *peer = rx->peer;
    gboolean wake;

    wake = wg_peer_set_endpoint_locked(peer, source);
    wake |= confirm_locked(peer, rx->keypair, now);
    wake |= keep_key_fresh_locked(peer, now);
    wg_timers_authenticated_received(&peer->timers, now);
    wg_timers_authenticated_traversal(&peer->timers, now);
    if (count->data > 0)
        wg_timers_data_received(&peer->timers, now);
    return wg_peer_reschedule_locked(peer) || wake;
}

void wg_rx_end(WgRx *rx, WgRxPacket *packets, guint n, const WgEndpoint *source, gint64 now)
{
    WgDevice *device = rx->device;
    gboolean wake = FALSE;
    RxCount count = {0};

    pthread_mutex_lock(&device->lock);
    for (guint i = 0; i < n; i++)
        judge_locked(rx, &packets[i], &count);
    if (count.authentic > 0 && !rx->peer->removed)
        wake = heard_locked(rx, &count, source, now);
    pthread_mutex_unlock(&device->lock);
    g_clear_pointer(&rx->keypair, wg_keypair_unref);
    g_clear_pointer(&rx->peer, wg_peer_unref);
    if (wake)
        wg_device_wake(device);
}
