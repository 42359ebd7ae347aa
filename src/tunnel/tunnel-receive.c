/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tunnel-receive.c: the packets' way in: receive datagrams, find the key of each run of them, open
 * them where they lie, let the core check and count them, join what belongs to one flow, write to
 * the device. Handshake messages are handed to the control thread.
 *
 * A tunnel that carries Ethernet takes the frames out of the packets, and asks the switch: some go
 * to other peers, through the sender of the same thread (tunnel-send.c), from where they lie.
 */
#include "tunnel-private.h"
#include "tun/culvert-coalesce.h"
#include "tun/culvert-packet.h"
#include "tun/culvert-segment.h"

#include <errno.h>
#include <string.h>

/* Batches before the other direction has its turn. */
#define BURST 4

/* Datagrams that are opened under one permit: as many as a system call for joined ones brings. */
#define RUN_MAX (TUNNEL_RUNS_TOGETHER * TUNNEL_RUN_DATAGRAMS_MAX)

/* What is written to the device at once. */
#define FLAT_MAX (CULVERT_TUN_MAX_PACKET + ETHERNET_LINK_SIZE_MAX)

/* The next datagram of what was received. */
typedef struct {
    const TunnelReceived *received;
    guint n;
    guint i;  /* in `received` */
    gsize at; /* in its data */
} Cursor;

struct _TunnelReceiver {
    TunnelWorker *worker;
    CulvertTunnel *tunnel;
    TunnelEthernet *ethernet; /* NULL: it carries IP packets */
    TunnelSender *sender;     /* for frames that go on */
    TunnelRecent recent;
    CulvertTun *tun; /* NULL: none yet */
    guint queue;     /* of the device, to write to */
    WgAead *aead;
    TunnelInbox *inbox;
    WgRxPacket packets[RUN_MAX];
    guint8 tos[RUN_MAX]; /* of the datagram that carried the packet */
    CulvertCoalescer coalescer;
    guint8 *flat; /* for what the device did not take joined; NULL until then */
};

/* ---- The received datagrams one by one ------------------------------------------------------ */

static gboolean cursor_get(const Cursor *cursor, guint8 **data, gsize *len)
{
    const TunnelReceived *received = &cursor->received[cursor->i];

    if (cursor->i >= cursor->n)
        return FALSE;
    *data = received->data + cursor->at;
    *len = MIN(received->segment, received->len - cursor->at);
    return TRUE;
}

static void cursor_advance(Cursor *cursor)
{
    const TunnelReceived *received = &cursor->received[cursor->i];

    cursor->at += received->segment;
    if (cursor->at >= received->len) {
        cursor->i++;
        cursor->at = 0;
    }
}

/* ---- Handshake messages --------------------------------------------------------------------- */

static void hand_over(CulvertTunnel *tunnel, const guint8 *data, gsize len,
                      const WgEndpoint *source)
{
    TunnelHandshake *handshake = NULL;

    pthread_mutex_lock(&tunnel->handshakes_lock);
    if (tunnel->handshakes.length < TUNNEL_HANDSHAKES_MAX) {
        handshake = g_new(TunnelHandshake, 1);
        handshake->source = *source;
        handshake->len = len;
        memcpy(handshake->data, data, len);
        g_queue_push_tail(&tunnel->handshakes, handshake);
    }
    pthread_mutex_unlock(&tunnel->handshakes_lock);
    if (handshake)
        tunnel_wake(tunnel);
}

static gboolean is_handshake(const guint8 *data, gsize len)
{
    return len > 0 && len <= WG_INITIATION_SIZE && data[0] >= WG_TYPE_INITIATION &&
           data[0] <= WG_TYPE_COOKIE_REPLY;
}

/* ---- Writing to the device ------------------------------------------------------------------ */

static void set_device(TunnelReceiver *self, CulvertTun *tun)
{
    CulvertTunOffload offload;

    if (tun == self->tun)
        return;
    self->tun = tun;
    self->queue = tun ? MIN(self->worker->queue, culvert_tun_get_n_queues(tun) - 1) : 0;
    offload = tun ? culvert_tun_get_offload(tun) : (CulvertTunOffload){0};
    culvert_coalescer_set_kinds(&self->coalescer, (offload.tcp ? CULVERT_COALESCE_TCP : 0) |
                                                      (offload.udp ? CULVERT_COALESCE_UDP : 0));
}

/* Some kernels refuse what they should take (Linux 6.1.103 to 110 and 6.6.44 ff. do): then it is
 * taken apart again. */
static gboolean write_apart(TunnelReceiver *self, const CulvertWrite *write)
{
    CulvertSegmenter segmenter;
    gboolean all = TRUE;
    gsize len = 0, piece_len;
    guint8 *piece;

    if (!self->flat)
        self->flat = g_malloc(FLAT_MAX);
    for (guint i = 1; i < write->n_iov; i++) {
        memcpy(self->flat + len, write->iov[i].iov_base, write->iov[i].iov_len);
        len += write->iov[i].iov_len;
    }
    if (self->ethernet ? !culvert_segmenter_begin_frame(&segmenter, &write->vnet, self->flat, len)
                       : !culvert_segmenter_begin(&segmenter, &write->vnet, self->flat, len))
        return FALSE;
    while ((piece_len = culvert_segmenter_next(&segmenter, &piece)) > 0)
        all &= culvert_tun_write_packet(self->tun, self->queue, piece, piece_len);
    return all;
}

static gboolean write_to_device(TunnelReceiver *self, const CulvertWrite *write)
{
    if (!self->tun)
        return FALSE;
    if (culvert_tun_write(self->tun, self->queue, write->iov, write->n_iov))
        return TRUE;
    if (errno != EINVAL || write->packets == 1)
        return FALSE;
    g_info("The device refuses packets joined: from now on they are written one by one");
    culvert_coalescer_set_kinds(&self->coalescer, CULVERT_COALESCE_NOTHING);
    return write_apart(self, write);
}

static void write_out(const CulvertWrite *write, gpointer data)
{
    TunnelReceiver *self = data;

    tunnel_count(write_to_device(self, write) ? &self->tunnel->tun_write_packets
                                              : &self->tunnel->tun_write_dropped,
                 write->packets);
}

/* ---- Data ----------------------------------------------------------------------------------- */

/* Opens the run that begins at the cursor, and moves it behind that; returns how many datagrams
 * belong to it. */
static guint open_run(TunnelReceiver *self, const WgRx *rx, Cursor *cursor)
{
    const TunnelReceived *first = &cursor->received[cursor->i];
    guint8 *data;
    gsize len;
    guint n = 0;

    while (n < RUN_MAX && cursor_get(cursor, &data, &len)) {
        const TunnelReceived *received = &cursor->received[cursor->i];

        if (n > 0 &&
            (!wg_rx_same_run(rx, data, len) ||
             (received != first && !tunnel_endpoint_same_path(&first->source, &received->source))))
            break;
        self->packets[n] = (WgRxPacket){.data = data, .len = len};
        self->tos[n] = received->tos;
        wg_rx_open(rx, self->aead, &self->packets[n]);
        cursor_advance(cursor);
        n++;
    }
    return n;
}

/* The device may be given the frame joined with others, and changed by that: the others first. */
static void add_frame(TunnelReceiver *self, const WgRxPacket *packet, gint64 now)
{
    const CulvertForwarding *to;
    guint8 *frame;
    gsize len;
    guint from = tunnel_ethernet_receive(self->ethernet, &self->recent, packet->data, packet->len,
                                         &frame, &len);

    if (from == 0)
        return;
    to = tunnel_ethernet_forward(self->ethernet, &self->recent, from, frame, len, 1, now);
    if (to->flood)
        tunnel_sender_flood(self->sender, frame, len, from, now);
    if (to->remote != 0)
        tunnel_sender_forward(self->sender, frame, len, &to->vtep, now);
    if (to->to_device)
        culvert_coalescer_add_frame(&self->coalescer, frame, len);
}

/* Those that are authentic, to what is put together for the device. */
static void add_packets(TunnelReceiver *self, guint n, gint64 now)
{
    for (guint i = 0; i < n; i++) {
        WgRxPacket *packet = &self->packets[i];

        if (packet->verdict != WG_OK)
            continue;
        if ((self->tos[i] & CULVERT_ECN_MASK) == CULVERT_ECN_CE)
            culvert_packet_mark_ce(packet->data);
        if (self->ethernet)
            add_frame(self, packet, now);
        else
            culvert_coalescer_add(&self->coalescer, packet->data, packet->len);
    }
}

static void receive_run(TunnelReceiver *self, Cursor *cursor, const guint8 *data, gsize len,
                        gint64 now)
{
    const TunnelReceived *first = &cursor->received[cursor->i];
    guint n;
    WgRx rx;

    if (wg_rx_begin(self->tunnel->device, data, len, now, &rx) != WG_OK) {
        cursor_advance(cursor); /* counted by the core */
        return;
    }
    n = open_run(self, &rx, cursor);
    wg_rx_end(&rx, self->packets, n, &first->source, now);
    add_packets(self, n, now);
}

static void dispatch(TunnelReceiver *self, const TunnelReceived *received, guint n, gint64 now)
{
    Cursor cursor = {.received = received, .n = n};
    guint8 *data;
    gsize len;

    while (cursor_get(&cursor, &data, &len)) {
        if (is_handshake(data, len)) {
            hand_over(self->tunnel, data, len, &received[cursor.i].source);
            cursor_advance(&cursor);
        } else {
            receive_run(self, &cursor, data, len, now);
        }
    }
    culvert_coalescer_flush(&self->coalescer);
    if (self->ethernet)
        tunnel_sender_flush(self->sender);
}

void tunnel_receiver_drain(TunnelReceiver *self, TunnelSocket *socket, CulvertTun *tun)
{
    const TunnelReceived *received;
    gboolean more = TRUE;

    set_device(self, tun);
    self->recent = (TunnelRecent){0};
    for (guint i = 0; i < BURST && more; i++) {
        guint n = tunnel_receive(self->inbox, socket, &received, &more);

        if (n > 0)
            dispatch(self, received, n, tunnel_now());
    }
}

/* ---- Life ----------------------------------------------------------------------------------- */

TunnelReceiver *tunnel_receiver_new(TunnelWorker *worker, WgAead *aead, TunnelSender *sender)
{
    TunnelReceiver *self = g_new0(TunnelReceiver, 1);

    self->worker = worker;
    self->tunnel = worker->tunnel;
    self->ethernet = worker->tunnel->ethernet;
    self->sender = sender;
    self->aead = aead;
    self->inbox = tunnel_inbox_new();
    culvert_coalescer_init(&self->coalescer, CULVERT_COALESCE_NOTHING, write_out, self);
    return self;
}

void tunnel_receiver_free(TunnelReceiver *self)
{
    tunnel_inbox_free(self->inbox);
    if (self->flat)
        wg_wipe(self->flat, FLAT_MAX);
    g_free(self->flat);
    g_free(self);
}
