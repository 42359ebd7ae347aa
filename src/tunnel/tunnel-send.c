/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tunnel-send.c: a packet's way out, on a thread of its own: read it from the device, find the
 * peer and its key, seal it where it lies, send the datagram.
 */
#include "config.h"

#include "tunnel-private.h"

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

typedef struct {
    CulvertTunnel *tunnel;
    CulvertTun *tun;
    WgAead *aead;
    guint8 *buffer; /* headroom, packet, tailroom */
} Sender;

static void send_packet(Sender *self, gsize len, gint64 now)
{
    CulvertTunnel *tunnel = self->tunnel;
    guint8 *packet = self->buffer + HEADROOM;
    gsize size = 0;
    WgVerdict verdict;
    gboolean sent = FALSE;
    WgTx tx;

    verdict = wg_tx_begin(tunnel->device, packet, len, 1, now, &tx);
    if (verdict == WG_OK) {
        size = wg_tx_seal(&tx, self->aead, 0, packet, len, self->buffer);
        sent = tunnel_sockets_send(&tunnel->sockets, &tx.endpoint, self->buffer, size, 0,
                                   SEND_PATIENCE_MS);
        if (!sent)
            tunnel_count(&tunnel->udp_send_dropped, 1);
    } else if (verdict == WG_STAGED) {
        wg_tx_stage(&tx, packet, len, now);
    } else {
        return; /* counted by the core */
    }
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
    Sender self = {tunnel, atomic_load(&tunnel->tun), aead, buffer};
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
