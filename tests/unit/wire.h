/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wire.h: hosts with a WgDevice each, joined by a network in memory under a fake clock.
 *
 * A host does what a device's owner has to do and no more: it runs the device when it asked to be
 * woken, when its deadline has come, and after handshake messages. So a wake-up that the device
 * forgets shows. Datagrams arrive at once and in order, except as a test's filter wills.
 */
#pragma once

#include "wireguard/wg-private.h"

typedef struct _Net Net;
typedef struct _Host Host;

/* A datagram as it left a host; `from` and `to` are remote addresses of WgEndpoint. */
typedef struct {
    WgEndpoint from;
    WgEndpoint to;
    guint8 *data;
    gsize len;
    guint8 tos;
    gint64 at;
} Datagram;

typedef enum {
    PASS,
    DROP,
    TWICE,
    HOLD, /* keep it in net->held: net_release() */
} Fate;

typedef Fate (*NetFilter)(Net *net, const Datagram *datagram, gpointer data);

struct _Net {
    gint64 now;
    GPtrArray *hosts;
    GQueue flying;  /* of Datagram */
    GPtrArray *log; /* of Datagram: all that ever left a host, dropped or not */
    GPtrArray *held;
    NetFilter filter;
    gpointer filter_data;
};

/* Types of messages, to count them by; a keepalive is counted as data too. */
#define N_TYPES     6
#define A_KEEPALIVE 5

struct _Host {
    Net *net;
    WgDevice *device;
    WgKey private_key;
    WgKey public_key;
    WgEndpoint address;
    gint64 clock_skew; /* of the wall clock */
    gboolean under_load;

    gint64 deadline;
    gboolean woken;
    WgAead *aead;

    GPtrArray *delivered; /* GByteArray: inner packets */
    guint sent[N_TYPES];
    guint outputs[WG_OUTPUT_KEYS_GONE + 1];
    WgVerdict last_verdict; /* of the last data datagram received */
};

Net *net_new(void);
void net_free(Net *net);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Net, net_free)

/* net_settle: lets everything happen that happens now. */
void net_settle(Net *net);

/* net_advance: lets time pass, and everything happen in its time. */
void net_advance(Net *net, gint64 duration);

void net_set_filter(Net *net, NetFilter filter, gpointer data);

/* net_inject: a datagram appears from anywhere; copied. The net settles. */
void net_inject(Net *net, const WgEndpoint *from, const WgEndpoint *to, const guint8 *data,
                gsize len);

/* net_replay: the same datagram once more. */
void net_replay(Net *net, const Datagram *datagram);

/* net_release: the held datagram goes on its way. */
void net_release(Net *net, guint index);

/* net_last: the latest datagram of a type (0: any) that a host (NULL: any) sent. */
const Datagram *net_last(Net *net, const Host *from, guint8 type);

/* Filters. drop_type: GUINT_TO_POINTER(type). */
Fate drop_all(Net *net, const Datagram *datagram, gpointer unused);
Fate drop_type(Net *net, const Datagram *datagram, gpointer type);
Fate hold_type(Net *net, const Datagram *datagram, gpointer type);
Fate hold_all(Net *net, const Datagram *datagram, gpointer unused);
Fate double_all(Net *net, const Datagram *datagram, gpointer unused);

/* host_new: up, with a new key, at an address of either family. */
Host *host_new(Net *net, const char *address, guint16 port);
void host_move(Host *host, const char *address, guint16 port);
WgEndpoint endpoint_of(const char *address, guint16 port);

/* host_add: makes `other` a peer with these allowed prefixes (a comma between them), and, if
 * `where`, with its address. */
WgPeer *host_add(Host *host, Host *other, const char *allowed, gboolean where);
WgPeer *host_peer(Host *host, Host *other);
void allow(WgPeer *peer, const char *prefix);

/* Inner packets: IPv4 or IPv6 by the addresses, of `len` bytes in all, `tag` at the end. */
GByteArray *packet_new(const char *from, const char *to, gsize len, guint8 tag);

/* host_send: through the device, as the tunnel does; the net settles. */
WgVerdict host_send(Host *host, const char *from, const char *to, gsize len, guint8 tag);
WgVerdict host_send_packet(Host *host, const GByteArray *packet);

/* host_got: whether exactly one packet was delivered, with this tag and length; empties the
 * list. */
gboolean host_got(Host *host, gsize len, guint8 tag);

/* join: what a session needs on both sides: two hosts, at 10.0.0.1 and 10.0.0.2 inside;
 * each knows the other's address. */
void join(Host *a, Host *b);

/* PAIR: a net with two such hosts. */
#define PAIR                                                                                       \
    g_autoptr(Net) net = net_new();                                                                \
    Host *a = host_new(net, "192.0.2.1", 1001);                                                    \
    Host *b = host_new(net, "192.0.2.2", 1002);                                                    \
    join(a, b)

/* initiate_now: asks for a handshake, whenever the last was. */
void initiate_now(Host *host, Host *other);

/* converse: one packet each way, which must arrive. */
void converse(Host *a, Host *b);

WgPeerStats peer_stats(Host *host, Host *other);
WgDeviceStats device_stats(Host *host);
