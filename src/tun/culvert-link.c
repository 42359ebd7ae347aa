/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-link.c: link messages of one interface and of the one above it, and a question for their
 * present state at the start, whenever messages were lost, and in another network namespace after a
 * move there. The kernel tells of a move as of a removal.
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

/* Which question an error is the answer to. */
#define ASKED_FOR_IT     1
#define ASKED_FOR_MASTER 2

struct _CulvertLink {
    CulvertTun *tun;
    int fd;
    GSource *source;
    gboolean follows;
    CulvertLinkFunc func;
    gpointer user_data;
    CulvertLinkState state;
    gboolean told; /* `func` has been called */
    int master;    /* the interface above it; 0: none */
    gboolean lost; /* some message, for want of room */
    gboolean left; /* the interface is not in the namespace that `fd` watches */
};

static gboolean ask(CulvertLink *link, int ifindex, guint32 what)
{
    struct {
        struct nlmsghdr header;
        struct ifinfomsg info;
    } request = {
        .header = {.nlmsg_len = sizeof request,
                   .nlmsg_type = RTM_GETLINK,
                   .nlmsg_flags = NLM_F_REQUEST,
                   .nlmsg_seq = what},
        .info = {.ifi_index = ifindex},
    };

    return send(link->fd, &request, sizeof request, 0) == sizeof request;
}

static gboolean ask_for_it(CulvertLink *link)
{
    return ask(link, culvert_tun_get_ifindex(link->tun), ASKED_FOR_IT);
}

static gboolean ask_for_master(CulvertLink *link)
{
    return link->master == 0 || ask(link, link->master, ASKED_FOR_MASTER);
}

static gboolean same_state(const CulvertLinkState *a, const CulvertLinkState *b)
{
    return a->exists == b->exists && a->up == b->up && a->mtu == b->mtu &&
           memcmp(a->mac, b->mac, sizeof a->mac) == 0 &&
           memcmp(a->bridge_mac, b->bridge_mac, sizeof a->bridge_mac) == 0;
}

static void tell(CulvertLink *link, CulvertLinkState state)
{
    if (link->told && same_state(&state, &link->state))
        return;
    link->told = TRUE;
    link->state = state;
    link->func(&link->state, link->user_data);
}

/* Of that size, into `value`, which stays as it is if there is none. */
static void find_attribute(struct nlmsghdr *header, guint16 type, gpointer value, gsize size)
{
    struct ifinfomsg *info = NLMSG_DATA(header);
    int len = (int) IFLA_PAYLOAD(header);

    for (struct rtattr *attr = IFLA_RTA(info); RTA_OK(attr, len); attr = RTA_NEXT(attr, len)) {
        if (attr->rta_type == type && RTA_PAYLOAD(attr) == size)
            memcpy(value, RTA_DATA(attr), size);
    }
}

static void take_state(CulvertLink *link, struct nlmsghdr *header)
{
    const struct ifinfomsg *info = NLMSG_DATA(header);
    CulvertLinkState state = {.exists = TRUE, .up = (info->ifi_flags & IFF_UP) != 0};
    int master = 0;

    find_attribute(header, IFLA_MTU, &state.mtu, sizeof state.mtu);
    find_attribute(header, IFLA_ADDRESS, state.mac, sizeof state.mac);
    find_attribute(header, IFLA_MASTER, &master, sizeof master);
    if (master == link->master)
        memcpy(state.bridge_mac, link->state.bridge_mac, sizeof state.bridge_mac);
    tell(link, state);
    if (master == link->master)
        return;
    link->master = master;
    link->lost |= !ask_for_master(link);
}

static void take_master(CulvertLink *link, struct nlmsghdr *header)
{
    CulvertLinkState state = link->state;

    find_attribute(header, IFLA_ADDRESS, state.bridge_mac, sizeof state.bridge_mac);
    tell(link, state);
}

static void take_message(CulvertLink *link, struct nlmsghdr *header)
{
    const struct ifinfomsg *info = NLMSG_DATA(header);
    gboolean is_it;

    if (header->nlmsg_type == NLMSG_ERROR) {
        /* All we ask for is interfaces that may be gone by now. */
        link->left |= header->nlmsg_seq == ASKED_FOR_IT;
        return;
    }
    /* A bridge has messages of its own of its ports: of the family AF_BRIDGE. */
    if ((header->nlmsg_type != RTM_NEWLINK && header->nlmsg_type != RTM_DELLINK) ||
        header->nlmsg_len < NLMSG_LENGTH(sizeof *info) || info->ifi_family != AF_UNSPEC)
        return;
    is_it = info->ifi_index == culvert_tun_get_ifindex(link->tun);
    if (header->nlmsg_type == RTM_DELLINK)
        link->left |= is_it;
    else if (is_it)
        take_state(link, header);
    else if (info->ifi_index == link->master)
        take_master(link, header);
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

    link->master = 0;
    return link->fd >= 0 && bind(link->fd, (struct sockaddr *) &address, sizeof address) == 0 &&
           ask_for_it(link);
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
    CulvertLinkState state;
    int errsv;

    link->left = FALSE;
    stop_watching(link);
    if (link->follows && watch_elsewhere(link))
        return;
    errsv = errno;
    stop_watching(link);
    if (!link->follows || !culvert_tun_exists(link->tun)) {
        tell(link, (CulvertLinkState){.exists = FALSE});
        return;
    }
    g_message("“%s” is in a network namespace that cannot be watched, and is taken to be up: %s",
              culvert_tun_get_name(link->tun), g_strerror(errsv));
    state = link->state;
    state.exists = state.up = TRUE;
    tell(link, state);
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
        link->lost = !ask_for_it(link) || !ask_for_master(link);
    return G_SOURCE_CONTINUE;
}

static void watch(CulvertLink *link)
{
    link->source = g_unix_fd_source_new(link->fd, G_IO_IN);
    g_source_set_callback(link->source, G_SOURCE_FUNC(messages_ready), link, NULL);
    g_source_attach(link->source, g_main_context_get_thread_default());
}

CulvertLink *culvert_link_watch(CulvertTun *tun, gboolean follows, CulvertLinkFunc func,
                                gpointer user_data, GError **error)
{
    g_autoptr(CulvertLink) link = g_new0(CulvertLink, 1);

    link->tun = tun;
    link->follows = follows;
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
