/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gateway-daemon.c: a fork and a pipe: a byte in it means ready, its end without one means that
 * the background process has failed, and said why on standard error.
 */
#include "config.h"

#include "gateway-daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib-unix.h>
#include <glib/gi18n-lib.h>
#include <stdlib.h>
#include <unistd.h>

static int ready_fd = -1;

static _Noreturn void wait_for_child(int fd)
{
    char ready;
    gssize n;

    do
        n = read(fd, &ready, 1);
    while (n < 0 && errno == EINTR);
    _exit(n == 1 ? EXIT_SUCCESS : EXIT_FAILURE);
}

gboolean gateway_daemon_start(GError **error)
{
    int fds[2];
    pid_t child;

    if (!g_unix_open_pipe(fds, FD_CLOEXEC, error))
        return FALSE;
    child = fork();
    if (child < 0) {
        int errsv = errno;

        close(fds[0]);
        close(fds[1]);
        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errsv),
                    _("Cannot go into the background: %s. Try --foreground."), g_strerror(errsv));
        return FALSE;
    }
    if (child > 0) {
        close(fds[1]);
        wait_for_child(fds[0]);
    }
    close(fds[0]);
    ready_fd = fds[1];
    setsid();
    /* No file system is kept from being unmounted. */
    if (chdir("/") != 0)
        g_debug("Cannot go to /: %s", g_strerror(errno));
    return TRUE;
}

void gateway_daemon_ready(void)
{
    int null;
    gssize n;

    if (ready_fd < 0)
        return;
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0) {
        for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
            dup2(null, fd);
        close(null);
    }
    n = write(ready_fd, "", 1);
    (void) n;
    close(ready_fd);
    ready_fd = -1;
}
