/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-tunnel.h: CulvertTunnel joins the protocol core, a TUN device and UDP sockets into a
 * running tunnel.
 *
 * The object belongs to the thread, and its GMainContext, that made it: the control thread. All
 * functions are called there and all signals are emitted there. Packets are moved by threads of
 * the tunnel's own: tunnel-send.c from device to network, tunnel-receive.c back.
 *
 * A tunnel's life: new, set_private_key, add_peer, listen, dial; handshakes run from then on.
 * After the first "handshake", attach a device: packets flow. stop (or the last unref) ends the
 * threads, closes sockets and device and wipes keys.
 */
#pragma once

#include <gio/gio.h>

#include "tun/culvert-switch.h"
#include "tun/culvert-tun.h"
#include "tun/culvert-vxlan.h"
#include "wireguard/wireguard.h"

G_BEGIN_DECLS

#define CULVERT_TYPE_TUNNEL (culvert_tunnel_get_type())
G_DECLARE_FINAL_TYPE(CulvertTunnel, culvert_tunnel, CULVERT, TUNNEL, GObject)

/*
 * Signals. A peer is named by its public key in base64, as `wg` prints it.
 *
 * "handshake" (const char *peer, GInetSocketAddress *endpoint): a session with the peer was agreed
 *     on and confirmed; again about every two minutes while there is traffic.
 * "unanswered" (const char *peer, guint count): `count` initiations, two or more, have been left
 *     unanswered since the last session; or as many of our responses have not reached the peer,
 *     which keeps asking.
 * "silent" (const char *peer): the peer has left 90 seconds of initiations unanswered; once until
 *     it answers.
 * "network-changed": the way to the peer of culvert_tunnel_watch_network() is another one now: its
 *     interface, router or local address. Not when there is none.
 * "path-mtu" (guint mtu): the path to the peer of culvert_tunnel_watch_path() carries packets of
 *     `mtu` bytes whole, their outer IP headers included; at first, and when it changes.
 * "resumed": the machine was asleep; all sessions have been dropped.
 * "endpoint-changed" (const char *peer, GInetSocketAddress *endpoint): the peer was heard from
 *     another address, which is used from now on.
 * "attempt" (const char *peer, const char *name, GInetSocketAddress *endpoint, const GError
 *     *error): dialling tries `endpoint`, an address of `name`; or, with `endpoint` NULL, `name`
 *     could not be resolved because of `error`.
 * "unsent" (const char *peer, GInetSocketAddress *endpoint, const GError *error): an initiation
 *     could not leave this machine: no route, say.
 * "failed" (const GError *error): the device was removed.
 */

/* culvert_tunnel_read_environment: for debugging and measuring, tunnels made from now on heed the
 * environment variables CULVERT_OFFLOAD, CULVERT_QUEUES and CULVERT_AEAD, see culvert(8). A value
 * that makes no sense is reported in the log and ignored. Before any threads start. */
void culvert_tunnel_read_environment(void);

/* culvert_tunnel_set_default_offload: likewise, as a program's switch says. */
void culvert_tunnel_set_default_offload(gboolean offload);

CulvertTunnel *culvert_tunnel_new(void);

/* culvert_tunnel_set_data_path: how packets are to be moved; before listening. `offload` FALSE: do
 * without the kernel's offloads, for debugging. `workers`: how many queues of the device, each
 * with its thread and sockets; 0: as suits the machine's number of cores. */
void culvert_tunnel_set_data_path(CulvertTunnel *self, gboolean offload, guint workers);

/* culvert_tunnel_set_ethernet: the device is a TAP device, whose frames travel as VXLAN number
 * `vni` (RFC 7348), from our address `local` inside the tunnel to those of the peers, and a switch
 * lies between it and them: see culvert-switch.h. Before listening. A peer's address is that one
 * of its allowed IPs that is a single host of the family of `local`, but not `local` itself; of
 * several the one with the longest prefix in common with it, then the lowest. One without takes no
 * part. `local` belongs to no interface. */
void culvert_tunnel_set_ethernet(CulvertTunnel *self, guint32 vni, const CulvertVtep *local);

/* culvert_tunnel_set_vtep: that peer's address inside, whatever single hosts it is allowed; it has
 * to be allowed it. NULL: as its allowed IPs say. After culvert_tunnel_set_ethernet(). */
void culvert_tunnel_set_vtep(CulvertTunnel *self, const WgKey *public_key, const CulvertVtep *vtep);

/* culvert_tunnel_set_own_macs: the MAC addresses, six bytes each, of the TAP device and of the
 * bridge it is a port of; all zero: none. No peer speaks in their name. Nothing happens without
 * culvert_tunnel_set_ethernet(). */
void culvert_tunnel_set_own_macs(CulvertTunnel *self, const guint8 *device, const guint8 *bridge);

/* culvert_tunnel_log_ethernet: says in the log how the other ends have to be set up. Nothing
 * happens without culvert_tunnel_set_ethernet(). */
void culvert_tunnel_log_ethernet(CulvertTunnel *self);

/* culvert_tunnel_get_overhead: by how many bytes the device's MTU is smaller than that of a device
 * that carries IP packets; 0 without culvert_tunnel_set_ethernet(). */
guint culvert_tunnel_get_overhead(CulvertTunnel *self);

/* culvert_tunnel_peers_changed: to be called after peers were removed, or their allowed IPs
 * changed, with the functions of wireguard.h. */
void culvert_tunnel_peers_changed(CulvertTunnel *self);

/* culvert_tunnel_set_private_key: NULL removes it. */
void culvert_tunnel_set_private_key(CulvertTunnel *self, const WgKey *key);

/* culvert_tunnel_get_device: the protocol core, to configure peers in detail with the [control]
 * functions of wireguard.h. Borrowed. Removing a peer ends the dialling of it. */
WgDevice *culvert_tunnel_get_device(CulvertTunnel *self);

/* culvert_tunnel_add_peer: adds or finds the peer. `preshared_key` may be NULL. `allowed_ips` is
 * an array of WgPrefix; `keepalive` in seconds, 0: off. Fails if the key is our own. */
gboolean culvert_tunnel_add_peer(CulvertTunnel *self, const WgKey *public_key,
                                 const WgKey *preshared_key, const WgPrefix *allowed_ips,
                                 guint n_allowed_ips, guint16 keepalive, GError **error);

/* culvert_tunnel_listen: opens the UDP sockets, IPv4 and, where there is IPv6, IPv6, on the same
 * port, and starts receiving. `port` 0: any free one. `fwmark` 0: none. An error says which port
 * and why. */
gboolean culvert_tunnel_listen(CulvertTunnel *self, guint16 port, guint32 fwmark, GError **error);

/* culvert_tunnel_is_listening: between a culvert_tunnel_listen() that worked and
 * culvert_tunnel_hang_up(). */
gboolean culvert_tunnel_is_listening(const CulvertTunnel *self);

/* culvert_tunnel_get_listen_port: while listening the port itself, also if any free one was asked
 * for; otherwise the one that the next listen asks for, 0: any. Host byte order. */
guint16 culvert_tunnel_get_listen_port(CulvertTunnel *self);

/* culvert_tunnel_get_fwmark: of the datagrams; 0: none. */
guint32 culvert_tunnel_get_fwmark(CulvertTunnel *self);

/* culvert_tunnel_hang_up: the reverse of listen: closes the sockets and drops all sessions; port
 * and mark stay set for the next listen. Idempotent. */
void culvert_tunnel_hang_up(CulvertTunnel *self);

/* culvert_tunnel_set_listen_port, culvert_tunnel_set_fwmark: for the next listen and, while
 * listening, at once. On error nothing has changed; only if there are no threads to be had, the
 * tunnel is no longer listening. */
gboolean culvert_tunnel_set_listen_port(CulvertTunnel *self, guint16 port, GError **error);
gboolean culvert_tunnel_set_fwmark(CulvertTunnel *self, guint32 fwmark, GError **error);

/* culvert_tunnel_dial: finds an endpoint of the peer that answers. `endpoints` is a list of
 * "host:port", "[v6]:port" strings, NULL-terminated, tried in order, over and over, until the peer
 * has a new session; names are resolved anew each time, without blocking. The addresses of a name
 * are asked a quarter of a second apart, and the first that answers is kept (RFC 8305). A peer that
 * has had a session is asked at its last address first, which stays its endpoint until another one
 * answers. Each try is announced with "attempt". Stops with culvert_tunnel_stop(), or when called
 * again. */
void culvert_tunnel_dial(CulvertTunnel *self, const WgKey *public_key,
                         const char *const *endpoints);

/* culvert_tunnel_set_resolver_beside: whom dialling asks besides for an endpoint's name, from now
 * on: when the system's resolver finds no address, and when none of those it has found has
 * answered. With a tunnel up the system's name servers may all be behind it, or out of reach. NULL:
 * nobody. */
void culvert_tunnel_set_resolver_beside(CulvertTunnel *self, GResolver *resolver);

/* culvert_tunnel_avoid_loops: from now on, datagrams to a peer whose route leads into the tunnel
 * itself leave through the interface of the best other route. For whoever has no other way of
 * keeping peers out of the tunnel; before listening. */
void culvert_tunnel_avoid_loops(CulvertTunnel *self);
/* culvert_tunnel_watch_network: emits "network-changed" from now on, for the way to this peer.
 * Without netlink it does nothing. */
void culvert_tunnel_watch_network(CulvertTunnel *self, const WgKey *public_key);

/* culvert_tunnel_get_uplink: index of the interface through which that peer is reached beside the
 * tunnel, or would be if it were at an address of the other family; 0: there is no way, or none is
 * watched. */
guint culvert_tunnel_get_uplink(CulvertTunnel *self);

/* culvert_tunnel_get_path_mtu: what the path to `endpoint` is known to carry whole by now: the MTU
 * of its first link, unless a router has said more. 0: there is no way. */
guint culvert_tunnel_get_path_mtu(CulvertTunnel *self, GInetSocketAddress *endpoint);

/* culvert_tunnel_watch_path: emits "path-mtu" from now on, for the path to this peer. */
void culvert_tunnel_watch_path(CulvertTunnel *self, const WgKey *public_key);

/* culvert_tunnel_check_network: looks whether that way has changed, soon. */
void culvert_tunnel_check_network(CulvertTunnel *self);

/* culvert_tunnel_open_device: creates a device, see culvert_tun_open(), with as many queues and the
 * offload that this tunnel wants, for IP packets or Ethernet, whatever `options` says of these. */
CulvertTun *culvert_tunnel_open_device(CulvertTunnel *self, const CulvertTunOptions *options,
                                       GError **error);

/* culvert_tunnel_attach: carries the device's packets from now on. Takes `tun` (transfer full), of
 * this tunnel's culvert_tunnel_open_device(). */
void culvert_tunnel_attach(CulvertTunnel *self, CulvertTun *tun);

/* culvert_tunnel_get_tun: the device attached, borrowed; NULL: none yet, or stopped. */
CulvertTun *culvert_tunnel_get_tun(CulvertTunnel *self);

/* culvert_tunnel_now: the time as the protocol core has it, microseconds of CLOCK_BOOTTIME. */
gint64 culvert_tunnel_now(void);

/* culvert_tunnel_stop: ends everything; the object can only be unreffed then. Idempotent. */
void culvert_tunnel_stop(CulvertTunnel *self);

/* culvert_tunnel_get_endpoint: where the peer is, (transfer full); NULL if unknown. */
GInetSocketAddress *culvert_tunnel_get_endpoint(CulvertTunnel *self, const WgKey *public_key);

/* Counters of the data path that belong to no peer and not to the protocol. */
typedef struct {
    guint64 tun_read_packets;
    guint64 tun_write_packets;
    guint64 tun_write_dropped; /* the device did not take it: down or full */
    guint64 udp_send_dropped;  /* the socket did not take it: no route, no buffer */
    guint64 looped;            /* the tunnel's own datagrams, routed into the tunnel: dropped */
    /* of a tunnel that carries Ethernet: */
    guint64 not_vxlan;           /* packets that are no frame of this VXLAN from a peer's address */
    guint64 frames_not_sent;     /* too large, or not to be cut, or not whole */
    CulvertSwitchStats switched; /* frames that were dropped */
} CulvertTunnelStats;

void culvert_tunnel_get_stats(CulvertTunnel *self, CulvertTunnelStats *stats);

G_END_DECLS
