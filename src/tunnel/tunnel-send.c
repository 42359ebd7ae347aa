/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tunnel-send.c: the packets' way out: read what the device has, find the peer and its key, cut
 * large packets, seal each piece into place behind the last, send runs of equal sizes at once.
 *
 * Sealing is the only copy on this way: from where the packet was read to where it is sent from.
 */
#include "tunnel-private.h"
#include "tun/culvert-packet.h"
#include "tun/culvert-segment.h"

#include <errno.h>
#include <string.h>

/* What is read before anything is sent: at least one packet of the greatest size; many small ones.
 * More would not fit a core's cache together with what is sent. */
#define INTAKE_BYTES   (2 * 65536)
#define INTAKE_PACKETS 128

/* Packets lie on whole cache lines. */
#define INTAKE_ALIGNMENT 64

/* What is sent at once: a full run, or one packet of the greatest size. */
#define OUTGOING_BYTES (CULVERT_TUN_MAX_PACKET + WG_PADDING + WG_DATA_OVERHEAD)

/* Intakes before the other direction has its turn. */
#define BURST 4

/* ICMP errors to the packets' senders: a second's worth at once, at most so many in a second; the
 * kernel's own bound for all of them together is 1000 (icmp(7), icmp_msgs_per_sec). */
#define UNREACHABLE_PER_SECOND 100

/* What is sealed and about to be sent. It may wait for the next intake to join it, but not for the
 * device to have one. */
typedef struct {
    guint8 *data;
    TunnelRun run;
    WgEndpoint endpoint; /* the run's */
    WgPeer *peer;        /* a reference; NULL: there is nothing */
    guint n;             /* datagrams */
} Outgoing;

struct _TunnelSender {
    TunnelWorker *worker;
    CulvertTunnel *tunnel;
    CulvertTun *tun;
    WgAead *aead;

    /* what was read */
    guint8 *intake;
    gboolean drained; /* the device has no more */
    guint n_packets;
    WgTxPacket packets[INTAKE_PACKETS];
    CulvertSegmenter segmenters[INTAKE_PACKETS];

    gint64 now; /* of the intake */

    Outgoing outgoing;
    TunnelBlackhole blackhole;

    gint64 unreachable_second;
    guint unreachable_sent; /* in that second */
};

/* ---- What becomes of packets that are not sent ---------------------------------------------- */

/* The packet's sender hears that nobody is there, instead of waiting. */
static void answer_unreachable(TunnelSender *self, const WgTxPacket *packet)
{
    guint8 answer[CULVERT_UNREACHABLE_MAX];
    gsize size = culvert_packet_unreachable(packet->data, packet->len, answer);

    if (self->now / G_USEC_PER_SEC != self->unreachable_second) {
        self->unreachable_second = self->now / G_USEC_PER_SEC;
        self->unreachable_sent = 0;
    }
    if (size == 0 || self->unreachable_sent >= UNREACHABLE_PER_SECOND)
        return;
    self->unreachable_sent++;
    culvert_tun_write_packet(self->tun, self->worker->queue, answer, size);
}

/* The route to the peer's endpoint leads into the tunnel: each datagram would come back as a
 * packet and leave as a longer datagram, for ever. */
static gboolean is_own_datagram(const TunnelSender *self, const WgTx *tx, const WgTxPacket *packet)
{
    guint16 own_port = self->worker->sockets.port;
    const WgEndpoint *to = &tx->endpoint;

    if (to->remote.any.sa_family == AF_INET6)
        return culvert_packet_is_udp_to(packet->data, packet->len, own_port, AF_INET6,
                                        to->remote.in6.sin6_addr.s6_addr,
                                        g_ntohs(to->remote.in6.sin6_port));
    return culvert_packet_is_udp_to(packet->data, packet->len, own_port, AF_INET,
                                    (const guint8 *) &to->remote.in4.sin_addr,
                                    g_ntohs(to->remote.in4.sin_port));
}

/* ---- Sealing and sending -------------------------------------------------------------------- */

static void send_outgoing(TunnelSender *self)
{
    Outgoing *out = &self->outgoing;
    TunnelSent sent;

    if (!out->peer)
        return;
    sent = tunnel_send(&self->worker->sockets, &out->run);
    wg_tx_sent(out->peer, sent.n, sent.bytes, self->now);
    tunnel_count(&self->tunnel->udp_send_dropped, sent.failed);
    g_clear_pointer(&out->peer, wg_peer_unref);
}

/* Whether a datagram like `next` can leave with those that wait. */
static gboolean joins_outgoing(const Outgoing *out, const WgTx *tx, const TunnelRun *next)
{
    const TunnelRun *run = &out->run;

    return out->peer == tx->peer && out->n < TUNNEL_RUN_DATAGRAMS_MAX &&
           next->segment <= run->segment && run->len % run->segment == 0 &&
           run->len + next->segment <= TUNNEL_RUN_BYTES_MAX && next->tos == run->tos &&
           next->hop_limit == run->hop_limit &&
           tunnel_endpoint_same_path(&tx->endpoint, &out->endpoint);
}

static void begin_outgoing(Outgoing *out, const WgTx *tx, const TunnelRun *next)
{
    out->peer = wg_peer_ref(tx->peer);
    out->endpoint = tx->endpoint;
    out->run = *next;
    out->run.endpoint = &out->endpoint;
    out->run.data = out->data;
    out->n = 0;
}

static void seal_packet(TunnelSender *self, const WgTx *tx, guint index, const guint8 *packet,
                        gsize len, guint8 tos, guint8 hop_limit)
{
    const TunnelRun next = {
        .segment = wg_tx_sealed_size(tx, len), .tos = tos, .hop_limit = hop_limit};
    Outgoing *out = &self->outgoing;

    if (out->peer && !joins_outgoing(out, tx, &next))
        send_outgoing(self);
    if (!out->peer)
        begin_outgoing(out, tx, &next);
    wg_tx_seal(tx, self->aead, index, packet, len, out->data + out->run.len);
    out->run.len += next.segment;
    out->n++;
}

/* The datagrams of one packet that was read, `index` being the first's place in the run. */
static void seal_pieces(TunnelSender *self, const WgTx *tx, guint at, guint index, guint8 hop_limit)
{
    guint8 tos = culvert_packet_outer_ecn(self->packets[at].data);
    guint8 *piece;
    gsize len;

    while ((len = culvert_segmenter_next(&self->segmenters[at], &piece)) > 0)
        seal_packet(self, tx, index++, piece, len, tos, hop_limit);
}

static void stage_pieces(TunnelSender *self, WgTx *tx, guint at)
{
    guint8 *piece;
    gsize len;

    while ((len = culvert_segmenter_next(&self->segmenters[at], &piece)) > 0)
        wg_tx_stage(tx, piece, len, self->now);
}

/* Over IPv4 routers fragment what is too large. */
static void look_for_black_hole(TunnelSender *self, const WgTx *tx, const WgTxPacket *packet)
{
    if (tx->endpoint.remote.any.sa_family != AF_INET6 ||
        !tunnel_blackhole_note(&self->blackhole, packet->data, packet->len))
        return;
    atomic_store(&self->tunnel->black_hole, true);
    tunnel_wake(self->tunnel);
}

static void seal_run(TunnelSender *self, WgTx *tx, WgVerdict verdict, guint first)
{
    gboolean watches = atomic_load_explicit(&self->tunnel->watches_path, memory_order_relaxed);
    guint index = 0;

    for (guint i = first; i < first + tx->n_packets; i++) {
        const WgTxPacket *packet = &self->packets[i];
        guint8 hop_limit = 0;

        if (watches)
            look_for_black_hole(self, tx, packet);
        if (is_own_datagram(self, tx, packet) ||
            culvert_packet_outer_hops(packet->data, packet->len, &hop_limit) ==
                CULVERT_HOPS_USED_UP)
            tunnel_count(&self->tunnel->looped, 1);
        else if (verdict == WG_OK)
            seal_pieces(self, tx, i, index, hop_limit);
        else
            stage_pieces(self, tx, i);
        index += packet->count;
    }
    wg_tx_end(tx);
}

static void seal_intake(TunnelSender *self)
{
    WgTx tx;

    for (guint i = 0; i < self->n_packets; i += tx.n_packets) {
        WgVerdict verdict = wg_tx_begin(self->tunnel->device, &self->packets[i],
                                        self->n_packets - i, self->now, &tx);

        if (verdict == WG_OK || verdict == WG_STAGED)
            seal_run(self, &tx, verdict, i);
        else if (verdict == WG_NO_PEER || verdict == WG_NO_ENDPOINT)
            answer_unreachable(self, &self->packets[i]);
        /* else: counted by the core */
    }
}

/* ---- Reading -------------------------------------------------------------------------------- */

/* One packet, into the intake at `used`. Returns how much of it is used then. */
static gsize take_packet(TunnelSender *self, const struct virtio_net_hdr *vnet, gsize used,
                         gsize len)
{
    CulvertSegmenter *segmenter = &self->segmenters[self->n_packets];
    guint8 *data = self->intake + used;

    if (!culvert_segmenter_begin(segmenter, vnet, data, len))
        return used;
    self->packets[self->n_packets++] =
        (WgTxPacket){.data = data, .len = len, .count = culvert_segmenter_count(segmenter)};
    return used + ((len + INTAKE_ALIGNMENT - 1) & ~(gsize) (INTAKE_ALIGNMENT - 1));
}

/* Reads until the device has no more or there is no room for more. FALSE: the device is gone. */
static gboolean fill_intake(TunnelSender *self)
{
    gsize used = 0;
    gssize len = 0;
    guint n_read;

    self->n_packets = 0;
    for (n_read = 0; n_read < INTAKE_PACKETS && used + CULVERT_TUN_MAX_PACKET <= INTAKE_BYTES;
         n_read++) {
        struct virtio_net_hdr vnet;

        len = culvert_tun_read(self->tun, self->worker->queue, &vnet, self->intake + used,
                               CULVERT_TUN_MAX_PACKET);
        if (len <= 0)
            break;
        used = take_packet(self, &vnet, used, (gsize) len);
    }
    self->drained = len <= 0;
    tunnel_count(&self->tunnel->tun_read_packets, n_read);
    return len >= 0;
}

gboolean tunnel_sender_drain(TunnelSender *self, CulvertTun *tun)
{
    gboolean there = TRUE;

    self->tun = tun;
    self->drained = FALSE;
    for (guint i = 0; i < BURST && there && !self->drained; i++) {
        there = fill_intake(self);
        if (!there)
            tunnel_device_lost(self->tunnel, errno);
        self->now = tunnel_now();
        seal_intake(self);
    }
    send_outgoing(self);
    return there;
}

/* ---- Life ----------------------------------------------------------------------------------- */

TunnelSender *tunnel_sender_new(TunnelWorker *worker, WgAead *aead)
{
    TunnelSender *self = g_new0(TunnelSender, 1);

    self->worker = worker;
    self->tunnel = worker->tunnel;
    self->aead = aead;
    self->intake = g_malloc(INTAKE_BYTES);
    self->outgoing.data = g_malloc(OUTGOING_BYTES);
    return self;
}

void tunnel_sender_free(TunnelSender *self)
{
    g_clear_pointer(&self->outgoing.peer, wg_peer_unref);
    /* Clear packets do not stay behind in freed memory. */
    wg_wipe(self->intake, INTAKE_BYTES);
    g_free(self->intake);
    g_free(self->outgoing.data);
    wg_wipe(self, sizeof *self);
    g_free(self);
}
