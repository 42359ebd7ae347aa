/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tunnel-send.c: the packets' way out: read what the device has, find the peer and its key, cut
 * large packets, seal each piece into place behind the last, send runs of equal sizes at once.
 *
 * A tunnel that carries Ethernet reads frames. The switch says which peers they go to; then their
 * way is that of the packets that VXLAN makes of them, whose headers are written in front of each
 * piece. Frames from one peer to another join in there.
 *
 * Sealing is the only copy on this way: from where the packet was read to where it is sent from.
 * But a large frame for several peers is copied for each, as cutting destroys it.
 */
#include "tunnel-private.h"
#include "tun/culvert-packet.h"
#include "tun/culvert-segment.h"

#include <errno.h>
#include <string.h>

/* What is read before any of it is sealed: at least three packets of the greatest size; many small
 * ones. More would not fit a core's cache together with what is sent. */
#define INTAKE_BYTES   (3 * READ_MAX)
#define INTAKE_PACKETS 128

/* Packets lie on whole cache lines. */
#define INTAKE_ALIGNMENT 64

/* Room for VXLAN's headers in front of a frame, likewise. */
#define HEADROOM INTAKE_ALIGNMENT
G_STATIC_ASSERT(HEADROOM >= CULVERT_VXLAN_HEADER_MAX);

/* What one read can take, with the room in front of it, in whole cache lines. */
#define READ_MAX (65536 + 2 * INTAKE_ALIGNMENT)
G_STATIC_ASSERT(READ_MAX >= HEADROOM + CULVERT_TUN_MAX_PACKET + ETHERNET_LINK_SIZE_MAX);

/* The largest frame for which there is room in a packet with VXLAN's headers. */
#define FRAME_MAX (CULVERT_TUN_MAX_PACKET - CULVERT_VXLAN_HEADER_MAX)

/* What a run takes: as much as one send, or one packet of the greatest size. */
#define OUTGOING_BYTES (CULVERT_TUN_MAX_PACKET + WG_PADDING + WG_DATA_OVERHEAD)

/* Intakes before the other direction has its turn. */
#define BURST 4

/* ICMP errors to the packets' senders: a second's worth at once, at most so many in a second; the
 * kernel's own bound for all of them together is 1000 (icmp(7), icmp_msgs_per_sec). */
#define UNREACHABLE_PER_SECOND 100

/* A run that is sealed and about to be sent. It may wait for the next intake, of which datagrams
 * may join it, but not for the device to have one. */
typedef struct {
    guint8 *data;
    TunnelRun run;
    WgEndpoint endpoint; /* the run's */
    WgPeer *peer;        /* a reference, from its begin until it is sent */
    guint n;             /* datagrams */
} Outgoing;

/* A frame that was read, or received. */
typedef struct {
    CulvertVxlan vxlan; /* the headers of its pieces, which are the packet as the core sees it */
    guint8 *packet;     /* the IP packet in it; NULL: none */
    gsize packet_len;
    gsize more;     /* bytes before it in the tunnel */
    gboolean noted; /* by look_for_black_hole(), for another peer */
} Frame;

struct _TunnelSender {
    TunnelWorker *worker;
    CulvertTunnel *tunnel;
    TunnelEthernet *ethernet; /* NULL: it carries IP packets */
    CulvertTun *tun;
    WgAead *aead;

    /* what was read */
    guint8 *intake;
    gboolean drained; /* the device has no more */
    guint n_packets;
    WgTxPacket packets[INTAKE_PACKETS];
    CulvertSegmenter segmenters[INTAKE_PACKETS];

    /* of a tunnel that carries Ethernet */
    Frame *frames; /* one for each of the packets */
    guint16 next_id;
    guint8 *copy; /* of a frame for several peers */
    TunnelRecent recent;

    gint64 now; /* of the intake */

    Outgoing outgoing[TUNNEL_RUNS_TOGETHER]; /* in the order of their packets */
    guint n_outgoing;
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

/* The IP packet that was handed to the device. FALSE: a frame without any. */
static gboolean get_inner(const TunnelSender *self, guint at, const guint8 **packet, gsize *len)
{
    if (self->ethernet) {
        *packet = self->frames[at].packet;
        *len = self->frames[at].packet_len;
    } else {
        *packet = self->packets[at].data;
        *len = self->packets[at].len;
    }
    return *packet != NULL;
}

/* The route to the peer's endpoint leads into the tunnel, maybe over a bridge: each datagram would
 * come back as a packet and leave as a longer datagram, for ever. */
static gboolean is_own_datagram(const TunnelSender *self, const WgTx *tx, const guint8 *packet,
                                gsize len)
{
    guint16 own_port = self->worker->sockets.port;
    const WgEndpoint *to = &tx->endpoint;

    if (to->remote.any.sa_family == AF_INET6)
        return culvert_packet_is_udp_to(packet, len, own_port, AF_INET6,
                                        to->remote.in6.sin6_addr.s6_addr,
                                        g_ntohs(to->remote.in6.sin6_port));
    return culvert_packet_is_udp_to(packet, len, own_port, AF_INET,
                                    (const guint8 *) &to->remote.in4.sin_addr,
                                    g_ntohs(to->remote.in4.sin_port));
}

/* ---- Sealing and sending -------------------------------------------------------------------- */

static void send_outgoing(TunnelSender *self)
{
    for (guint i = 0; i < self->n_outgoing; i++) {
        Outgoing *out = &self->outgoing[i];
        TunnelSent sent = tunnel_send(&self->worker->sockets, &out->run);

        wg_tx_sent(out->peer, sent.n, sent.bytes, self->now);
        tunnel_count(&self->tunnel->udp_send_dropped, sent.failed);
        g_clear_pointer(&out->peer, wg_peer_unref);
    }
    self->n_outgoing = 0;
}

/* Whether a datagram like `next` can leave with those of the run. */
static gboolean joins_outgoing(const Outgoing *out, const WgTx *tx, const TunnelRun *next)
{
    const TunnelRun *run = &out->run;

    return out->peer == tx->peer && out->n < TUNNEL_RUN_DATAGRAMS_MAX &&
           next->segment <= run->segment && run->len % run->segment == 0 &&
           run->len + next->segment <= TUNNEL_RUN_BYTES_MAX && next->tos == run->tos &&
           next->hop_limit == run->hop_limit &&
           tunnel_endpoint_same_path(&tx->endpoint, &out->endpoint);
}

static Outgoing *begin_outgoing(TunnelSender *self, const WgTx *tx, const TunnelRun *next)
{
    Outgoing *out;

    if (self->n_outgoing == TUNNEL_RUNS_TOGETHER)
        send_outgoing(self);
    out = &self->outgoing[self->n_outgoing++];
    out->peer = wg_peer_ref(tx->peer);
    out->endpoint = tx->endpoint;
    out->run = *next;
    out->run.endpoint = &out->endpoint;
    out->run.data = out->data;
    out->n = 0;
    return out;
}

static void seal_packet(TunnelSender *self, const WgTx *tx, guint index, const guint8 *packet,
                        gsize len, guint8 tos, guint8 hop_limit)
{
    const TunnelRun next = {
        .segment = wg_tx_sealed_size(tx, len), .tos = tos, .hop_limit = hop_limit};
    Outgoing *out = self->n_outgoing > 0 ? &self->outgoing[self->n_outgoing - 1] : NULL;

    if (!out || !joins_outgoing(out, tx, &next))
        out = begin_outgoing(self, tx, &next);
    wg_tx_seal(tx, self->aead, index, packet, len, out->data + out->run.len);
    out->run.len += next.segment;
    out->n++;
}

/* The next packet to be sealed of the one at `at`. Returns its length; 0: there is none. */
static inline gsize next_piece(TunnelSender *self, guint at, guint8 **piece)
{
    gsize len = culvert_segmenter_next(&self->segmenters[at], piece), headers;

    if (!self->ethernet || len == 0)
        return len;
    headers = culvert_vxlan_wrap(&self->frames[at].vxlan, *piece, len);
    *piece -= headers;
    return headers + len;
}

/* The datagrams of one packet that was read, `index` being the first's place in the run. */
static void seal_pieces(TunnelSender *self, const WgTx *tx, guint at, guint index, guint8 hop_limit)
{
    guint8 tos = culvert_packet_outer_ecn(self->packets[at].data);
    guint8 *piece;
    gsize len;

    while ((len = next_piece(self, at, &piece)) > 0)
        seal_packet(self, tx, index++, piece, len, tos, hop_limit);
}

static void stage_pieces(TunnelSender *self, WgTx *tx, guint at)
{
    guint8 *piece;
    gsize len;

    while ((len = next_piece(self, at, &piece)) > 0)
        wg_tx_stage(tx, piece, len, self->now);
}

/* Over IPv4 routers fragment what is too large. What goes to several peers is not repeated by that.
 */
static void look_for_black_hole(TunnelSender *self, const WgTx *tx, guint at, const guint8 *packet,
                                gsize len)
{
    Frame *frame = self->ethernet ? &self->frames[at] : NULL;
    const TunnelBlackholeFlow *segment;

    if (tx->endpoint.remote.any.sa_family != AF_INET6 || (frame && frame->noted))
        return;
    segment = tunnel_blackhole_note(&self->blackhole, packet, len, frame ? frame->more : 0);
    if (frame)
        frame->noted = TRUE;
    if (segment)
        tunnel_narrow_suspect(self->tunnel->narrow, wg_peer_get_public_key(tx->peer), segment);
}

/* TRUE: it is in a loop of tunnels, which ends here. */
static gboolean is_looped(TunnelSender *self, const WgTx *tx, guint at, guint8 *hop_limit)
{
    const guint8 *packet;
    gsize len;

    if (!get_inner(self, at, &packet, &len))
        return FALSE;
    look_for_black_hole(self, tx, at, packet, len);
    return is_own_datagram(self, tx, packet, len) ||
           culvert_packet_outer_hops(packet, len, hop_limit) == CULVERT_HOPS_USED_UP;
}

static void seal_run(TunnelSender *self, WgTx *tx, WgVerdict verdict, guint first)
{
    guint index = 0;

    /* What is staged leaves by the control thread, which is not to overtake what is sealed. */
    if (verdict == WG_STAGED)
        send_outgoing(self);
    for (guint i = first; i < first + tx->n_packets; i++) {
        guint8 hop_limit = 0;

        if (is_looped(self, tx, i, &hop_limit))
            tunnel_count(&self->tunnel->looped, 1);
        else if (verdict == WG_OK)
            seal_pieces(self, tx, i, index, hop_limit);
        else
            stage_pieces(self, tx, i);
        index += self->packets[i].count;
    }
    wg_tx_end(tx);
}

/* No sender of a frame hears that nobody is there: Ethernet has no word for it. */
static void seal_intake(TunnelSender *self)
{
    WgTx tx;

    for (guint i = 0; i < self->n_packets; i += tx.n_packets) {
        WgVerdict verdict = wg_tx_begin(self->tunnel->device, &self->packets[i],
                                        self->n_packets - i, self->now, &tx);

        if (verdict == WG_OK || verdict == WG_STAGED)
            seal_run(self, &tx, verdict, i);
        else if (!self->ethernet && (verdict == WG_NO_PEER || verdict == WG_NO_ENDPOINT))
            answer_unreachable(self, &self->packets[i]);
        /* else: counted by the core */
    }
    self->n_packets = 0;
}

/* ---- Frames --------------------------------------------------------------------------------- */

/* All zero: there is nothing left to do. */
static const struct virtio_net_hdr whole;

static gboolean is_large(const struct virtio_net_hdr *vnet)
{
    return vnet->gso_type != VIRTIO_NET_HDR_GSO_NONE;
}

/* At most; for what it costs others. */
static guint count_pieces(const struct virtio_net_hdr *vnet, gsize len)
{
    return is_large(vnet) ? (guint) (len / MAX(vnet->gso_size, 1) + 1) : 1;
}

static gsize largest_piece(const struct virtio_net_hdr *vnet, gsize len)
{
    const gsize headers = ETHERNET_LINK_SIZE_MAX + CULVERT_SEGMENT_HEADER_MAX;

    return is_large(vnet) ? MIN(len, headers + vnet->gso_size) : len;
}

/* A frame with HEADROOM in front of it. FALSE: it cannot be sent, and is counted. */
static gboolean add_frame(TunnelSender *self, const struct virtio_net_hdr *vnet, guint8 *data,
                          gsize len, const CulvertVtep *to)
{
    const TunnelEthernet *ethernet = self->ethernet;
    CulvertSegmenter *segmenter = &self->segmenters[self->n_packets];
    Frame *frame = &self->frames[self->n_packets];
    guint count;

    if (largest_piece(vnet, len) > FRAME_MAX ||
        !culvert_segmenter_begin_frame(segmenter, vnet, data, len)) {
        tunnel_count(&self->ethernet->not_sent, 1);
        return FALSE;
    }
    count = culvert_segmenter_count(segmenter);
    culvert_vxlan_begin(&frame->vxlan, ethernet->vni, &ethernet->local, to, data, len,
                        self->next_id);
    self->next_id += (guint16) count;
    frame->packet = culvert_packet_in_frame(data, len, &frame->packet_len);
    frame->more = frame->vxlan.size + len - frame->packet_len;
    frame->noted = FALSE;
    self->packets[self->n_packets++] =
        (WgTxPacket){.data = frame->vxlan.header, .len = frame->vxlan.size, .count = count};
    return TRUE;
}

/* To all remotes but the one where it is from. Nothing is left in the intake then. Who is next is
 * asked before the frame goes to one: for the last of them a large frame need not be copied. */
static void flood_frame(TunnelSender *self, const struct virtio_net_hdr *vnet, guint8 *data,
                        gsize len, guint from)
{
    gboolean changes = is_large(vnet) || (vnet->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM), more;
    gboolean noted = FALSE;
    CulvertVtep to, next;
    guint port = 0;

    seal_intake(self);
    more = culvert_switch_next_remote(self->ethernet->ports, &port, from, &to);
    while (more) {
        guint8 *frame = data;

        more = culvert_switch_next_remote(self->ethernet->ports, &port, from, &next);
        if (more && changes)
            frame = memcpy(self->copy + HEADROOM, data, len);
        if (add_frame(self, vnet, frame, len, &to)) {
            self->frames[0].noted = noted;
            seal_intake(self);
            noted = self->frames[0].noted;
        }
        to = next;
    }
}

void tunnel_sender_forward(TunnelSender *self, guint8 *frame, gsize len, const CulvertVtep *to,
                           gint64 now)
{
    self->now = now;
    if (self->n_packets == INTAKE_PACKETS)
        seal_intake(self);
    add_frame(self, &whole, frame, len, to);
}

void tunnel_sender_flood(TunnelSender *self, guint8 *frame, gsize len, guint from, gint64 now)
{
    self->now = now;
    flood_frame(self, &whole, frame, len, from);
}

void tunnel_sender_flush(TunnelSender *self)
{
    seal_intake(self);
    send_outgoing(self);
}

/* ---- Reading -------------------------------------------------------------------------------- */

static gsize align(gsize size)
{
    return (size + INTAKE_ALIGNMENT - 1) & ~(gsize) (INTAKE_ALIGNMENT - 1);
}

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
    return used + align(len);
}

/* One frame, likewise; one for several remotes is sent at once. */
static gsize take_frame(TunnelSender *self, const struct virtio_net_hdr *vnet, gsize used,
                        gsize len)
{
    guint8 *frame = self->intake + used + HEADROOM;
    const CulvertForwarding *to =
        tunnel_ethernet_forward(self->ethernet, &self->recent, CULVERT_SWITCH_DEVICE, frame, len,
                                count_pieces(vnet, len), self->now);

    if (to->flood) {
        flood_frame(self, vnet, frame, len, CULVERT_SWITCH_DEVICE);
        return 0;
    }
    if (to->remote == 0 || !add_frame(self, vnet, frame, len, &to->vtep))
        return used;
    return used + align(HEADROOM + len);
}

/* Reads until the device has no more or there is no room for more. FALSE: the device is gone. */
static gboolean fill_intake(TunnelSender *self)
{
    gsize headroom = self->ethernet ? HEADROOM : 0, max = READ_MAX - headroom;
    gsize used = 0;
    gssize len = 0;
    guint n_read;

    self->n_packets = 0;
    for (n_read = 0; n_read < INTAKE_PACKETS && used + READ_MAX <= INTAKE_BYTES; n_read++) {
        struct virtio_net_hdr vnet;

        len = culvert_tun_read(self->tun, self->worker->queue, &vnet,
                               self->intake + used + headroom, max);
        if (len <= 0)
            break;
        used = self->ethernet ? take_frame(self, &vnet, used, (gsize) len)
                              : take_packet(self, &vnet, used, (gsize) len);
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
    self->recent = (TunnelRecent){0};
    for (guint i = 0; i < BURST && there && !self->drained; i++) {
        self->now = tunnel_now();
        there = fill_intake(self);
        if (!there)
            tunnel_device_lost(self->tunnel, errno);
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
    self->ethernet = worker->tunnel->ethernet;
    self->aead = aead;
    self->intake = g_malloc(INTAKE_BYTES);
    if (self->ethernet) {
        self->frames = g_new(Frame, INTAKE_PACKETS);
        self->copy = g_malloc(READ_MAX);
    }
    for (guint i = 0; i < TUNNEL_RUNS_TOGETHER; i++)
        self->outgoing[i].data = g_malloc(OUTGOING_BYTES);
    return self;
}

void tunnel_sender_free(TunnelSender *self)
{
    for (guint i = 0; i < TUNNEL_RUNS_TOGETHER; i++) {
        g_clear_pointer(&self->outgoing[i].peer, wg_peer_unref);
        g_free(self->outgoing[i].data);
    }
    /* Clear packets do not stay behind in freed memory. */
    wg_wipe(self->intake, INTAKE_BYTES);
    g_free(self->intake);
    if (self->copy)
        wg_wipe(self->copy, READ_MAX);
    g_free(self->copy);
    g_free(self->frames);
    wg_wipe(self, sizeof *self);
    g_free(self);
}
