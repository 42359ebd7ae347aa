/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wireguard.h: the public face of the protocol core.
 *
 * The core knows no socket, no clock, no main loop and no file. Datagrams, inner packets and the
 * time go in; datagrams, events and the time of the next call come out. That is what lets it be
 * tested with published vectors and a fake clock, and shared by every program of this project.
 *
 * Time. `now` is always microseconds of CLOCK_BOOTTIME, so that keys age during suspend. Only
 * wg_device_run() also takes the wall clock, for the time stamp in an initiation.
 *
 * Threads. One thread, the control thread, owns the device: it configures it, feeds it handshake
 * messages, runs it and pops its output. Any number of data threads move packets with the
 * wg_tx_*() and wg_rx_*() calls. A function's comment says [control] or [any]. The device's own
 * lock is held for look-ups and bookkeeping only, never during cryptography.
 *
 * The protocol: Donenfeld, "WireGuard: Next Generation Kernel Network Tunnel", NDSS 2017,
 * https://www.wireguard.com/papers/wireguard.pdf, called "the paper" in this folder.
 */
#pragma once

#include <glib.h>
#include <netinet/in.h>

#include "wg-constants.h"
#include "wg-aead.h"
#include "wg-crypto.h"

G_BEGIN_DECLS

typedef struct _WgDevice WgDevice;
typedef struct _WgPeer WgPeer;
typedef struct _WgKeypair WgKeypair;

/* Where a peer's datagrams come from and go to: the other side's address and port and, once a
 * datagram has arrived, the local address and interface it arrived at, to answer from there. */
typedef struct {
    union {
        struct sockaddr any;    /* sa_family == AF_UNSPEC: no endpoint known */
        struct sockaddr_in in4; /* network byte order, as in any sockaddr */
        struct sockaddr_in6 in6;
    } remote;
    union {
        struct in_addr in4;
        struct in6_addr in6;
    } local;           /* all zero: let routing choose */
    int local_ifindex; /* 0: let routing choose */
} WgEndpoint;

/* wg_endpoint_equal: whether two endpoints have the same remote address, port and scope. [any] */
gboolean wg_endpoint_equal(const WgEndpoint *a, const WgEndpoint *b);

/* An address prefix: `addr` holds 4 (AF_INET) or 16 (AF_INET6) bytes in network byte order. */
typedef struct {
    guint8 addr[16];
    guint8 family; /* AF_INET or AF_INET6 */
    guint8 length; /* 0 to 32 or 128 */
} WgPrefix;

/* wg_address_size: bytes of an address of that family, AF_INET or AF_INET6. [any] */
static inline gsize wg_address_size(int family)
{
    return family == AF_INET6 ? 16 : 4;
}

/* ---- Set-up, all [control] ------------------------------------------------------------------ */

/* WgWakeFunc: asks the control thread to call wg_device_run() soon, because there is work or a
 * deadline earlier than the one it last returned. Called from any thread, never with the device's
 * lock held by the caller's caller only: it must do no more than make a main loop turn. */
typedef void (*WgWakeFunc)(gpointer user_data);

WgDevice *wg_device_new(WgWakeFunc wake, gpointer user_data);

/* wg_device_free: wipes all keys. No data thread may use the device any more. */
void wg_device_free(WgDevice *device);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(WgDevice, wg_device_free)

/* wg_device_set_private_key: makes `key` (32 bytes, clamped here) the identity of this end;
 * NULL or all zeros removes it. Removes a peer with our own public key and drops running
 * sessions' sending keys. */
void wg_device_set_private_key(WgDevice *device, const WgKey *key);

/* wg_device_get_private_key: the clamped private key, or NULL while there is none. */
const WgKey *wg_device_get_private_key(WgDevice *device);

/* wg_device_get_public_key: our own public key; all zeros while there is no private key. */
const WgKey *wg_device_get_public_key(WgDevice *device);

/* wg_device_set_mtu: the inner interface's MTU in bytes, the upper bound of padding. [any] */
void wg_device_set_mtu(WgDevice *device, guint mtu);

/* wg_device_add_route_mtu: a route into the tunnel has this MTU, less than the interface's: a
 * packet that fits it is not padded beyond it. [any] */
void wg_device_add_route_mtu(WgDevice *device, guint mtu);

/* wg_device_add_peer: the peer with this public key, made if it is new. NULL if the key is our
 * own. The device owns the peer. */
WgPeer *wg_device_add_peer(WgDevice *device, const WgKey *public_key);
WgPeer *wg_device_find_peer(WgDevice *device, const WgKey *public_key);
void wg_device_remove_peer(WgDevice *device, WgPeer *peer);

/* wg_device_get_peers: all peers in the order of their addition; owned by the device, valid until
 * a peer is added or removed. */
GPtrArray *wg_device_get_peers(WgDevice *device);

const WgKey *wg_peer_get_public_key(const WgPeer *peer);

/* wg_peer_set_preshared_key: used from the next handshake on; NULL or zeros: none (paper 5.4). */
void wg_peer_set_preshared_key(WgPeer *peer, const WgKey *key);
const WgKey *wg_peer_get_preshared_key(const WgPeer *peer); /* all zeros: none */

/* wg_peer_set_endpoint: where to send from now on; the peer's next authenticated datagram may
 * move it. */
void wg_peer_set_endpoint(WgPeer *peer, const WgEndpoint *endpoint);
void wg_peer_get_endpoint(WgPeer *peer, WgEndpoint *endpoint); /* [any] */

/* wg_device_clear_local_addresses: forget at which local addresses peers' datagrams arrived: the
 * sockets or the network changed. */
void wg_device_clear_local_addresses(WgDevice *device);

/* wg_peer_forget_local_address: the same for one peer, if its endpoint is still `seen`. */
void wg_peer_forget_local_address(WgPeer *peer, const WgEndpoint *seen);

/* wg_peer_set_keepalive: seconds between persistent keepalives, 0: off. Sends one at once when
 * turned on while up. */
void wg_peer_set_keepalive(WgPeer *peer, guint16 seconds);
guint16 wg_peer_get_keepalive(const WgPeer *peer);

/* wg_peer_add_allowed_ip: route this prefix to the peer, taking it from whoever had it; host bits
 * are masked off. */
void wg_peer_add_allowed_ip(WgPeer *peer, const WgPrefix *prefix);
void wg_peer_remove_allowed_ip(WgPeer *peer, const WgPrefix *prefix); /* no-op if not its own */
void wg_peer_clear_allowed_ips(WgPeer *peer);
GArray *wg_peer_get_allowed_ips(WgPeer *peer); /* of WgPrefix; (transfer full) */

/* wg_peer_initiate: start a handshake with the peer in the next wg_device_run(), as if a packet
 * waited. `now_please` TRUE skips the limit of one initiation in REKEY_TIMEOUT: for a new
 * endpoint, which has not been asked yet. */
void wg_peer_initiate(WgPeer *peer, gboolean now_please);

/* wg_peer_drop_sessions: forget keys, running handshake and staged packets (link down, suspend).
 */
void wg_peer_drop_sessions(WgPeer *peer);

/* wg_device_set_up: FALSE drops all sessions and stops all timers; TRUE starts persistent
 * keepalives. A new device is down. */
void wg_device_set_up(WgDevice *device, gboolean up);

typedef struct {
    guint64 rx_bytes;              /* UDP payload of authenticated datagrams */
    guint64 tx_bytes;              /* UDP payload handed to the socket */
    gint64 last_handshake_real_us; /* wall clock, microseconds since 1970; 0: never */
    gint64 last_handshake_us;      /* `now` of the same moment; 0: never */
    guint64 handshakes;            /* sessions agreed on */
    guint initiations_unanswered;  /* initiations sent since the last session or start */
    gint64 unanswered_since_us;    /* `now` of the first of them */
    guint responses_unconfirmed; /* responses sent since the last session: our way out is broken */
    guint64 dropped_allowed_ips; /* inner source is not this peer's */
    guint64 dropped_replayed;
    guint64 dropped_malformed; /* inner packet is not IPv4 or IPv6, or lies about its length */
    guint64 dropped_staged;    /* packets that waited in vain for a session */
} WgPeerStats;

void wg_peer_get_stats(WgPeer *peer, WgPeerStats *stats); /* [any] */

typedef struct {
    guint64 dropped_mac1;        /* handshake messages without a valid first MAC */
    guint64 dropped_handshake;   /* with one, but not decryptable, stale, replayed or unknown */
    guint64 dropped_no_session;  /* data for a receiver index that is not ours */
    guint64 dropped_unauthentic; /* data whose tag is wrong, or under an expired key */
    guint64 dropped_malformed;   /* wrong type, reserved bits or length */
    guint64 dropped_ratelimited; /* handshake messages under load beyond a source's share */
    guint64 tx_no_peer;          /* packets out whose destination is nobody's */
    guint64 tx_no_endpoint;      /* packets out to a peer of unknown address */
} WgDeviceStats;

void wg_device_get_stats(WgDevice *device, WgDeviceStats *stats); /* [any] */

/* ---- The control path ----------------------------------------------------------------------- */

/* wg_device_receive: takes a datagram of type initiation, response or cookie reply. `under_load`:
 * the caller's queue is long; strangers then have to prove their address first (paper 5.3).
 * Answers come out of wg_device_pop(). Call wg_device_run() after the last of a batch: this asks
 * for no wake-up. [control] */
void wg_device_receive(WgDevice *device, const guint8 *datagram, gsize len,
                       const WgEndpoint *source, gboolean under_load, gint64 now);

/* wg_device_run: does what is due: initiations, retransmissions, keepalives, wiping of old keys,
 * sending of packets that waited for a session. `real_us` is the wall clock in microseconds since
 * 1970. Returns the time to call it again at the latest, G_MAXINT64 if nothing is scheduled. The
 * caller then pops all output. [control] */
gint64 wg_device_run(WgDevice *device, gint64 now, gint64 real_us);

typedef enum {
    WG_OUTPUT_DATAGRAM,  /* send `data` to `endpoint` */
    WG_OUTPUT_SESSION,   /* a session with `peer` is agreed on and confirmed: it is alive */
    WG_OUTPUT_MOVED,     /* `peer` was heard from another address: `endpoint` */
    WG_OUTPUT_SILENT,    /* `peer` has left REKEY_ATTEMPT_TIME of initiations unanswered */
    WG_OUTPUT_KEYS_GONE, /* old keys of `peer` were wiped: data threads should forget theirs, see
                            wg_aead_forget() */
} WgOutputType;

/* What the device wants of its owner. */
typedef struct {
    WgOutputType type;
    WgPeer *peer; /* NULL for datagrams to strangers (cookie replies); borrowed */
    WgEndpoint endpoint;
    guint8 *data; /* DATAGRAM only; (transfer full), g_free() */
    gsize len;
    guint8 tos; /* DATAGRAM only: the outer DS field */
} WgOutput;

/* wg_device_pop: moves the oldest output to `output`; FALSE: none left. Each datagram is to be sent
 * before the next call: data threads wait for those that they must not overtake. [control] */
gboolean wg_device_pop(WgDevice *device, WgOutput *output);

/* wg_device_release: lets data threads go on that wait for output to be popped; to be called before
 * waiting for such a thread's end. [control] */
void wg_device_release(WgDevice *device);

/* ---- The data path, all [any] --------------------------------------------------------------- */

/* What became of a packet. Everything but OK is expected and counted, never an error message. */
typedef enum {
    WG_OK = 0,
    WG_STAGED,      /* kept until there is a session */
    WG_KEEPALIVE,   /* authentic and empty: nothing to deliver */
    WG_NO_PEER,     /* destination is nobody's (ICMP: no route to host) */
    WG_NO_ENDPOINT, /* its peer's address is not known (ICMP: no route to host) */
    WG_MALFORMED,
    WG_NO_SESSION,
    WG_UNAUTHENTIC,
    WG_REPLAYED,
    WG_NOT_ALLOWED, /* inner source does not belong to the peer */
} WgVerdict;

/* Different MTUs of routes that are remembered; more make no difference but in padding. */
#define WG_ROUTE_MTUS_MAX 8

/* What bounds padding: see wg_device_set_mtu() and wg_device_add_route_mtu(). */
typedef struct {
    guint device;
    guint routes[WG_ROUTE_MTUS_MAX]; /* ascending; 0s at the end */
} WgMtus;

/* An inner packet on its way out, or a large one that will be cut: it becomes `count` datagrams,
 * all to its destination. */
typedef struct {
    guint8 *data;
    gsize len;
    guint count;
} WgTxPacket;

/* A permit to send a run of packets to one peer, under one key. */
typedef struct {
    WgKeypair *keypair;
    WgPeer *peer;
    guint64 counter; /* of the run's first datagram */
    guint n_packets; /* how many of the packets that were offered are in the run */
    WgMtus mtus;
    WgEndpoint endpoint;
} WgTx;

/* wg_tx_begin: finds the peer of the first of `n` inner packets (IPv4 or IPv6; at least one), and
 * how many that follow go to the same peer: tx->n_packets. Reserves a counter for each of their
 * datagrams under the peer's current key.
 * Returns WG_OK with `tx` filled: seal with wg_tx_seal(), then call wg_tx_end().
 * Returns WG_STAGED if there is no key yet: hand over each packet with wg_tx_stage(), then call
 * wg_tx_end(). Otherwise only tx->n_packets is set, and wg_tx_end() must not be called. */
WgVerdict wg_tx_begin(WgDevice *device, const WgTxPacket *packets, guint n, gint64 now, WgTx *tx);

/* wg_tx_sealed_size: bytes of the datagram that carries an inner packet of `len` bytes. */
gsize wg_tx_sealed_size(const WgTx *tx, gsize len);

/* wg_tx_seal: writes the run's `i`th datagram, which carries `packet`, to `out`, which holds
 * wg_tx_sealed_size() bytes. `packet` may be `out` + WG_DATA_HEADER_SIZE: sealing in place; or
 * elsewhere: sealing is then the copy. Returns the datagram's size. Takes no lock. */
gsize wg_tx_seal(const WgTx *tx, WgAead *aead, guint i, const guint8 *packet, gsize len,
                 guint8 *out);

/* wg_tx_stage: keeps a copy of the packet until the peer has a session; beyond
 * WG_MAX_STAGED_PACKETS the oldest is dropped. */
void wg_tx_stage(WgTx *tx, const guint8 *packet, gsize len, gint64 now);

/* wg_peer_ref, wg_peer_unref: keep the peer's memory, but not its being a peer. */
WgPeer *wg_peer_ref(WgPeer *peer);
void wg_peer_unref(WgPeer *peer);

/* wg_tx_sent: `n` datagrams of together `bytes` bytes, not keepalives, were handed to the socket
 * for `peer`, now or after the run's end: what is sealed may wait for that of later runs. */
void wg_tx_sent(WgPeer *peer, guint n, gsize bytes, gint64 now);

/* wg_tx_end: ends the run. */
void wg_tx_end(WgTx *tx);

/* A run of received data datagrams with one receiver index. */
typedef struct {
    WgKeypair *keypair;
    WgPeer *peer;
    WgDevice *device;
} WgRx;

/* One datagram of such a run, before and after. */
typedef struct {
    guint8 *data;   /* in: the datagram. After wg_rx_open(): the inner packet */
    gsize len;      /* likewise. After wg_rx_end(): without padding */
    gsize wire_len; /* of the datagram, set by wg_rx_open() */
    guint64 counter;
    WgVerdict verdict;
} WgRxPacket;

/* wg_rx_begin: finds the key for a datagram of type data. WG_OK: open each packet of the run with
 * wg_rx_open(), then call wg_rx_end(). Otherwise the datagram is counted and can be dropped. */
WgVerdict wg_rx_begin(WgDevice *device, const guint8 *datagram, gsize len, gint64 now, WgRx *rx);

/* wg_rx_same_run: whether a further datagram belongs to the run. */
gboolean wg_rx_same_run(const WgRx *rx, const guint8 *datagram, gsize len);

/* wg_rx_open: checks and decrypts in place; sets data, len, counter and verdict. Takes no lock. */
void wg_rx_open(const WgRx *rx, WgAead *aead, WgRxPacket *packet);

/* wg_rx_end: for the packets that opened: replay window, endpoint, timers, the check that the
 * inner source belongs to the peer, statistics. Sets each verdict; those with WG_OK may be written
 * to the device. `source` is where the run came from. */
void wg_rx_end(WgRx *rx, WgRxPacket *packets, guint n, const WgEndpoint *source, gint64 now);

G_END_DECLS
