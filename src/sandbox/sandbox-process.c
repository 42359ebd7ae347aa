/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sandbox-process.c: starts the processes that do for a daemon what it has given up itself.
 */
#include "config.h"

#include "sandbox-private.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gi18n-lib.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "culvert-sandbox.h"

/* Whoever waits for the end of the daemon's output, or of its pipes, waits for the daemon alone. */
static void leave_descriptors(int keep)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    for (int fd = STDIN_FILENO; null >= 0 && fd <= STDERR_FILENO; fd++)
        dup2(null, fd);
#ifdef SYS_close_range
    if (keep > STDERR_FILENO + 1)
        syscall(SYS_close_range, STDERR_FILENO + 1, keep - 1, 0);
    syscall(SYS_close_range, keep + 1, ~0U, 0);
#endif
}

static _Noreturn void be_the_process(const char *name, void (*run)(int socket), int socket)
{
    /* Ctrl-C is for the daemon, whose end is the end of this. */
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    prctl(PR_SET_NAME, name, 0, 0, 0);
    leave_descriptors(socket);
    run(socket);
    _exit(0);
}

static gboolean start(const char *name, void (*run)(int socket), int *fd)
{
    int fds[2], errsv;
    pid_t child;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0)
        return FALSE;
    child = fork();
    errsv = errno;
    if (child == 0)
        be_the_process(name, run, fds[1]);
    close(fds[1]);
    if (child > 0)
        *fd = fds[0];
    else
        close(fds[0]);
    errno = errsv;
    return child > 0;
}

gboolean sandbox_start_process(const char *name, void (*run)(int socket), int *fd, GError **error)
{
    int errsv;

    if (!culvert_sandbox_is_wanted() || start(name, run, fd))
        return TRUE;
    errsv = errno;
    g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errsv),
                _("Cannot start the process “%s”: %s"), name, g_strerror(errsv));
    return FALSE;
}
