/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tunnel-forwarding.c: how much of a stream the kernel hands over as one packet.
 *
 * At most 64 KiB, which at the usual MTU are 47 segments, of which one send takes 45: UDP's payload
 * ends before that. The other two have to wait for what comes next, at this end and, as less was
 * joined, at the other. TCP of this machine can be told to make packets that fit
 * (IFLA_GSO_MAX_SIZE, "gso_max_size" in ip-link(8)). What is forwarded for others was joined before
 * and cannot: what is longer than the bound the kernel cuts into single segments, which costs more
 * than it ever saves.
 *
 * So there is a bound only while nothing here forwards ("forwarding" in the kernel's
 * Documentation/networking/ip-sysctl.rst; told by RTM_NEWNETCONF, linux/netconf.h), and none for a
 * TAP device, which may be a bridge's. A device that is moved to another network namespace keeps
 * what it had: a confined daemon may not change it there.
 */
#include "tunnel-private.h"

#include <errno.h>
#include <glib-unix.h>
#include <linux/if_link.h>
#include <linux/netconf.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Changes of forwarding; of links for a device that leaves the namespace. */
#define GROUP(number) (1u << ((number) -1))
#define GROUPS        (GROUP(RTNLGRP_IPV4_NETCONF) | GROUP(RTNLGRP_IPV6_NETCONF) | RTMGRP_LINK)

/* A device without a bound has this one (GSO_LEGACY_MAX_SIZE of include/linux/netdevice.h). */
#define UNBOUNDED 65536

/* What TCP takes off the bound for headers, whatever they are in truth: MAX_TCP_HEADER + 1
 * (sk_setup_caps() of net/core/sock.c; include/net/tcp.h). */
#define KERNEL_HEADERS 321

/* Those that a segment has, mostly: IPv4, and TCP with time stamps. With fewer or more there are as
 * many segments, or one fewer. */
#define SEGMENT_HEADERS (20 + 32)

/* Of the kernel's questions and orders. */
enum {
    SERIAL_ORDER = 1,
    SERIAL_IPV4,
    SERIAL_IPV6,
};

struct _TunnelForwarding {
    CulvertTunnel *tunnel;
    int fd; /* -1: nothing is known any more */
    GSource *source;
    guint32 asking;    /* the question that is being answered; 0: none */
    gboolean found;    /* an interface that forwards, in the answers so far */
    gboolean again;    /* something has changed, or messages were lost, meanwhile */
    gboolean left;     /* the device is not in this namespace any more */
    gboolean forwards; /* some interface does, as far as is known */
    guint bound;       /* that the device was given; 0: none yet */
    int ifindex;       /* the device's */
    guint mtu;         /* the device's; 0: there is none yet */
};

/* ---- The bound ------------------------------------------------------------------------------ */

/* What one send takes of a stream, in bytes as the kernel counts them. */
static guint find_bound(guint mtu)
{
    guint segments = TUNNEL_RUN_BYTES_MAX / (mtu + WG_DATA_OVERHEAD);

    segments = MIN(segments, TUNNEL_RUN_DATAGRAMS_MAX);
    if (segments < 2 || mtu <= SEGMENT_HEADERS)
        return UNBOUNDED;
    return MIN(segments * (mtu - SEGMENT_HEADERS) + KERNEL_HEADERS, UNBOUNDED);
}

static gboolean set_bound(TunnelForwarding *self, guint32 bound)
{
    struct {
        struct nlmsghdr header;
        struct ifinfomsg info;
        struct rtattr attribute;
        guint32 value;
    } order = {
        .header = {.nlmsg_len = sizeof order,
                   .nlmsg_type = RTM_NEWLINK,
                   .nlmsg_flags = NLM_F_REQUEST,
                   .nlmsg_seq = SERIAL_ORDER},
        .info = {.ifi_index = self->ifindex},
        .attribute = {.rta_len = RTA_LENGTH(sizeof order.value), .rta_type = IFLA_GSO_MAX_SIZE},
        .value = bound,
    };

    return send(self->fd, &order, sizeof order, 0) == sizeof order;
}

static void apply(TunnelForwarding *self)
{
    CulvertTun *tun = culvert_tunnel_get_tun(self->tunnel);
    guint bound = self->forwards ? UNBOUNDED : find_bound(self->mtu);

    if (!tun || culvert_tun_is_tap(tun) || self->mtu == 0 || self->fd < 0 || bound == self->bound)
        return;
    if (!set_bound(self, bound)) {
        g_debug("Cannot set how much of a stream “%s” hands over: %s", culvert_tun_get_name(tun),
                g_strerror(errno));
        return;
    }
    self->bound = bound;
    g_debug("“%s” is to hand over %u bytes of a stream at once: this machine %s",
            culvert_tun_get_name(tun), bound, self->forwards ? "forwards" : "does not forward");
}

/* ---- Whether anything forwards -------------------------------------------------------------- */

/* -1: the message does not say. */
static int read_forwarding(const struct nlmsghdr *header)
{
    const struct netconfmsg *netconf = NLMSG_DATA(header);
    int len = (int) NLMSG_PAYLOAD(header, sizeof *netconf);
    gint32 value = -1;

    for (struct rtattr *a = (struct rtattr *) ((guint8 *) netconf + NLMSG_ALIGN(sizeof *netconf));
         RTA_OK(a, len); a = RTA_NEXT(a, len)) {
        if (a->rta_type == NETCONFA_FORWARDING && RTA_PAYLOAD(a) == sizeof value)
            memcpy(&value, RTA_DATA(a), sizeof value);
    }
    return value;
}

static gboolean ask(TunnelForwarding *self, guint32 serial)
{
    struct {
        struct nlmsghdr header;
        struct netconfmsg netconf;
    } question = {
        .header = {.nlmsg_len = NLMSG_LENGTH(sizeof question.netconf),
                   .nlmsg_type = RTM_GETNETCONF,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
                   .nlmsg_seq = serial},
        .netconf = {.ncm_family = serial == SERIAL_IPV4 ? AF_INET : AF_INET6},
    };

    self->asking = serial;
    return send(self->fd, &question, question.header.nlmsg_len, 0) >= 0;
}

static void ask_all(TunnelForwarding *self)
{
    self->found = FALSE;
    self->again = FALSE;
    if (!ask(self, SERIAL_IPV4))
        self->asking = 0; /* what has been known stays */
}

/* Of a kernel without IPv6, an error is the end of its answer. */
static void take_end(TunnelForwarding *self)
{
    if (self->asking == SERIAL_IPV4 && ask(self, SERIAL_IPV6))
        return;
    self->asking = 0;
    self->forwards = self->found;
    apply(self);
}

static void take_netconf(TunnelForwarding *self, const struct nlmsghdr *header)
{
    int forwarding = read_forwarding(header);

    if (forwarding > 0) {
        self->found = TRUE;
        self->forwards = TRUE;
        apply(self);
    } else if (forwarding == 0 && header->nlmsg_seq == 0 && self->forwards) {
        self->again = TRUE; /* one interface does not any more: does another? */
    }
}

static void take_link(TunnelForwarding *self, const struct nlmsghdr *header)
{
    const struct ifinfomsg *info = NLMSG_DATA(header);

    if (self->mtu == 0 || info->ifi_index != self->ifindex)
        return;
    if (header->nlmsg_type == RTM_DELLINK)
        self->left = TRUE;
    else
        tunnel_forwarding_check_device(self);
}

/* No answer is a good one. */
static void take_error(TunnelForwarding *self, const struct nlmsghdr *header)
{
    const struct nlmsgerr *error = NLMSG_DATA(header);

    if (header->nlmsg_seq == SERIAL_ORDER)
        g_debug("The kernel does not set how much of a stream is handed over: %s",
                g_strerror(-error->error));
    else if (self->asking != 0 && header->nlmsg_seq == self->asking)
        take_end(self);
}

static void take_message(TunnelForwarding *self, const struct nlmsghdr *header)
{
    switch (header->nlmsg_type) {
    case RTM_NEWNETCONF:
        take_netconf(self, header);
        break;
    case RTM_NEWLINK:
    case RTM_DELLINK:
        take_link(self, header);
        break;
    case NLMSG_ERROR:
        take_error(self, header);
        break;
    case NLMSG_DONE:
        if (self->asking != 0 && header->nlmsg_seq == self->asking)
            take_end(self);
        break;
    default:
        break;
    }
}

/* One read; FALSE: nothing is left. */
static gboolean read_messages(TunnelForwarding *self)
{
    TunnelNetlinkBuffer buffer;
    gssize n = recv(self->fd, &buffer, sizeof buffer, MSG_DONTWAIT);
    int len = (int) n;

    if (n < 0) {
        self->again |= errno == ENOBUFS;
        return errno == ENOBUFS || errno == EINTR;
    }
    for (struct nlmsghdr *header = &buffer.header; NLMSG_OK(header, len);
         header = NLMSG_NEXT(header, len))
        take_message(self, header);
    return TRUE;
}

/* ---- Watching ------------------------------------------------------------------------------- */

static void unwatch(TunnelForwarding *self)
{
    if (self->source)
        g_source_destroy(self->source);
    g_clear_pointer(&self->source, g_source_unref);
    if (self->fd >= 0)
        close(self->fd);
    self->fd = -1;
}

static gboolean ready(int fd, GIOCondition condition, gpointer data)
{
    TunnelForwarding *self = data;

    while (!self->left && read_messages(self))
        ;
    if (self->left)
        unwatch(self);
    else if (self->again && self->asking == 0)
        ask_all(self);
    return G_SOURCE_CONTINUE;
}

static void watch(TunnelForwarding *self)
{
    self->fd = tunnel_open_netlink(GROUPS);
    if (self->fd < 0) {
        g_debug("Cannot watch whether this machine forwards: %s", g_strerror(errno));
        return;
    }
    self->source = g_unix_fd_source_new(self->fd, G_IO_IN);
    g_source_set_callback(self->source, G_SOURCE_FUNC(ready), self, NULL);
    g_source_attach(self->source, self->tunnel->context);
    ask_all(self);
}

void tunnel_forwarding_check_device(TunnelForwarding *self)
{
    CulvertTun *tun = culvert_tunnel_get_tun(self->tunnel);
    guint mtu = tun ? culvert_tun_get_mtu(tun) : 0;

    if (mtu == 0)
        return;
    if (self->mtu == 0)
        self->ifindex = culvert_tun_get_ifindex(tun);
    self->mtu = mtu;
    apply(self);
}

TunnelForwarding *tunnel_forwarding_new(CulvertTunnel *tunnel)
{
    TunnelForwarding *self = g_new0(TunnelForwarding, 1);

    self->tunnel = tunnel;
    self->forwards = TRUE; /* until it is known */
    watch(self);
    return self;
}

void tunnel_forwarding_free(TunnelForwarding *self)
{
    if (!self)
        return;
    unwatch(self);
    g_free(self);
}
