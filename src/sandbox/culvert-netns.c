/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-netns.c: asks the process that may enter namespaces, or, in one that is not confined, a
 * thread of its own: a socket belongs to the namespace of the thread that makes it.
 */
#include "config.h"

#include "culvert-netns.h"

#include <errno.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netns-private.h"
#include "sandbox-message.h"

/* Of the process; -1: there is none. Written before there is a second thread. */
int netns_process_fd = -1;

/* ---- Here ----------------------------------------------------------------------------------- */

typedef struct {
    int netns;
    NetnsQuestion question;
    int fd;
    int errsv;
} Elsewhere;

static gpointer make_elsewhere(gpointer data)
{
    Elsewhere *there = data;

    if (setns(there->netns, CLONE_NEWNET) == 0)
        there->fd = socket(there->question.domain, there->question.type, there->question.protocol);
    there->errsv = errno;
    return NULL;
}

static int socket_by_thread(int netns, const NetnsQuestion *question)
{
    Elsewhere there = {.netns = netns, .question = *question, .fd = -1};

    g_thread_join(g_thread_new("netns", make_elsewhere, &there));
    errno = there.errsv;
    return there.fd;
}

/* ---- By the process ------------------------------------------------------------------------- */

static int socket_by_process(int netns, const NetnsQuestion *question)
{
    NetnsAnswer answer = {.errsv = EPIPE};
    int fds[SANDBOX_MESSAGE_FDS_MAX];
    guint n_fds = 0;

    if (sandbox_message_send(netns_process_fd, question, sizeof *question, &netns, 1, 0) &&
        sandbox_message_receive(netns_process_fd, &answer, sizeof answer, fds, &n_fds) &&
        n_fds == 1)
        return fds[0];
    for (guint i = 0; i < n_fds; i++)
        close(fds[i]);
    errno = answer.errsv;
    return -1;
}

int culvert_netns_socket(int netns, int domain, int type, int protocol)
{
    const NetnsQuestion question = {domain, type, protocol};

    return netns_process_fd >= 0 ? socket_by_process(netns, &question)
                                 : socket_by_thread(netns, &question);
}
