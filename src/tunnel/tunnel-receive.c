/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tunnel-receive.c: a packet's way in, on a thread of its own: receive datagrams, find the key of
 * each run of them, open them where they lie, let the core check and count them, write the packets
 * to the device. Handshake messages are handed to the control thread.
 */
#include "tunnel-private.h"

#include "tun/culvert-packet.h"

#include <poll.h>
#include <string.h>

/* Batches from one socket before the other is looked at. */
#define BURST 16

typedef struct {
    CulvertTunnel *tunnel;
    WgAead *aead;
    guint8 *memory;
    TunnelDatagrams datagrams;
    WgRxPacket packets[TUNNEL_BATCH];
} Receiver;

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

/* ---- Data ----------------------------------------------------------------------------------- */

static gboolean same_source(const WgEndpoint *a, const WgEndpoint *b)
{
    return wg_endpoint_equal(a, b) && a->local_ifindex == b->local_ifindex &&
           memcmp(&a->local, &b->local, sizeof a->local) == 0;
}

/* Opens the run that begins at datagram `first`; returns how many datagrams belong to it. */
static guint open_run(Receiver *self, const WgRx *rx, guint first, guint n)
{
    TunnelDatagrams *d = &self->datagrams;
    guint i;

    for (i = first; i < n; i++) {
        WgRxPacket *packet = &self->packets[i - first];

        if (i > first && (!wg_rx_same_run(rx, d->buffers[i], d->lens[i]) ||
                          !same_source(&d->sources[first], &d->sources[i])))
            break;
        *packet = (WgRxPacket){.data = d->buffers[i], .len = d->lens[i]};
        wg_rx_open(rx, self->aead, packet);
    }
    return i - first;
}

/* `first` is the datagram of the first packet. */
static void deliver(Receiver *self, guint first, guint n)
{
    CulvertTunnel *tunnel = self->tunnel;
    CulvertTun *tun = atomic_load_explicit(&tunnel->tun, memory_order_acquire);
    guint written = 0, dropped = 0;

    for (guint i = 0; i < n; i++) {
        WgRxPacket *packet = &self->packets[i];

        if (packet->verdict != WG_OK)
            continue;
        if ((self->datagrams.tos[first + i] & CULVERT_ECN_MASK) == CULVERT_ECN_CE)
            culvert_packet_mark_ce(packet->data);
        if (tun && culvert_tun_write(tun, packet->data, packet->len) >= 0)
            written++;
        else
            dropped++;
    }
    tunnel_count(&tunnel->tun_write_packets, written);
    tunnel_count(&tunnel->tun_write_dropped, dropped);
}

/* Returns how many datagrams were dealt with. */
static guint receive_run(Receiver *self, guint first, guint n, gint64 now)
{
    TunnelDatagrams *d = &self->datagrams;
    guint run;
    WgRx rx;

    if (wg_rx_begin(self->tunnel->device, d->buffers[first], d->lens[first], now, &rx) != WG_OK)
        return 1; /* counted by the core */
    run = open_run(self, &rx, first, n);
    wg_rx_end(&rx, self->packets, run, &d->sources[first], now);
    deliver(self, first, run);
    return run;
}

static gboolean is_handshake(const guint8 *data, gsize len)
{
    return len > 0 && len <= WG_INITIATION_SIZE && data[0] >= WG_TYPE_INITIATION &&
           data[0] <= WG_TYPE_COOKIE_REPLY;
}

static void dispatch(Receiver *self, guint n, gint64 now)
{
    TunnelDatagrams *d = &self->datagrams;

    for (guint i = 0; i < n;) {
        if (is_handshake(d->buffers[i], d->lens[i])) {
            hand_over(self->tunnel, d->buffers[i], d->lens[i], &d->sources[i]);
            i++;
        } else {
            i += receive_run(self, i, n, now);
        }
    }
}

static void drain_socket(Receiver *self, GSocket *socket)
{
    for (guint i = 0; i < BURST; i++) {
        guint n = tunnel_sockets_receive(socket, &self->datagrams);

        if (n == 0)
            break;
        dispatch(self, n, tunnel_now());
        if (n < TUNNEL_BATCH)
            break;
    }
}

/* ---- The thread ----------------------------------------------------------------------------- */

static Receiver *receiver_new(CulvertTunnel *tunnel)
{
    Receiver *self = g_new0(Receiver, 1);

    self->tunnel = tunnel;
    self->aead = wg_aead_new();
    self->memory = g_malloc((gsize) TUNNEL_BATCH * TUNNEL_DATAGRAM_MAX);
    for (guint i = 0; i < TUNNEL_BATCH; i++)
        self->datagrams.buffers[i] = self->memory + (gsize) i * TUNNEL_DATAGRAM_MAX;
    return self;
}

static void receiver_free(Receiver *self)
{
    wg_aead_free(self->aead);
    /* Clear packets do not stay behind in freed memory. */
    wg_wipe(self->memory, (gsize) TUNNEL_BATCH * TUNNEL_DATAGRAM_MAX);
    g_free(self->memory);
    g_free(self);
}

static int socket_fd(GSocket *socket)
{
    return socket ? g_socket_get_fd(socket) : -1; /* poll() passes over -1 */
}

gpointer tunnel_receive_main(gpointer data)
{
    CulvertTunnel *tunnel = data;
    Receiver *self = receiver_new(tunnel);
    struct pollfd fds[] = {
        {.fd = socket_fd(tunnel->sockets.v4), .events = POLLIN},
        {.fd = socket_fd(tunnel->sockets.v6), .events = POLLIN},
        {.fd = tunnel->receiver.event_fd, .events = POLLIN},
    };

    for (;;) {
        if (poll(fds, G_N_ELEMENTS(fds), -1) < 0)
            continue;
        if (fds[2].revents && !tunnel_thread_check(&tunnel->receiver, self->aead))
            break;
        if (fds[0].revents)
            drain_socket(self, tunnel->sockets.v4);
        if (fds[1].revents)
            drain_socket(self, tunnel->sockets.v6);
    }
    receiver_free(self);
    return NULL;
}
