/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * netns-process.c: the process that enters namespaces. It has CAP_SYS_ADMIN for that, and hears the
 * daemon alone.
 */
#include "config.h"

#include "culvert-netns.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netns-private.h"
#include "sandbox-message.h"
#include "sandbox-private.h"

static int make_socket(int netns, const NetnsQuestion *question)
{
    if (netns < 0) {
        errno = EBADF;
        return -1;
    }
    if (setns(netns, CLONE_NEWNET) != 0)
        return -1;
    return socket(question->domain, question->type, question->protocol);
}

static gboolean confine(GError **error)
{
    static const int keep[] = {CAP_SYS_ADMIN, -1};

    return sandbox_keep_capabilities(keep, error) && sandbox_hide(error) &&
           sandbox_restrict_files(SANDBOX_NETNS, error) &&
           sandbox_restrict_calls(SANDBOX_NETNS, error);
}

static void run(int socket)
{
    g_autoptr(GError) error = NULL;
    NetnsQuestion question;
    int fds[SANDBOX_MESSAGE_FDS_MAX];
    guint n_fds;

    if (!confine(&error)) {
        g_warning("%s", error->message);
        return;
    }
    while (sandbox_message_receive(socket, &question, sizeof question, fds, &n_fds)) {
        int fd = make_socket(n_fds > 0 ? fds[0] : -1, &question);
        const NetnsAnswer answer = {errno};

        sandbox_message_send(socket, &answer, sizeof answer, &fd, fd >= 0, 0);
        if (fd >= 0)
            close(fd);
        for (guint i = 0; i < n_fds; i++)
            close(fds[i]);
    }
}

gboolean culvert_netns_start(GError **error)
{
    return sandbox_start_process("culvert-netns", run, &netns_process_fd, error);
}
