/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tunnel-worker.c: the thread that moves packets, and how the control thread starts, pokes and
 * stops it.
 *
 * One thread for both directions: the answer to a packet that it has written to the device is
 * often there before it would sleep, and waking another thread costs more than moving a packet.
 */
#include "config.h"

#include "tunnel-private.h"

#include <errno.h>
#include <glib/gi18n-lib.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "sandbox/culvert-sandbox.h"

/* ---- In the thread -------------------------------------------------------------------------- */

enum {
    FD_EVENT,
    FD_DEVICE,
    FD_V4,
    FD_V6,
    N_FDS
};

static int socket_fd(const TunnelSocket *socket)
{
    return socket->socket ? g_socket_get_fd(socket->socket) : -1; /* poll() passes over -1 */
}

/* What the control thread wants. FALSE: end. */
static gboolean take_orders(TunnelWorker *worker, WgAead *aead)
{
    guint64 count;
    gssize n;

    n = read(worker->event_fd, &count, sizeof count);
    (void) n;
    if (atomic_exchange(&worker->forget, false))
        wg_aead_forget(aead);
    return !atomic_load(&worker->stop);
}

/* NULL: none yet. */
static CulvertTun *find_device(TunnelWorker *worker, struct pollfd *fd)
{
    CulvertTun *tun = atomic_load_explicit(&worker->tunnel->tun, memory_order_acquire);

    if (tun && worker->queue < culvert_tun_get_n_queues(tun))
        fd->fd = culvert_tun_get_fd(tun, worker->queue);
    return tun;
}

static void move_packets(TunnelWorker *worker, WgAead *aead, TunnelSender *sender,
                         TunnelReceiver *receiver)
{
    struct pollfd fds[N_FDS] = {
        [FD_EVENT] = {.fd = worker->event_fd, .events = POLLIN},
        [FD_DEVICE] = {.fd = -1, .events = POLLIN},
        [FD_V4] = {.fd = socket_fd(&worker->sockets.v4), .events = POLLIN},
        [FD_V6] = {.fd = socket_fd(&worker->sockets.v6), .events = POLLIN},
    };
    CulvertTun *tun = find_device(worker, &fds[FD_DEVICE]);

    for (;;) {
        if (poll(fds, N_FDS, -1) < 0)
            continue;
        if (fds[FD_EVENT].revents) {
            if (!take_orders(worker, aead))
                return;
            tun = find_device(worker, &fds[FD_DEVICE]);
        }
        if (fds[FD_V4].revents)
            tunnel_receiver_drain(receiver, &worker->sockets.v4, tun);
        if (fds[FD_V6].revents)
            tunnel_receiver_drain(receiver, &worker->sockets.v6, tun);
        if (fds[FD_DEVICE].revents && !tunnel_sender_drain(sender, tun))
            return;
    }
}

static gpointer worker_main(gpointer data)
{
    TunnelWorker *worker = data;
    g_autoptr(WgAead) aead = wg_aead_new();
    TunnelSender *sender = tunnel_sender_new(worker, aead);
    TunnelReceiver *receiver = tunnel_receiver_new(worker, aead, sender);

    wg_aead_get_backend(aead); /* made now, so that the first packet does not wait */
    culvert_sandbox_packet_thread();
    move_packets(worker, aead, sender, receiver);
    tunnel_receiver_free(receiver);
    tunnel_sender_free(sender);
    return NULL;
}

/* ---- In the control thread ------------------------------------------------------------------ */

void tunnel_worker_poke(TunnelWorker *worker)
{
    guint64 one = 1;
    gssize n;

    if (!worker->thread)
        return;
    /* Cannot fail but by overflow, and then the thread is poked anyhow. */
    n = write(worker->event_fd, &one, sizeof one);
    (void) n;
}

gboolean tunnel_worker_start(TunnelWorker *worker, GError **error)
{
    worker->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (worker->event_fd < 0) {
        int errsv = errno;

        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errsv),
                    _("Cannot start the tunnel's packet threads: %s"), g_strerror(errsv));
        return FALSE;
    }
    atomic_store(&worker->stop, false);
    atomic_store(&worker->forget, false);
    worker->thread = g_thread_try_new("culvert-packets", worker_main, worker, error);
    if (worker->thread)
        return TRUE;
    g_prefix_error(error, _("Cannot start the tunnel's packet threads: "));
    close(worker->event_fd);
    return FALSE;
}

void tunnel_worker_stop(TunnelWorker *worker)
{
    if (!worker->thread)
        return;
    atomic_store(&worker->stop, true);
    tunnel_worker_poke(worker);
    g_thread_join(g_steal_pointer(&worker->thread));
    close(worker->event_fd);
}

void tunnel_worker_forget_keys(TunnelWorker *worker)
{
    if (!worker->thread)
        return;
    atomic_store(&worker->forget, true);
    tunnel_worker_poke(worker);
}
