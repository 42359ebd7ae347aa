/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-link.c: link messages of one interface, and a question for its present state at the
 * start, whenever messages were lost, and in another network namespace after a move there. The
 * kernel tells of a move as of a removal.
 */
#include "config.h"

#include "culvert-link.h"

#include <errno.h>
#include <gio/gio.h>
#include <glib-unix.h>
#include <glib/gi18n-lib.h>
#include <linux/if.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A link message of an interface with many attributes has two or three kilobytes; the kernel
 * itself never sends more than this at once (rtnetlink.c, NLMSG_GOODSIZE). */
#define MESSAGE_MAX 32768

struct _CulvertLink {
    CulvertTun *tun;
    int fd;
    GSource *source;
    CulvertLinkFunc func;
    gpointer user_data;
    CulvertLinkState state;
    gboolean told; /* `func` has been called */
    gboolean lost; /* some message, for want of room */
    gboolean left; /* the interface is not in the namespace that `fd` watches */
};

static gboolean ask(CulvertLink *link)
{
    struct {
        struct nlmsghdr header;
        struct ifinfomsg info;
    } request = {
        .header = {.nlmsg_len = sizeof request,
                   .nlmsg_type = RTM_GETLINK,
                   .nlmsg_flags = NLM_F_REQUEST},
        .info = {.ifi_index = culvert_tun_get_ifindex(link->tun)},
    };

    return send(link->fd, &request, sizeof request, 0) == sizeof request;
}

static void tell(CulvertLink *link, CulvertLinkState state)
{
    if (link->told && state.exists == link->state.exists && state.up == link->state.up &&
        state.mtu == link->state.mtu)
        return;
    link->told = TRUE;
    link->state = state;
    link->func(&link->state, link->user_data);
}

static guint find_mtu(struct nlmsghdr *header)
{
    struct ifinfomsg *info = NLMSG_DATA(header);
    int len = (int) IFLA_PAYLOAD(header);
    guint mtu = 0;

    for (struct rtattr *attr = IFLA_RTA(info); RTA_OK(attr, len); attr = RTA_NEXT(attr, len)) {
        if (attr->rta_type == IFLA_MTU && RTA_PAYLOAD(attr) == sizeof mtu)
            memcpy(&mtu, RTA_DATA(attr), sizeof mtu);
    }
    return mtu;
}

static void take_message(CulvertLink *link, struct nlmsghdr *header)
{
    const struct ifinfomsg *info = NLMSG_DATA(header);

    if (header->nlmsg_type == NLMSG_ERROR) {
        /* The only question we ask is for an interface that may be gone by now. */
        link->left = TRUE;
        return;
    }
    if ((header->nlmsg_type != RTM_NEWLINK && header->nlmsg_type != RTM_DELLINK) ||
        header->nlmsg_len < NLMSG_LENGTH(sizeof *info) ||
        info->ifi_index != culvert_tun_get_ifindex(link->tun))
        return;
    if (header->nlmsg_type == RTM_DELLINK)
        link->left = TRUE;
    else
        tell(link, (CulvertLinkState){.exists = TRUE,
                                      .up = (info->ifi_flags & IFF_UP) != 0,
                                      .mtu = find_mtu(header)});
}

/* One read; FALSE: nothing is left. */
static gboolean read_messages(CulvertLink *link)
{
    union {
        struct nlmsghdr header;
        guint8 bytes[MESSAGE_MAX];
    } buffer;
    gssize n = recv(link->fd, &buffer, sizeof buffer, MSG_DONTWAIT);
    int len = (int) n;

    if (n < 0) {
        link->lost |= errno == ENOBUFS;
        return errno == ENOBUFS || errno == EINTR;
    }
    for (struct nlmsghdr *header = &buffer.header; NLMSG_OK(header, len);
         header = NLMSG_NEXT(header, len))
        take_message(link, header);
    return TRUE;
}

static void watch(CulvertLink *link);

static void stop_watching(CulvertLink *link)
{
    if (link->source)
        g_source_destroy(link->source);
    g_clear_pointer(&link->source, g_source_unref);
    if (link->fd >= 0)
        close(link->fd);
    link->fd = -1;
}

static gboolean bind_and_ask(CulvertLink *link)
{
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};

    return link->fd >= 0 && bind(link->fd, (struct sockaddr *) &address, sizeof address) == 0 &&
           ask(link);
}

static gboolean watch_elsewhere(CulvertLink *link)
{
    if (!culvert_tun_follow(link->tun))
        return FALSE;
    link->fd =
        culvert_tun_open_socket(link->tun, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (!bind_and_ask(link))
        return FALSE;
    watch(link);
    return TRUE;
}

/* The interface is not where it was: gone, or elsewhere. */
static void follow(CulvertLink *link)
{
    int errsv;

    link->left = FALSE;
    stop_watching(link);
    if (watch_elsewhere(link))
        return;
    errsv = errno;
    stop_watching(link);
    if (!culvert_tun_exists(link->tun)) {
        tell(link, (CulvertLinkState){.exists = FALSE});
        return;
    }
    g_message("“%s” is in a network namespace that cannot be watched, and is taken to be up: %s",
              culvert_tun_get_name(link->tun), g_strerror(errsv));
    tell(link, (CulvertLinkState){.exists = TRUE, .up = TRUE, .mtu = link->state.mtu});
}

static gboolean messages_ready(int fd, GIOCondition condition, gpointer data)
{
    CulvertLink *link = data;

    while (!link->left && read_messages(link))
        ;
    if (link->left) {
        follow(link);
        return G_SOURCE_CONTINUE;
    }
    /* Only now: into a full queue the answer would not fit either. */
    if (link->lost)
        link->lost = !ask(link);
    return G_SOURCE_CONTINUE;
}

static void watch(CulvertLink *link)
{
    link->source = g_unix_fd_source_new(link->fd, G_IO_IN);
    g_source_set_callback(link->source, G_SOURCE_FUNC(messages_ready), link, NULL);
    g_source_attach(link->source, g_main_context_get_thread_default());
}

CulvertLink *culvert_link_watch(CulvertTun *tun, CulvertLinkFunc func, gpointer user_data,
                                GError **error)
{
    g_autoptr(CulvertLink) link = g_new0(CulvertLink, 1);

    link->tun = tun;
    link->func = func;
    link->user_data = user_data;
    link->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (!bind_and_ask(link)) {
        int errsv = errno;

        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errsv),
                    _("Cannot watch the network interface “%s”: %s"), culvert_tun_get_name(tun),
                    g_strerror(errsv));
        return NULL;
    }
    watch(link);
    return g_steal_pointer(&link);
}

void culvert_link_free(CulvertLink *link)
{
    if (!link)
        return;
    stop_watching(link);
    g_free(link);
}
