/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tunnel-private.h: what the files of this folder share: the tunnel's inside, its sockets, its
 * packet threads and its dialers.
 */
#pragma once

#include <linux/netlink.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "culvert-tunnel.h"
#include "tun/culvert-switch.h"

G_BEGIN_DECLS

/* ---- Sockets (tunnel-sockets.c) ------------------------------------------------------------- */

typedef struct _TunnelDetours TunnelDetours;

/* A UDP socket of one family. */
typedef struct {
    GSocket *socket; /* NULL: the machine lacks the family */
    /* From when on one system call may send many datagrams (UDP_SEGMENT, udp(7)), in microseconds
     * of the monotonic clock; 0: always. */
    _Atomic gint64 together_from;
} TunnelSocket;

#define TUNNEL_NEVER G_MAXINT64

/* One a family; either may be missing, not both. Sending and receiving may be done from any
 * threads at once. */
typedef struct {
    TunnelSocket v4;
    TunnelSocket v6;
    guint16 port;
    TunnelDetours *detours; /* for what is sent; NULL: none */
} TunnelSockets;

/* tunnel_sockets_open: fills `n` pairs of sockets, all on the same port; the kernel gives the
 * datagrams of one peer to one of them. `offload` FALSE: one datagram a system call. */
gboolean tunnel_sockets_open(TunnelSockets *sockets, guint n, guint16 port, guint32 fwmark,
                             gboolean offload, GError **error);
gboolean tunnel_sockets_set_fwmark(TunnelSockets *sockets, guint32 fwmark, GError **error);
void tunnel_sockets_close(TunnelSockets *sockets);

/* (transfer full); NULL if unknown */
GInetSocketAddress *tunnel_endpoint_to_address(const WgEndpoint *endpoint);
gboolean tunnel_endpoint_from_address(WgEndpoint *endpoint, GSocketAddress *address);

/* tunnel_endpoint_size: of endpoint->remote, for system calls. */
socklen_t tunnel_endpoint_size(const WgEndpoint *endpoint);

/* tunnel_endpoint_same_path: whether remote and local addresses are the same. */
gboolean tunnel_endpoint_same_path(const WgEndpoint *a, const WgEndpoint *b);

/* ---- Datagrams (tunnel-datagrams.c) --------------------------------------------------------- */

/* Datagrams to one endpoint that leave together: without gaps, of `segment` bytes each, of which
 * only the last may be shorter. */
typedef struct {
    const WgEndpoint *endpoint;
    const guint8 *data;
    gsize len;
    gsize segment;
    guint8 tos;       /* the outer DS field */
    guint8 hop_limit; /* 0: the system's default */
    int ifindex;      /* to leave through this interface, whatever routes say; 0: as they say */
} TunnelRun;

/* What a run may hold at the most: UDP_MAX_SEGMENTS of Linux before 6.9, include/linux/udp.h; and
 * the largest payload of UDP over IPv4, less 20 bytes that IPv6 needs more. */
#define TUNNEL_RUN_DATAGRAMS_MAX 64
#define TUNNEL_RUN_BYTES_MAX     (65507 - 20)

/* Runs that are sealed before the first of them is sent, and received before the first is opened.
 * The far end is woken once for them, and so is the program that reads there: to wake somebody
 * costs about as much as to send a run. With more, the far end waits longer than that saves, and
 * what was received is pushed out of the cache again before it is opened. */
#define TUNNEL_RUNS_TOGETHER 4

/* What became of the datagrams of a run. */
typedef struct {
    guint n; /* sent */
    gsize bytes;
    guint failed; /* dropped: no route, no room; `error` is the last one's errno */
    int error;
} TunnelSent;

/* tunnel_send: sends a run, from its endpoint's local address if it has one that still exists.
 * Never waits: what a full socket does not take is dropped, as the kernel does with what a full
 * queue does not take. To wait would only move the queue to the device, where it has no bound in
 * bytes, and hold up what arrives. */
TunnelSent tunnel_send(TunnelSockets *sockets, const TunnelRun *run);

/* What one system call receives: some datagrams, or many of one source and one size, joined
 * (UDP_GRO, udp(7)). */
#define TUNNEL_DATAGRAM_MAX 65536
#define TUNNEL_BATCH        32
typedef struct {
    guint8 *data;
    gsize len;
    gsize segment; /* bytes of each datagram in `data`, of which the last may be shorter */
    WgEndpoint source;
    guint8 tos; /* the outer DS field */
} TunnelReceived;

typedef struct _TunnelInbox TunnelInbox;

TunnelInbox *tunnel_inbox_new(void);
void tunnel_inbox_free(TunnelInbox *inbox); /* wipes */

/* tunnel_receive: receives without waiting. Returns how many, to be found at *received, valid
 * until the next call; sets *more if there may be more. */
guint tunnel_receive(TunnelInbox *inbox, TunnelSocket *socket, const TunnelReceived **received,
                     gboolean *more);

/* ---- Workers (tunnel-worker.c) -------------------------------------------------------------- */

/* A thread that moves packets either way, with sockets and, if there are enough, a queue of the
 * device of its own. The kernel gives all datagrams of a peer to one of the sockets, and what is
 * sent from one address to another to one of the queues: so each flow stays in order. */
typedef struct {
    CulvertTunnel *tunnel;
    guint queue;
    TunnelSockets sockets; /* set while the thread does not run */
    GThread *thread;
    int event_fd; /* how the control thread speaks to it: it may be waiting in poll() */
    atomic_bool stop;
    atomic_bool forget; /* wipe remembered keys */
} TunnelWorker;

#define TUNNEL_WORKERS_MAX 4
G_STATIC_ASSERT(TUNNEL_WORKERS_MAX <= CULVERT_TUN_QUEUES_MAX);

gboolean tunnel_worker_start(TunnelWorker *worker, GError **error);
void tunnel_worker_stop(TunnelWorker *worker); /* waits for its end; idempotent */
void tunnel_worker_forget_keys(TunnelWorker *worker);

/* tunnel_worker_poke: there is a device now. */
void tunnel_worker_poke(TunnelWorker *worker);

/* The two directions; in the worker's thread. `aead` is shared by both and borrowed. */
typedef struct _TunnelSender TunnelSender;     /* tunnel-send.c */
typedef struct _TunnelReceiver TunnelReceiver; /* tunnel-receive.c */

TunnelSender *tunnel_sender_new(TunnelWorker *worker, WgAead *aead);
void tunnel_sender_free(TunnelSender *sender); /* wipes */

/* tunnel_sender_drain: sends what the device has, for a while. FALSE: the device is gone, which
 * has been reported. */
gboolean tunnel_sender_drain(TunnelSender *sender, CulvertTun *tun);

/* What the same worker has received and goes on to other peers. tunnel_sender_forward: to one; may
 * be kept, where it lies, until the flush. tunnel_sender_flood: to all but that of the port `from`.
 * In front of a frame, CULVERT_VXLAN_HEADER_MAX bytes, or as many as are needed between its ends,
 * are written to. */
void tunnel_sender_forward(TunnelSender *sender, guint8 *frame, gsize len, const CulvertVtep *to,
                           gint64 now);
void tunnel_sender_flood(TunnelSender *sender, guint8 *frame, gsize len, guint from, gint64 now);
void tunnel_sender_flush(TunnelSender *sender);

/* tunnel_receiver_new: `sender`, borrowed, is for frames that go on. */
TunnelReceiver *tunnel_receiver_new(TunnelWorker *worker, WgAead *aead, TunnelSender *sender);
void tunnel_receiver_free(TunnelReceiver *receiver); /* wipes */

/* tunnel_receiver_drain: delivers what the socket has, for a while; `tun` may be NULL. */
void tunnel_receiver_drain(TunnelReceiver *receiver, TunnelSocket *socket, CulvertTun *tun);

/* ---- Ethernet (tunnel-ethernet.c) ------------------------------------------------------------ */

/* Of a tunnel that carries frames: one end of a VXLAN, and a switch between the device and the
 * others. */
typedef struct {
    guint32 vni;
    CulvertVtep local;
    CulvertSwitch *ports;
    GHashTable *vteps;    /* those that were set: public key in base64 -> CulvertVtep */
    GHashTable *reported; /* likewise, those that the log has */
    guint n_reported;
    _Atomic guint64 not_vxlan;
    _Atomic guint64 not_sent;
} TunnelEthernet;

/* What holds for the next frame, too, if it is like the last one: spares the switch's lock. All
 * zero at first, and again after what came at once, so that nothing that has changed is overlooked
 * for long. */
typedef struct {
    CulvertVtep source; /* a remote and its port; 0: none */
    guint source_port;
    guint from;
    guint16 vlan;
    guint8 addresses[2 * ETHERNET_ADDRESS_SIZE];
    CulvertForwarding to;
} TunnelRecent;

void tunnel_ethernet_free(TunnelEthernet *self);

/* tunnel_ethernet_update: peers, or their allowed IPs, are others now. Control thread. */
void tunnel_ethernet_update(CulvertTunnel *tunnel);

/* tunnel_ethernet_forward: culvert_switch_forward(). Any thread; `recent` is the thread's, and has
 * the result until the next call. */
const CulvertForwarding *tunnel_ethernet_forward(TunnelEthernet *self, TunnelRecent *recent,
                                                 guint from, const guint8 *frame, gsize len,
                                                 guint count, gint64 now);

/* tunnel_ethernet_receive: the frame in a packet that a peer has sent, and the port of the switch
 * where it comes in; 0: there is none, or nobody takes part who has that address; counted. */
guint tunnel_ethernet_receive(TunnelEthernet *self, TunnelRecent *recent, guint8 *packet, gsize len,
                              guint8 **frame, gsize *frame_len);

/* ---- Handshake messages on their way to the control thread ---------------------------------- */

/* The kernel's bounds, drivers/net/wireguard/queueing.h: beyond the first the queue is full, from
 * the second on strangers must prove their address. */
#define TUNNEL_HANDSHAKES_MAX        4096
#define TUNNEL_HANDSHAKES_UNDER_LOAD (TUNNEL_HANDSHAKES_MAX / 8)

typedef struct {
    WgEndpoint source;
    gsize len;
    guint8 data[WG_INITIATION_SIZE]; /* the longest of the three */
} TunnelHandshake;

/* ---- Dialling (tunnel-dialer.c) ------------------------------------------------------------- */

typedef struct _TunnelDialer TunnelDialer;

TunnelDialer *tunnel_dialer_new(CulvertTunnel *tunnel, const WgKey *public_key,
                                const char *const *endpoints);
void tunnel_dialer_free(TunnelDialer *dialer); /* stops it */

/* tunnel_dialer_race: the core has made an initiation for the dialer's peer: sends it to the
 * address whose turn it is, and to the others later. */
void tunnel_dialer_race(TunnelDialer *dialer, const WgOutput *initiation);

/* ---- The way out beside the tunnel (tunnel-uplink.c) ---------------------------------------- */

/* tunnel_uplink_find: through which interface a datagram to `to` has to leave so that it does not
 * come back into the device `tun_ifindex`: 0 if it will not, -1 if there is no other way. */
int tunnel_uplink_find(const WgEndpoint *to, int tun_ifindex);

/* tunnel_uplink_limit: has the kernel cut what is sent to that IPv6 address, beside the tunnel, to
 * `mtu` bytes: a route, which goes by itself after `seconds`, in place of an older one. FALSE:
 * there is none, as it cannot be, or as what is not the tunnel's own and goes there would go
 * elsewhere without the route: into this tunnel, or another one, or nowhere. tunnel_uplink_unlimit:
 * takes it away. */
gboolean tunnel_uplink_limit(const WgEndpoint *to, int tun_ifindex, guint mtu, guint seconds);
void tunnel_uplink_unlimit(const WgEndpoint *to);

typedef struct _TunnelUplink TunnelUplink;

/* tunnel_uplink_new: watches the way to a peer and emits "network-changed", until it is freed;
 * NULL, with a message, if it cannot. */
TunnelUplink *tunnel_uplink_new(CulvertTunnel *tunnel, const WgKey *public_key);
void tunnel_uplink_free(TunnelUplink *uplink);
void tunnel_uplink_check(TunnelUplink *uplink); /* soon */

/* tunnel_uplink_get_ifindex: see culvert_tunnel_get_uplink(). */
guint tunnel_uplink_get_ifindex(const TunnelUplink *uplink);

/* ---- Detours (tunnel-detours.c) ------------------------------------------------------------- */

/* Which endpoints are to be reached past the machine's routes, which lead into the tunnel. */
TunnelDetours *tunnel_detours_new(void);
void tunnel_detours_free(TunnelDetours *detours);

/* tunnel_detours_update: looks at the routes to all peers. Control thread. `detours` may be NULL:
 * nothing happens. */
void tunnel_detours_update(TunnelDetours *detours, CulvertTunnel *tunnel);

/* tunnel_detours_find: the interface through which to send to `endpoint`; 0: as routes say. Any
 * thread. */
int tunnel_detours_find(TunnelDetours *detours, const WgEndpoint *endpoint);
/* ---- The path's MTU (tunnel-path.c) --------------------------------------------------------- */

/* What every IPv6 path carries whole (RFC 8200, 5). */
#define TUNNEL_IPV6_MTU_LEAST 1280u

typedef struct _TunnelPath TunnelPath;

/* tunnel_path_new: learns the MTU of the path to a peer with tunnel_path_probe(), and announces it
 * when it is another one. */
TunnelPath *tunnel_path_new(CulvertTunnel *tunnel, const WgKey *public_key);
void tunnel_path_free(TunnelPath *path);

/* tunnel_path_probe: there is a new session, or another way. */
void tunnel_path_probe(TunnelPath *path);

/* tunnel_path_tell: announces the MTU now, if it is another one: the path has become narrow. */
void tunnel_path_tell(TunnelPath *path);

/* tunnel_path_find_mtu: as far as it is known now, bytes of an IP packet; 0: it is not. */
guint tunnel_path_find_mtu(CulvertTunnel *tunnel, const WgEndpoint *to);

/* ---- Segments sent in vain (tunnel-blackhole.c) --------------------------------------------- */

/* An inner packet that passes in any case: its datagram has 80 bytes more over IPv6. */
#define TUNNEL_BLACKHOLE_PASSES (TUNNEL_IPV6_MTU_LEAST - 40 - 8 - WG_DATA_OVERHEAD)

/* For ten thousand peers that each receive something at the same time; a set fits a cache line. */
#define TUNNEL_BLACKHOLE_SETS 4096
#define TUNNEL_BLACKHOLE_WAYS 4

typedef struct {
    guint32 flow;
    guint32 sequence;
    guint repeats;
} TunnelBlackholeFlow;

/* All zero at first. */
typedef struct {
    TunnelBlackholeFlow flows[TUNNEL_BLACKHOLE_SETS][TUNNEL_BLACKHOLE_WAYS];
} TunnelBlackhole;

/* tunnel_blackhole_note: an inner packet of `len` bytes is about to be sent, with `more` bytes
 * around it in the tunnel if it is in a frame. Not NULL: it is this segment, which has been sent
 * too often; each time from then on. */
const TunnelBlackholeFlow *tunnel_blackhole_note(TunnelBlackhole *self, const guint8 *packet,
                                                 gsize len, gsize more);

/* ---- Narrow paths of which nobody tells (tunnel-narrow.c) ----------------------------------- */

typedef struct _TunnelNarrow TunnelNarrow;

TunnelNarrow *tunnel_narrow_new(CulvertTunnel *tunnel);
void tunnel_narrow_free(TunnelNarrow *narrow); /* takes its routes away */

/* tunnel_narrow_suspect: that segment to the peer is sent in vain. Any thread. */
void tunnel_narrow_suspect(TunnelNarrow *narrow, const WgKey *peer,
                           const TunnelBlackholeFlow *segment);

/* tunnel_narrow_run: asks suspects whether they are there. TRUE: another path is known to be narrow
 * now. The functions below, too, are for the control thread. */
gboolean tunnel_narrow_run(TunnelNarrow *narrow, gint64 now);

/* tunnel_narrow_asked: an initiation leaves for that peer, whyever. */
void tunnel_narrow_asked(TunnelNarrow *narrow, const WgKey *peer);

/* tunnel_narrow_session: there is a new session with the peer at `endpoint`. */
void tunnel_narrow_session(TunnelNarrow *narrow, const WgKey *peer, const WgEndpoint *endpoint);

/* tunnel_narrow_is: what is sent there is cut to TUNNEL_IPV6_MTU_LEAST. */
gboolean tunnel_narrow_is(TunnelNarrow *narrow, const WgKey *peer, const WgEndpoint *endpoint);

/* tunnel_narrow_moved: the peer is at `endpoint`. tunnel_narrow_forget: all paths are other ones.
 */
void tunnel_narrow_moved(TunnelNarrow *narrow, const WgKey *peer, const WgEndpoint *endpoint);
void tunnel_narrow_forget(TunnelNarrow *narrow);

/* ---- Routes (tunnel-routes.c) --------------------------------------------------------------- */

typedef struct _TunnelRoutes TunnelRoutes;

/* tunnel_open_netlink: a socket to ask the kernel of routes and, if `groups` says of which changes
 * (RTMGRP_...), to be told of them: rtnetlink(7). It waits a second for an answer. -1 and errno. */
int tunnel_open_netlink(guint32 groups);

/* What one read of it needs: the kernel never sends more at once (rtnetlink.c, NLMSG_GOODSIZE). */
typedef union {
    struct nlmsghdr header;
    guint8 bytes[32768];
} TunnelNetlinkBuffer;

/* tunnel_routes_new: follows the routes until it is freed; NULL, with a message, if it cannot. */
TunnelRoutes *tunnel_routes_new(CulvertTunnel *tunnel);
void tunnel_routes_free(TunnelRoutes *routes);

/* ---- What is handed over as one (tunnel-forwarding.c) --------------------------------------- */

typedef struct _TunnelForwarding TunnelForwarding;

/* tunnel_forwarding_new: bounds what the device hands over of a stream, while the machine does not
 * forward. The device may come later. */
TunnelForwarding *tunnel_forwarding_new(CulvertTunnel *tunnel);
void tunnel_forwarding_free(TunnelForwarding *forwarding);

/* tunnel_forwarding_check_device: there is one now. */
void tunnel_forwarding_check_device(TunnelForwarding *forwarding);

/* ---- Defaults (tunnel-environment.c) -------------------------------------------------------- */

/* Of culvert_tunnel_set_data_path(), for every new tunnel. */
typedef struct {
    gboolean offload;
    guint workers;
} TunnelDefaults;

extern TunnelDefaults tunnel_defaults;

/* ---- Telling the owner (tunnel-signals.c) --------------------------------------------------- */

/* tunnel_signals_install: those of culvert-tunnel.h, for the class of `type`. */
void tunnel_signals_install(GType type);

/* tunnel_announce_...: emit the signals of these names; on the control thread. A handler may stop
 * the tunnel. `peer` is a public key in base64; all arguments are borrowed. */
void tunnel_announce_unanswered(CulvertTunnel *self, const char *peer, guint count);
void tunnel_announce_silent(CulvertTunnel *self, const char *peer);
void tunnel_announce_path_mtu(CulvertTunnel *self, guint mtu);
void tunnel_announce_resumed(CulvertTunnel *self);
void tunnel_announce_failed(CulvertTunnel *self, const GError *error);

/* tunnel_announce_handshake, tunnel_announce_moved ("endpoint-changed"): of the peer and endpoint
 * of `output`. */
void tunnel_announce_handshake(CulvertTunnel *self, const WgOutput *output);
void tunnel_announce_moved(CulvertTunnel *self, const WgOutput *output);

/* tunnel_announce_attempt: finds detours anew besides: the address that is asked may need one. Of
 * `address` and `error` one is NULL. */
void tunnel_announce_attempt(CulvertTunnel *self, const WgKey *public_key, const char *name,
                             GSocketAddress *address, const GError *error);

/* tunnel_announce_unsent: because of the error number `errsv`. */
void tunnel_announce_unsent(CulvertTunnel *self, const WgKey *public_key, const WgEndpoint *to,
                            int errsv);

/* tunnel_announce_network_changed: forgets what is known of paths besides. */
void tunnel_announce_network_changed(CulvertTunnel *self);

/* ---- The object ----------------------------------------------------------------------------- */

struct _CulvertTunnel {
    GObject parent_instance;

    /* control thread */
    GMainContext *context;
    WgDevice *device;
    GSource *run_source; /* ready at once when woken */
    GSource *timer_source;
    int timer_fd;           /* CLOCK_BOOTTIME: GLib's own timers stop during suspend */
    TunnelRoutes *routes;   /* NULL: not followed */
    TunnelDetours *detours; /* NULL: routes are obeyed */
    TunnelForwarding *forwarding;
    TunnelUplink *uplink;  /* NULL: not watched */
    TunnelPath *path;      /* NULL: not watched */
    TunnelNarrow *narrow;  /* packet threads have suspicions */
    GHashTable *dialers;   /* public key in base64 -> TunnelDialer */
    GResolver *beside;     /* NULL: the system's resolver is the only one */
    GHashTable *silent;    /* a set: public keys in base64 of peers of which "silent" was emitted */
    gint64 overload_until; /* under load at least until then */
    gint64 suspended;      /* time asleep since boot, when last looked at */
    gboolean failed;       /* and the owner has been told */
    gboolean stopped;

    guint16 port; /* asked for; 0: any */
    guint32 fwmark;

    /* set while no packet thread runs */
    gboolean offload;
    TunnelWorker workers[TUNNEL_WORKERS_MAX];
    guint n_workers;
    TunnelEthernet *ethernet; /* NULL: it carries IP packets */

    /* from thread to thread */
    CulvertTun *_Atomic tun;
    pthread_mutex_t handshakes_lock;
    GQueue handshakes;       /* of TunnelHandshake */
    atomic_int device_error; /* errno of a thread that lost the device; 0: none has */
    _Atomic guint64 tun_read_packets;
    _Atomic guint64 tun_write_packets;
    _Atomic guint64 tun_write_dropped;
    _Atomic guint64 udp_send_dropped;
    _Atomic guint64 looped;
};

/* tunnel_now: microseconds of CLOCK_BOOTTIME, for all `now` of the protocol core; a variable, so
 * that a test can let time pass. tunnel_boot_time: its value outside tests. */
extern gint64 (*tunnel_now)(void);
gint64 tunnel_boot_time(void);

/* tunnel_suspended: microseconds that the machine has been asleep since boot; a variable, so that
 * a test can put it to sleep. tunnel_time_suspended: its value outside tests. */
extern gint64 (*tunnel_suspended)(void);
gint64 tunnel_time_suspended(void);

/* tunnel_wake: makes the control thread run the protocol core soon. Any thread. */
void tunnel_wake(CulvertTunnel *self);

/* tunnel_device_lost: a packet thread cannot read the device any more: `errsv`. */
void tunnel_device_lost(CulvertTunnel *self, int errsv);

/* tunnel_send_handshake: sends a handshake message to `to`, beside the tunnel if need be. Returns
 * the errno of why it could not leave; 0: it did. */
int tunnel_send_handshake(CulvertTunnel *self, const WgEndpoint *to, const guint8 *data, gsize len,
                          guint8 tos);

static inline void tunnel_count(_Atomic guint64 *counter, guint64 n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

G_END_DECLS
