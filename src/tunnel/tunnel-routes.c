/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tunnel-routes.c: what changes of the machine's routes mean to a tunnel.
 *
 * A datagram leaves from the local address that its peer last spoke to. The kernel's WireGuard
 * gives that address up when the route to the peer leads through another interface now
 * (drivers/net/wireguard/socket.c, send4; for IPv4 alone). It asks at each packet; we ask when
 * routes or rules have changed. And it never pads beyond the MTU of a packet's route: we remember
 * the MTUs of routes into the tunnel.
 */
#include "tunnel-private.h"

#include <errno.h>
#include <glib-unix.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* A look at all peers' routes takes a few microseconds each. Between two of them this many times
 * what the last one took has to pass, so that flapping routes cost little. */
#define REST 20

/* The kernel answers at once; this is for the case that it does not. */
#define ANSWER_SECONDS 1

struct _TunnelRoutes {
    CulvertTunnel *tunnel;
    int news_fd; /* is told of changes */
    int ask_fd;
    guint32 serial; /* of the last question */
    GSource *news_source;
    GSource *check_source;
    gint64 rest_until;
};

/* ---- Asking for a route --------------------------------------------------------------------- */

static void add_attribute(struct nlmsghdr *header, guint16 type, guint32 value)
{
    struct rtattr *attribute =
        (struct rtattr *) ((guint8 *) header + NLMSG_ALIGN(header->nlmsg_len));

    attribute->rta_type = type;
    attribute->rta_len = RTA_LENGTH(sizeof value);
    memcpy(RTA_DATA(attribute), &value, sizeof value);
    header->nlmsg_len = NLMSG_ALIGN(header->nlmsg_len) + RTA_LENGTH(sizeof value);
}

static gboolean ask(TunnelRoutes *self, const WgEndpoint *endpoint)
{
    struct {
        struct nlmsghdr header;
        struct rtmsg route;
        guint8 attributes[3 * RTA_SPACE(sizeof(guint32))];
    } question = {
        .header = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct rtmsg)),
                   .nlmsg_type = RTM_GETROUTE,
                   .nlmsg_flags = NLM_F_REQUEST,
                   .nlmsg_seq = ++self->serial},
        .route = {.rtm_family = AF_INET, .rtm_dst_len = 32, .rtm_src_len = 32},
    };

    add_attribute(&question.header, RTA_DST, endpoint->remote.in4.sin_addr.s_addr);
    add_attribute(&question.header, RTA_SRC, endpoint->local.in4.s_addr);
    add_attribute(&question.header, RTA_MARK, culvert_tunnel_get_fwmark(self->tunnel));
    return send(self->ask_fd, &question, question.header.nlmsg_len, 0) >= 0;
}

static guint32 get_attribute(const struct nlmsghdr *header, guint16 type)
{
    const struct rtmsg *route = NLMSG_DATA(header);
    int len = (int) RTM_PAYLOAD(header);
    guint32 value = 0;

    for (struct rtattr *a = RTM_RTA(route); RTA_OK(a, len); a = RTA_NEXT(a, len)) {
        if (a->rta_type == type && RTA_PAYLOAD(a) >= sizeof value)
            memcpy(&value, RTA_DATA(a), sizeof value);
    }
    return value;
}

/* The answer's interface; 0 for none; `fallback` if there is no clear answer. */
static int read_answer(const TunnelRoutes *self, const struct nlmsghdr *header, int fallback)
{
    if (header->nlmsg_type == RTM_NEWROUTE)
        return (int) get_attribute(header, RTA_OIF);
    if (header->nlmsg_type == NLMSG_ERROR) {
        const struct nlmsgerr *error = NLMSG_DATA(header);

        /* The address is not this machine's any more. Other errors are the network's, and may be
         * over when the next packet comes. */
        return error->error == -EINVAL ? 0 : fallback;
    }
    return fallback;
}

static int find_interface(TunnelRoutes *self, const WgEndpoint *endpoint)
{
    TunnelNetlinkBuffer buffer;
    gssize n;

    if (!ask(self, endpoint))
        return endpoint->local_ifindex;
    do
        n = recv(self->ask_fd, &buffer, sizeof buffer, 0);
    while ((n < 0 && errno == EINTR) ||
           (n >= (gssize) sizeof buffer.header && buffer.header.nlmsg_seq != self->serial));
    if (n < 0 || !NLMSG_OK(&buffer.header, n))
        return endpoint->local_ifindex;
    return read_answer(self, &buffer.header, endpoint->local_ifindex);
}

/* ---- After a change ------------------------------------------------------------------------- */

static void check_peer(TunnelRoutes *self, WgPeer *peer)
{
    WgEndpoint endpoint;

    wg_peer_get_endpoint(peer, &endpoint);
    if (endpoint.remote.any.sa_family != AF_INET || endpoint.local_ifindex == 0)
        return;
    if (find_interface(self, &endpoint) != endpoint.local_ifindex)
        wg_peer_forget_local_address(peer, &endpoint);
}

static gboolean check(gpointer data)
{
    TunnelRoutes *self = data;
    GPtrArray *peers = wg_device_get_peers(culvert_tunnel_get_device(self->tunnel));
    gint64 start = g_get_monotonic_time(), end;

    g_source_set_ready_time(self->check_source, -1);
    for (guint i = 0; i < peers->len; i++)
        check_peer(self, g_ptr_array_index(peers, i));
    tunnel_detours_update(self->tunnel->detours, self->tunnel);
    end = g_get_monotonic_time();
    self->rest_until = end + (end - start) * REST;
    return G_SOURCE_CONTINUE;
}

static guint32 route_mtu(const struct nlmsghdr *header)
{
    const struct rtmsg *route = NLMSG_DATA(header);
    int len = (int) RTM_PAYLOAD(header);
    guint32 mtu = 0;

    for (struct rtattr *a = RTM_RTA(route); RTA_OK(a, len); a = RTA_NEXT(a, len)) {
        int inner_len = (int) RTA_PAYLOAD(a);

        if (a->rta_type != RTA_METRICS)
            continue;
        for (struct rtattr *metric = RTA_DATA(a); RTA_OK(metric, inner_len);
             metric = RTA_NEXT(metric, inner_len)) {
            if (metric->rta_type == RTAX_MTU && RTA_PAYLOAD(metric) >= sizeof mtu)
                memcpy(&mtu, RTA_DATA(metric), sizeof mtu);
        }
    }
    return mtu;
}

/* Of a route into the tunnel. That routes go, too, is not looked at: a bound too many costs a few
 * bytes of padding. */
static void remember_mtu(TunnelRoutes *self, const struct nlmsghdr *header)
{
    CulvertTun *tun = culvert_tunnel_get_tun(self->tunnel);
    guint32 mtu;

    if (!tun || header->nlmsg_type != RTM_NEWROUTE ||
        get_attribute(header, RTA_OIF) != (guint32) culvert_tun_get_ifindex(tun))
        return;
    mtu = route_mtu(header);
    if (mtu > 0)
        wg_device_add_route_mtu(culvert_tunnel_get_device(self->tunnel),
                                mtu + culvert_tunnel_get_overhead(self->tunnel));
}

static gboolean read_news(int fd, GIOCondition condition, gpointer data)
{
    TunnelRoutes *self = data;
    TunnelNetlinkBuffer buffer;
    gssize n;

    while ((n = recv(fd, &buffer, sizeof buffer, MSG_DONTWAIT)) > 0) {
        int len = (int) n;

        for (struct nlmsghdr *header = &buffer.header; NLMSG_OK(header, len);
             header = NLMSG_NEXT(header, len))
            remember_mtu(self, header);
    }
    /* Also if some were lost (ENOBUFS). */
    g_source_set_ready_time(self->check_source, self->rest_until);
    return G_SOURCE_CONTINUE;
}

/* ---- Life ----------------------------------------------------------------------------------- */

int tunnel_open_netlink(guint32 groups)
{
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = groups};
    struct timeval patience = {.tv_sec = ANSWER_SECONDS};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

    if (fd >= 0 && bind(fd, (struct sockaddr *) &address, sizeof address) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static gboolean dispatch_check(GSource *source, GSourceFunc callback, gpointer data)
{
    return callback(data);
}

static GSourceFuncs check_funcs = {.dispatch = dispatch_check};

TunnelRoutes *tunnel_routes_new(CulvertTunnel *tunnel)
{
    TunnelRoutes *self = g_new0(TunnelRoutes, 1);

    self->tunnel = tunnel;
    self->ask_fd = tunnel_open_netlink(0);
    self->news_fd = tunnel_open_netlink(RTMGRP_IPV4_ROUTE | RTMGRP_IPV4_RULE | RTMGRP_IPV6_ROUTE);
    if (self->ask_fd < 0 || self->news_fd < 0) {
        g_info("Cannot watch the routes (%s): a peer's first packet after a change of them may "
               "have to tell us of it",
               g_strerror(errno));
        tunnel_routes_free(self);
        return NULL;
    }
    self->news_source = g_unix_fd_source_new(self->news_fd, G_IO_IN);
    g_source_set_callback(self->news_source, G_SOURCE_FUNC(read_news), self, NULL);
    g_source_attach(self->news_source, tunnel->context);
    self->check_source = g_source_new(&check_funcs, sizeof(GSource));
    g_source_set_callback(self->check_source, check, self, NULL);
    g_source_attach(self->check_source, tunnel->context);
    return self;
}

static void destroy_source(GSource *source)
{
    g_source_destroy(source);
    g_source_unref(source);
}

void tunnel_routes_free(TunnelRoutes *self)
{
    if (!self)
        return;
    g_clear_pointer(&self->news_source, destroy_source);
    g_clear_pointer(&self->check_source, destroy_source);
    if (self->ask_fd >= 0)
        close(self->ask_fd);
    if (self->news_fd >= 0)
        close(self->news_fd);
    g_free(self);
}
