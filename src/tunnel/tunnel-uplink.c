/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tunnel-uplink.c: the way to a peer beside the tunnel, and when it becomes another one.
 *
 * The tunnel may be the machine's default route, and NetworkManager keeps an exception from it for
 * one address alone. What looks for the peer at another one has to leave through the interface
 * that the default route would be of without the tunnel. The kernel cannot be asked that question,
 * so we read its routes: those of the tables every packet looks into; whoever has rules for others
 * has a firewall mark, too.
 *
 * The way is another one when its interface, its router or an address of ours on that interface is:
 * GNetworkMonitor tells of none of these. It is looked at a moment after a change, as changes come
 * in flocks: NetworkManager removes and adds addresses and routes one by one.
 */
#include "config.h"

#include "tunnel-private.h"

#include <errno.h>
#include <glib-unix.h>
#include <ifaddrs.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tun/culvert-hash.h"

/* How long after the first of some changes. */
#define SETTLE_MS 200

#define ADDRESS_MAX 16

/* Before NetworkManager's own exception for the gateway, which has the metric of a link. */
#define LIMIT_METRIC 1

/* Says of a route of ours that the network, not the user, wants it; together with the metric,
 * whose it is. */
#define LIMIT_PROTOCOL RTPROT_REDIRECT

/* A route to an address. */
typedef struct {
    int ifindex; /* 0: there is none */
    int length;  /* of its prefix */
    guint32 metric;
    guint8 next_hop[ADDRESS_MAX];
} Route;

/* The best routes to an address, with and without the tunnel. */
typedef struct {
    int family;
    guint8 address[ADDRESS_MAX];
    int tun_ifindex;
    Route best;
    Route beside;
} Search;

struct _TunnelUplink {
    CulvertTunnel *tunnel;
    WgKey public_key;
    int fd;
    GSource *news_source;
    GSource *check_source; /* NULL: nothing has changed */
    guint32 fingerprint;   /* of the way; 0: there is none */
};

/* ---- Reading routes ------------------------------------------------------------------------- */

static gboolean covers(const guint8 *prefix, guint length, const guint8 *address)
{
    guint whole = length / 8;
    guint8 mask = (guint8) (0xff00 >> length % 8);

    return memcmp(prefix, address, whole) == 0 &&
           (length % 8 == 0 || ((prefix[whole] ^ address[whole]) & mask) == 0);
}

static gboolean is_better(const Route *a, const Route *b)
{
    if (b->ifindex == 0 || a->length != b->length)
        return b->ifindex == 0 || a->length > b->length;
    return a->metric < b->metric;
}

static void copy_address(guint8 out[ADDRESS_MAX], const struct rtattr *attribute)
{
    memcpy(out, RTA_DATA(attribute), MIN(RTA_PAYLOAD(attribute), ADDRESS_MAX));
}

/* The first of several ways; they are for one default route that is shared. */
static void read_multipath(Route *route, struct rtattr *attribute)
{
    struct rtnexthop *hop = RTA_DATA(attribute);
    int len;

    if (RTA_PAYLOAD(attribute) < sizeof *hop)
        return;
    route->ifindex = hop->rtnh_ifindex;
    len = MIN((int) RTA_PAYLOAD(attribute), hop->rtnh_len) - (int) sizeof *hop;
    for (struct rtattr *a = RTNH_DATA(hop); RTA_OK(a, len); a = RTA_NEXT(a, len)) {
        if (a->rta_type == RTA_GATEWAY)
            copy_address(route->next_hop, a);
    }
}

static guint32 read_number(const struct rtattr *attribute)
{
    guint32 number = 0;

    memcpy(&number, RTA_DATA(attribute), MIN(RTA_PAYLOAD(attribute), sizeof number));
    return number;
}

/* It repeats a way that was found, and must not hide that there is a better one by now. */
static gboolean is_limit(const struct rtmsg *message, const Route *route)
{
    return message->rtm_protocol == LIMIT_PROTOCOL && route->metric == LIMIT_METRIC;
}

static void read_route(Search *search, const struct nlmsghdr *header)
{
    const struct rtmsg *message = NLMSG_DATA(header);
    int len = (int) RTM_PAYLOAD(header);
    Route route = {.length = message->rtm_dst_len};
    guint8 prefix[ADDRESS_MAX] = {0};
    guint32 table = message->rtm_table;

    for (struct rtattr *a = RTM_RTA(message); RTA_OK(a, len); a = RTA_NEXT(a, len)) {
        if (a->rta_type == RTA_DST)
            copy_address(prefix, a);
        else if (a->rta_type == RTA_GATEWAY)
            copy_address(route.next_hop, a);
        else if (a->rta_type == RTA_OIF)
            route.ifindex = (int) read_number(a);
        else if (a->rta_type == RTA_PRIORITY)
            route.metric = read_number(a);
        else if (a->rta_type == RTA_TABLE)
            table = read_number(a);
        else if (a->rta_type == RTA_MULTIPATH)
            read_multipath(&route, a);
    }
    if ((message->rtm_type != RTN_UNICAST && message->rtm_type != RTN_LOCAL) ||
        message->rtm_flags & RTM_F_CLONED || table < RT_TABLE_DEFAULT || route.ifindex == 0 ||
        table > RT_TABLE_LOCAL || is_limit(message, &route) ||
        !covers(prefix, (guint) route.length, search->address))
        return;
    if (is_better(&route, &search->best))
        search->best = route;
    if (route.ifindex != search->tun_ifindex && is_better(&route, &search->beside))
        search->beside = route;
}

static gboolean ask_for_all(int fd, int family)
{
    struct {
        struct nlmsghdr header;
        struct rtmsg route;
    } question = {
        .header = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct rtmsg)),
                   .nlmsg_type = RTM_GETROUTE,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .route = {.rtm_family = (unsigned char) family},
    };

    return send(fd, &question, question.header.nlmsg_len, 0) >= 0;
}

/* FALSE: that was the last of them. */
static gboolean read_some(int fd, Search *search)
{
    TunnelNetlinkBuffer buffer;
    gssize n;
    int len;

    do
        n = recv(fd, &buffer, sizeof buffer, 0);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return FALSE;
    len = (int) n;
    for (struct nlmsghdr *header = &buffer.header; NLMSG_OK(header, len);
         header = NLMSG_NEXT(header, len)) {
        if (header->nlmsg_type != RTM_NEWROUTE)
            return FALSE;
        read_route(search, header);
    }
    return TRUE;
}

static void search_routes(Search *search)
{
    int fd = tunnel_open_netlink(0);

    if (fd < 0)
        return;
    if (ask_for_all(fd, search->family)) {
        while (read_some(fd, search))
            continue;
    }
    close(fd);
}

static void copy_destination(Search *search, const WgEndpoint *to)
{
    if (search->family == AF_INET6)
        memcpy(search->address, &to->remote.in6.sin6_addr, 16);
    else
        memcpy(search->address, &to->remote.in4.sin_addr, 4);
}

int tunnel_uplink_find(const WgEndpoint *to, int tun_ifindex)
{
    Search search = {.family = to->remote.any.sa_family, .tun_ifindex = tun_ifindex};

    copy_destination(&search, to);
    search_routes(&search);
    if (search.best.ifindex != tun_ifindex)
        return 0;
    return search.beside.ifindex == 0 ? -1 : search.beside.ifindex;
}

/* ---- A narrower way ------------------------------------------------------------------------- */

typedef union {
    struct {
        struct nlmsghdr header;
        struct rtmsg route;
    };
    guint8 bytes[256]; /* with room for all attributes */
} RouteRequest;

static void add_attribute(RouteRequest *request, guint16 type, gconstpointer data, gsize len)
{
    struct rtattr attribute = {.rta_len = (guint16) RTA_LENGTH(len), .rta_type = type};
    gsize end = NLMSG_ALIGN(request->header.nlmsg_len);

    memcpy(&request->bytes[end], &attribute, sizeof attribute);
    memcpy(&request->bytes[end + RTA_LENGTH(0)], data, len);
    request->header.nlmsg_len = (guint32) (end + RTA_SPACE(len));
}

/* The kernel's answer to a request. FALSE: there is none. */
static gboolean ask(struct nlmsghdr *request, TunnelNetlinkBuffer *answer)
{
    int fd = tunnel_open_netlink(0);
    gssize n = -1;

    if (fd < 0)
        return FALSE;
    if (send(fd, request, request->nlmsg_len, 0) >= 0)
        n = recv(fd, answer, sizeof *answer, 0);
    close(fd);
    return n > 0 && NLMSG_OK(&answer->header, n);
}

static gboolean is_done(struct nlmsghdr *request)
{
    TunnelNetlinkBuffer answer;

    return ask(request, &answer) && answer.header.nlmsg_type == NLMSG_ERROR &&
           ((const struct nlmsgerr *) NLMSG_DATA(&answer.header))->error == 0;
}

/* Where a packet without a mark would go, whatever rules there are; 0: nowhere. */
static int find_ordinary_interface(const Search *search)
{
    gsize size = wg_address_size(search->family);
    RouteRequest request = {
        .header = {.nlmsg_len = NLMSG_LENGTH(sizeof request.route),
                   .nlmsg_type = RTM_GETROUTE,
                   .nlmsg_flags = NLM_F_REQUEST},
        .route = {.rtm_family = (unsigned char) search->family,
                  .rtm_dst_len = (unsigned char) (8 * size)},
    };
    int ifindex = 0, len;
    TunnelNetlinkBuffer answer;

    add_attribute(&request, RTA_DST, search->address, size);
    if (!ask(&request.header, &answer) || answer.header.nlmsg_type != RTM_NEWROUTE)
        return 0;
    len = (int) RTM_PAYLOAD(&answer.header);
    for (struct rtattr *a = RTM_RTA(NLMSG_DATA(&answer.header)); RTA_OK(a, len);
         a = RTA_NEXT(a, len)) {
        if (a->rta_type == RTA_OIF)
            ifindex = (int) read_number(a);
    }
    return ifindex;
}

/* What tells a route of ours from others. */
static void begin_request(RouteRequest *request, const Search *search)
{
    gsize size = wg_address_size(search->family);

    request->header.nlmsg_len = NLMSG_LENGTH(sizeof request->route);
    request->route = (struct rtmsg){
        .rtm_family = (unsigned char) search->family,
        .rtm_dst_len = (unsigned char) (8 * size),
        .rtm_table = RT_TABLE_MAIN,
        .rtm_protocol = LIMIT_PROTOCOL,
    };
    add_attribute(request, RTA_DST, search->address, size);
    add_attribute(request, RTA_PRIORITY, &(guint32){LIMIT_METRIC}, sizeof(guint32));
}

static void add_way(RouteRequest *request, const Search *search)
{
    gsize size = wg_address_size(search->family);
    static const guint8 none[ADDRESS_MAX];

    request->route.rtm_scope = RT_SCOPE_UNIVERSE;
    request->route.rtm_type = RTN_UNICAST;
    add_attribute(request, RTA_OIF, &search->beside.ifindex, sizeof(int));
    if (memcmp(search->beside.next_hop, none, size) != 0)
        add_attribute(request, RTA_GATEWAY, search->beside.next_hop, size);
}

void tunnel_uplink_unlimit(const WgEndpoint *to)
{
    RouteRequest request = {
        .header = {.nlmsg_type = RTM_DELROUTE, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK}};
    Search search = {.family = to->remote.any.sa_family};

    copy_destination(&search, to);
    begin_request(&request, &search);
    is_done(&request.header); /* its interface may have taken it along */
}

gboolean tunnel_uplink_limit(const WgEndpoint *to, int tun_ifindex, guint mtu, guint seconds)
{
    Search search = {.family = to->remote.any.sa_family, .tun_ifindex = tun_ifindex};
    RouteRequest request = {
        .header = {.nlmsg_type = RTM_NEWROUTE,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE}};
    guint8 metrics[RTA_SPACE(sizeof(guint32))];
    struct rtattr *metric = (struct rtattr *) metrics;
    guint32 value = mtu;

    copy_destination(&search, to);
    /* An older one may lead elsewhere by now, and hides where ordinary packets would go. */
    tunnel_uplink_unlimit(to);
    search_routes(&search);
    if (search.beside.ifindex == 0 || find_ordinary_interface(&search) != search.beside.ifindex)
        return FALSE;
    begin_request(&request, &search);
    add_way(&request, &search);
    metric->rta_type = RTAX_MTU;
    metric->rta_len = (guint16) RTA_LENGTH(sizeof value);
    memcpy(RTA_DATA(metric), &value, sizeof value);
    add_attribute(&request, RTA_METRICS, metrics, sizeof metrics);
    value = seconds;
    add_attribute(&request, RTA_EXPIRES, &value, sizeof value);
    return is_done(&request.header);
}

/* ---- Watching ------------------------------------------------------------------------------- */

/* A sum, as the order of the addresses says nothing. */
static guint32 hash_addresses(int family, int ifindex)
{
    char name[IF_NAMESIZE];
    struct ifaddrs *list;
    guint32 sum = 0;

    if (!if_indextoname((unsigned int) ifindex, name) || getifaddrs(&list) != 0)
        return 0;
    for (const struct ifaddrs *a = list; a; a = a->ifa_next) {
        if (!a->ifa_addr || a->ifa_addr->sa_family != family || strcmp(a->ifa_name, name) != 0)
            continue;
        if (family == AF_INET)
            sum += culvert_hash(1, &((struct sockaddr_in *) a->ifa_addr)->sin_addr, 4);
        else
            sum += culvert_hash(1, &((struct sockaddr_in6 *) a->ifa_addr)->sin6_addr, 16);
    }
    freeifaddrs(list);
    return sum;
}

/* Of the other family than the endpoint's it is the default route: the peer may have a name, and an
 * address of that family. */
static Route find_way(const TunnelUplink *self, const WgEndpoint *to, int family)
{
    CulvertTun *tun = culvert_tunnel_get_tun(self->tunnel);
    Search search = {.family = family, .tun_ifindex = tun ? culvert_tun_get_ifindex(tun) : -1};

    if (to->remote.any.sa_family == family)
        copy_destination(&search, to);
    search_routes(&search);
    return search.beside;
}

static guint32 hash_way(const TunnelUplink *self, const WgEndpoint *to, int family)
{
    Route way = find_way(self, to, family);
    guint32 hash;

    if (way.ifindex == 0)
        return 0;
    hash = culvert_hash(1, &way.ifindex, sizeof way.ifindex);
    hash = culvert_hash(hash, way.next_hop, sizeof way.next_hop);
    return hash + hash_addresses(family, way.ifindex);
}

static gboolean find_endpoint(const TunnelUplink *self, WgEndpoint *endpoint)
{
    WgPeer *peer = wg_device_find_peer(self->tunnel->device, &self->public_key);

    if (peer)
        wg_peer_get_endpoint(peer, endpoint);
    return peer != NULL;
}

static guint32 take_fingerprint(TunnelUplink *self)
{
    WgEndpoint endpoint;

    if (!find_endpoint(self, &endpoint))
        return 0;
    return hash_way(self, &endpoint, AF_INET) + hash_way(self, &endpoint, AF_INET6);
}

guint tunnel_uplink_get_ifindex(const TunnelUplink *self)
{
    WgEndpoint endpoint;
    int ifindex, family;

    if (!find_endpoint(self, &endpoint))
        return 0;
    family = endpoint.remote.any.sa_family == AF_INET6 ? AF_INET6 : AF_INET;
    ifindex = find_way(self, &endpoint, family).ifindex;
    if (ifindex == 0)
        ifindex = find_way(self, &endpoint, family == AF_INET ? AF_INET6 : AF_INET).ifindex;
    return (guint) ifindex;
}

static void destroy_source(GSource *source)
{
    g_source_destroy(source);
    g_source_unref(source);
}

static gboolean check(gpointer data)
{
    TunnelUplink *self = data;
    g_autoptr(CulvertTunnel) tunnel = g_object_ref(self->tunnel);
    guint32 fingerprint = take_fingerprint(self);
    gboolean changed = fingerprint != self->fingerprint;

    g_clear_pointer(&self->check_source, destroy_source);
    self->fingerprint = fingerprint;
    /* Last: whoever hears of it may stop the tunnel. */
    if (changed && fingerprint != 0)
        tunnel_announce_network_changed(tunnel);
    if (!tunnel->stopped && tunnel->path)
        tunnel_path_probe(tunnel->path);
    return G_SOURCE_REMOVE;
}

void tunnel_uplink_check(TunnelUplink *self)
{
    if (self->check_source)
        return;
    self->check_source = g_timeout_source_new(SETTLE_MS);
    g_source_set_callback(self->check_source, check, self, NULL);
    g_source_attach(self->check_source, self->tunnel->context);
}

static gboolean read_news(int fd, GIOCondition condition, gpointer data)
{
    TunnelNetlinkBuffer buffer;

    /* What it is does not matter, nor that some was lost (ENOBUFS). */
    while (recv(fd, &buffer, sizeof buffer, MSG_DONTWAIT) > 0)
        continue;
    tunnel_uplink_check(data);
    return G_SOURCE_CONTINUE;
}

TunnelUplink *tunnel_uplink_new(CulvertTunnel *tunnel, const WgKey *public_key)
{
    TunnelUplink *self;
    int fd = tunnel_open_netlink(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
                                 RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE);

    if (fd < 0) {
        g_info("Cannot watch the network (%s): after a change of it, the peer is asked anew only "
               "when it has been silent",
               g_strerror(errno));
        return NULL;
    }
    self = g_new0(TunnelUplink, 1);
    self->tunnel = tunnel;
    self->public_key = *public_key;
    self->fd = fd;
    self->fingerprint = take_fingerprint(self);
    self->news_source = g_unix_fd_source_new(fd, G_IO_IN);
    g_source_set_callback(self->news_source, G_SOURCE_FUNC(read_news), self, NULL);
    g_source_attach(self->news_source, tunnel->context);
    return self;
}

void tunnel_uplink_free(TunnelUplink *self)
{
    g_clear_pointer(&self->news_source, destroy_source);
    g_clear_pointer(&self->check_source, destroy_source);
    close(self->fd);
    g_free(self);
}
