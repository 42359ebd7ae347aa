/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tunnel-send.c: a packet's way out, on a thread of its own: read it from the device, find the
 * peer and its key, seal it where it lies, send the datagram.
 */
#include "config.h"

#include "tunnel-private.h"
#include "tun/culvert-packet.h"

#include <errno.h>
#include <glib/gi18n-lib.h>
#include <poll.h>
#include <string.h>

/* A packet is read this far into the buffer, so that header and tag fit around it. */
#define HEADROOM WG_DATA_HEADER_SIZE
#define TAILROOM (WG_PADDING + WG_TAG_SIZE)

/* Packets between two looks at the stop flag. */
#define BURST 256

/* How long a full socket may hold up the device's queue before a packet is dropped. */
#define SEND_PATIENCE_MS 100

/* ICMP errors to the packets' senders: a second's worth at once, at most so many in a second; the
 * kernel's own bound for all of them together is 1000 (icmp(7), icmp_msgs_per_sec). */
#define UNREACHABLE_PER_SECOND 100

typedef struct {
    CulvertTunnel *tunnel;
    CulvertTun *tun;
    WgAead *aead;
    guint8 *buffer; /* headroom, packet, tailroom */
    gint64 unreachable_second;
    guint unreachable_sent; /* in that second */
} Sender;

/* The packet's sender hears that nobody is there, instead of waiting. */
static void answer_unreachable(Sender *self, const guint8 *packet, gsize len, gint64 now)
{
    guint8 answer[CULVERT_UNREACHABLE_MAX];
    gsize size = culvert_packet_unreachable(packet, len, answer);

    if (now / G_USEC_PER_SEC != self->unreachable_second) {
        self->unreachable_second = now / G_USEC_PER_SEC;
        self->unreachable_sent = 0;
    }
    if (size == 0 || self->unreachable_sent >= UNREACHABLE_PER_SECOND)
        return;
    self->unreachable_sent++;
    culvert_tun_write(self->tun, answer, size);
}

/* The route to the peer's endpoint leads into the tunnel: each datagram would come back as a
 * packet and leave as a longer datagram, for ever. */
static gboolean is_own_datagram(const Sender *self, const WgTx *tx, const guint8 *packet, gsize len)
{
    guint16 own_port = self->tunnel->sockets.port;
    const WgEndpoint *to = &tx->endpoint;

    if (to->remote.any.sa_family == AF_INET6)
        return culvert_packet_is_udp_to(packet, len, own_port, AF_INET6,
                                        to->remote.in6.sin6_addr.s6_addr,
                                        g_ntohs(to->remote.in6.sin6_port));
    return culvert_packet_is_udp_to(packet, len, own_port, AF_INET,
                                    (const guint8 *) &to->remote.in4.sin_addr,
                                    g_ntohs(to->remote.in4.sin_port));
}

static gboolean seal_and_send(Sender *self, const WgTx *tx, const guint8 *packet, gsize len,
                              guint8 hop_limit, gsize *size)
{
    guint8 ecn = culvert_packet_outer_ecn(packet);

    *size = wg_tx_seal(tx, self->aead, 0, packet, len, self->buffer);
    if (tunnel_sockets_send(&self->tunnel->sockets, &tx->endpoint, self->buffer, *size, ecn,
                            hop_limit, SEND_PATIENCE_MS))
        return TRUE;
    tunnel_count(&self->tunnel->udp_send_dropped, 1);
    return FALSE;
}

static void send_packet(Sender *self, gsize len, gint64 now)
{
    const guint8 *packet = self->buffer + HEADROOM;
    gboolean sent = FALSE;
    guint8 hop_limit = 0;
    gsize size = 0;
    WgVerdict verdict;
    WgTx tx;

    verdict = wg_tx_begin(self->tunnel->device, packet, len, 1, now, &tx);
    if (verdict == WG_NO_PEER || verdict == WG_NO_ENDPOINT)
        answer_unreachable(self, packet, len, now);
    if (verdict != WG_OK && verdict != WG_STAGED)
        return; /* counted by the core */
    if (is_own_datagram(self, &tx, packet, len) ||
        culvert_packet_outer_hops(packet, len, &hop_limit) == CULVERT_HOPS_USED_UP)
        tunnel_count(&self->tunnel->looped, 1);
    else if (verdict == WG_OK)
        sent = seal_and_send(self, &tx, packet, len, hop_limit, &size);
    else
        wg_tx_stage(&tx, packet, len, now);
    wg_tx_end(&tx, sent ? 1 : 0, size, now);
}

/* FALSE: the device is gone. */
static gboolean drain_device(Sender *self)
{
    gint64 now = tunnel_now();

    for (guint i = 0; i < BURST; i++) {
        gssize len = culvert_tun_read(self->tun, self->buffer + HEADROOM, CULVERT_TUN_MAX_PACKET);

        if (len == 0)
            break;
        if (len < 0)
            return FALSE;
        tunnel_count(&self->tunnel->tun_read_packets, 1);
        send_packet(self, (gsize) len, now);
    }
    return TRUE;
}

static void report_lost_device(Sender *self)
{
    int errsv = errno;

    tunnel_thread_failed(self->tunnel,
                         g_error_new(G_IO_ERROR, g_io_error_from_errno(errsv),
                                     _("The device “%s” was removed while the tunnel was using "
                                       "it (%s)"),
                                     culvert_tun_get_name(self->tun), g_strerror(errsv)));
}

gpointer tunnel_send_main(gpointer data)
{
    CulvertTunnel *tunnel = data;
    g_autoptr(WgAead) aead = wg_aead_new();
    g_autofree guint8 *buffer = g_malloc(HEADROOM + CULVERT_TUN_MAX_PACKET + TAILROOM);
    Sender self = {tunnel, atomic_load(&tunnel->tun), aead, buffer, 0, 0};
    struct pollfd fds[] = {
        {.fd = culvert_tun_get_fd(self.tun), .events = POLLIN},
        {.fd = tunnel->sender.event_fd, .events = POLLIN},
    };

    for (;;) {
        if (poll(fds, G_N_ELEMENTS(fds), -1) < 0)
            continue;
        if (fds[1].revents && !tunnel_thread_check(&tunnel->sender, aead))
            break;
        if (fds[0].revents && !drain_device(&self)) {
            report_lost_device(&self);
            break;
        }
    }
    /* Clear packets do not stay behind in freed memory. */
    wg_wipe(buffer, HEADROOM + CULVERT_TUN_MAX_PACKET + TAILROOM);
    return NULL;
}
