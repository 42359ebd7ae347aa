/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tunnel-thread.c: starting, stopping and poking a packet thread. An eventfd, because the thread
 * waits in poll() and not in a main loop.
 */
#include "config.h"

#include "tunnel-private.h"

#include <errno.h>
#include <glib/gi18n-lib.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void poke(TunnelThread *thread)
{
    guint64 one = 1;
    gssize n;

    /* Cannot fail but by overflow, and then the thread is poked anyhow. */
    n = write(thread->event_fd, &one, sizeof one);
    (void) n;
}

gboolean tunnel_thread_start(TunnelThread *thread, const char *name, GThreadFunc func,
                             gpointer data, GError **error)
{
    thread->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (thread->event_fd < 0) {
        int errsv = errno;

        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errsv),
                    _("Cannot start the tunnel's packet threads: %s"), g_strerror(errsv));
        return FALSE;
    }
    atomic_store(&thread->stop, false);
    atomic_store(&thread->forget, false);
    thread->thread = g_thread_try_new(name, func, data, error);
    if (thread->thread)
        return TRUE;
    g_prefix_error(error, _("Cannot start the tunnel's packet threads: "));
    close(thread->event_fd);
    return FALSE;
}

void tunnel_thread_stop(TunnelThread *thread)
{
    if (!thread->thread)
        return;
    atomic_store(&thread->stop, true);
    poke(thread);
    g_thread_join(g_steal_pointer(&thread->thread));
    close(thread->event_fd);
}

void tunnel_thread_forget_keys(TunnelThread *thread)
{
    if (!thread->thread)
        return;
    atomic_store(&thread->forget, true);
    poke(thread);
}

gboolean tunnel_thread_check(TunnelThread *thread, WgAead *aead)
{
    guint64 count;
    gssize n;

    n = read(thread->event_fd, &count, sizeof count);
    (void) n;
    if (atomic_exchange(&thread->forget, false))
        wg_aead_forget(aead);
    return !atomic_load(&thread->stop);
}
