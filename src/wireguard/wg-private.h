/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wg-private.h: the inside of device, peer and keypair, shared by the files of this folder alone.
 *
 * Who may touch what: fields under "control" belong to the control thread. Fields under "shared"
 * are read and written by any thread with the device's lock held. The rest does not change.
 * Functions whose name ends in _locked want the lock held.
 *
 * Lock and reference counts are those of POSIX and C11: ThreadSanitizer sees them, GLib's it does
 * not.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "wg-agenda.h"
#include "wg-allowedips.h"
#include "wg-cookie.h"
#include "wg-ratelimiter.h"
#include "wg-replay.h"
#include "wg-noise.h"
#include "wg-timers.h"
#include "wireguard.h"

G_BEGIN_DECLS

/* ---- Keypair: the two transport keys of a session (wg-keypair.c) ---------------------------- */

struct _WgKeypair {
    atomic_uint refs;
    guint64 id;  /* names the sending key to WgAead; id + 1 the receiving one */
    WgKey *keys; /* [0] sending, [1] receiving; secret memory */
    guint32 local_index;
    guint32 remote_index;
    gint64 born;
    gboolean initiator;
    WgPeer *peer; /* borrowed: a keypair in use is reached through its peer or with a reference on
                     it */

    /* shared */
    gboolean may_send;
    guint64 next_counter;
    WgReplay replay;
};

/* wg_keypair_new: `keys` (secret memory, two keys) is taken over. */
WgKeypair *wg_keypair_new(WgPeer *peer, WgKey *keys, guint32 local_index, guint32 remote_index,
                          gboolean initiator, gint64 now);
WgKeypair *wg_keypair_ref(WgKeypair *keypair);
void wg_keypair_unref(WgKeypair *keypair);

/* wg_keypair_can_send_locked, wg_keypair_can_receive_locked: young enough and with counters left,
 * to send `n` more packets. */
gboolean wg_keypair_can_send_locked(const WgKeypair *keypair, guint n, gint64 now);
gboolean wg_keypair_can_receive_locked(const WgKeypair *keypair, gint64 now);

/* The three slots of a peer (paper 6.3; kernel: noise.c). */
void wg_keypairs_add_locked(WgPeer *peer, WgKeypair *keypair);

/* wg_keypairs_confirm_locked: an authentic packet came under `keypair`; TRUE if that made it the
 * current one. */
gboolean wg_keypairs_confirm_locked(WgPeer *peer, WgKeypair *keypair);
void wg_keypairs_clear_locked(WgPeer *peer);

/* wg_keypairs_expire_locked: nothing more is sent under the present keys. */
void wg_keypairs_expire_locked(WgPeer *peer);

/* ---- Peer (wg-peer.c) ----------------------------------------------------------------------- */

/* A packet that waits for a session; len 0: a keepalive. */
typedef struct {
    gint64 staged_at;
    gsize len;
    guint8 data[];
} WgStaged;

/* An initiation of ours that waits for its response. Secret memory. */
typedef struct {
    WgNoise noise;
    WgKey ephemeral;
    guint32 index;
} WgHandshake;

typedef struct {
    WgKey preshared;
    WgKey static_shared; /* X25519 of both static keys; zero: impossible, never talk to it */
} WgPeerSecrets;

/* What wg_device_run() has to do for a peer. */
typedef enum {
    WG_WORK_INITIATE = 1 << 0,
    WG_WORK_INITIATE_NOW = 1 << 1, /* even within REKEY_TIMEOUT of the last one */
    WG_WORK_FLUSH = 1 << 2,        /* there is a session: send what waits */
    WG_WORK_KEEPALIVE = 1 << 3,
    WG_WORK_SESSION = 1 << 4, /* tell the owner */
    WG_WORK_MOVED = 1 << 5,   /* likewise */
} WgWork;

struct _WgPeer {
    atomic_uint refs;
    WgDevice *device;
    WgKey public_key;

    /* control */
    WgPeerSecrets *secrets;
    WgHandshake *handshake; /* NULL: none is running */
    WgCookieMaker cookie;
    guint8 latest_timestamp[WG_TIMESTAMP_SIZE]; /* greatest in an initiation received */
    gint64 initiation_received;                 /* G_MININT64: never */
    gint64 handshake_sent;                      /* initiation or response; G_MININT64: never */

    /* shared */
    gboolean removed;
    WgKeypair *current, *previous, *next;
    WgEndpoint endpoint;
    WgTimers timers;
    GQueue staged; /* of WgStaged */
    gboolean
        flushing; /* what was staged is sealed, but perhaps not sent: nothing may overtake it */
    guint work;   /* WgWork */
    WgAgendaItem item; /* due at once with `work`, else no later than the timers */
    WgPeerStats stats;
};

WgPeer *wg_peer_new(WgDevice *device, const WgKey *public_key);

/* wg_peer_update_static_shared: after a change of our private key. [control] */
void wg_peer_update_static_shared(WgPeer *peer);

void wg_peer_stage_locked(WgPeer *peer, const guint8 *packet, gsize len, gint64 now);

/* wg_peer_forget_late_locked: drops what has waited for longer than an attempt may take. */
void wg_peer_forget_late_locked(WgPeer *peer, gint64 now);
void wg_peer_purge_staged_locked(WgPeer *peer);

/* wg_peer_clear_handshake: forgets a running initiation. [control] */
void wg_peer_clear_handshake(WgPeer *peer);

/* wg_peer_wipe_keys: of sessions and of a running initiation. What is staged stays. [control] */
void wg_peer_wipe_keys(WgPeer *peer);

/* wg_peer_set_endpoint_locked: a datagram of the peer's arrived from there; TRUE: call
 * wg_device_wake() once unlocked. */
gboolean wg_peer_set_endpoint_locked(WgPeer *peer, const WgEndpoint *endpoint);
gboolean wg_peer_has_endpoint_locked(const WgPeer *peer);

/* The time in the agenda of a peer with work. */
#define WG_AT_ONCE G_MININT64

/* wg_peer_need_locked: asks wg_device_run() for work; TRUE: call wg_device_wake() once unlocked. */
gboolean wg_peer_need_locked(WgPeer *peer, WgWork work);

/* wg_peer_reschedule_locked: to be called after every change of timers; TRUE: call
 * wg_device_wake() once unlocked, unless wg_device_run() follows anyway. */
gboolean wg_peer_reschedule_locked(WgPeer *peer);

/* ---- Device (wg-device.c) ------------------------------------------------------------------- */

/* What a receiver index stands for. */
typedef struct {
    guint32 index;
    WgPeer *peer;
    WgKeypair *keypair; /* NULL: a running initiation */
} WgIndexEntry;

struct _WgDevice {
    WgWakeFunc wake;
    gpointer wake_data;

    /* control */
    WgKey *private_key; /* secret memory; NULL: none */
    WgKey public_key;
    WgCookieChecker checker;
    WgRatelimiter *limiter;
    GPtrArray *peers;
    GHashTable *peers_by_key;                 /* WgKey * in the peer -> WgPeer * */
    GQueue output;                            /* of WgOutput */
    WgAead *aead;                             /* the control thread's */
    guint8 last_timestamp[WG_TIMESTAMP_SIZE]; /* in an initiation of ours */
    gint64 real_offset;                       /* wall clock minus `now` */
    gint64 last_now;                          /* as of the last call that told */
    gboolean up;

    /* shared */
    pthread_mutex_t lock;
    pthread_cond_t flushed; /* signalled when peers stop being `flushing` */
    GPtrArray *flushing;    /* those peers, referenced */
    WgAllowedIps *allowed_ips;
    GHashTable *indices; /* index -> WgIndexEntry */
    WgAgenda agenda;     /* of peers */
    gint64 next_run;     /* the deadline that the owner knows */
    gboolean has_work;   /* some peer's `work` is not 0, and the owner knows */
    WgMtus mtus;
    WgDeviceStats stats;
};

/* wg_device_key_hash: of a WgKey, not to be foreseen; the same within one process. */
guint wg_device_key_hash(gconstpointer key);

/* wg_device_wake: calls the owner; without the lock. */
void wg_device_wake(WgDevice *device);

/* wg_padding_bound: up to how many bytes a packet of `len` may be padded. */
guint wg_padding_bound(const WgMtus *mtus, gsize len);

/* Indices: random, unique among those in use (paper 5.4.2). */
guint32 wg_index_new_locked(WgDevice *device, WgPeer *peer);
WgIndexEntry *wg_index_find_locked(WgDevice *device, guint32 index);
void wg_index_remove_locked(WgDevice *device, guint32 index);

/* wg_device_keys_gone: keys of `peer`, which may be NULL, were wiped: so must those be that AEAD
 * tools remember, ours at once. [control] */
void wg_device_keys_gone(WgDevice *device, WgPeer *peer);

/* wg_device_push: queues output; `data` is copied. [control] */
void wg_device_push(WgDevice *device, WgOutputType type, WgPeer *peer, const WgEndpoint *endpoint,
                    const guint8 *data, gsize len, guint8 tos);

/* ---- Handshakes (wg-handshake.c), all [control] --------------------------------------------- */

typedef enum {
    WG_INITIATE_WANTED, /* a session is wanted, or a younger one */
    WG_INITIATE_AGAIN,  /* the timers ask for it */
    WG_INITIATE_NOW,    /* at once, whatever was sent before: for a new endpoint */
} WgInitiate;

/* wg_handshake_initiate: sends an initiation. Unless NOW, not within REKEY_TIMEOUT of the last one,
 * or of a response: then later, if packets wait for it. */
void wg_handshake_initiate(WgPeer *peer, WgInitiate why, gint64 now, gint64 real_us);

/* wg_timestamp: writes the TAI64N label of the wall clock, always greater than `last`, and
 * remembers it there. Rounded down so that it does not tell how fast this machine is. */
void wg_timestamp(guint8 last[WG_TIMESTAMP_SIZE], gint64 real_us, guint8 out[WG_TIMESTAMP_SIZE]);

/* ---- Transport (wg-transport.c) ------------------------------------------------------------- */

/* wg_transport_flush: seals and queues what is staged; asks for a handshake if it cannot.
 * [control] */
void wg_transport_flush(WgPeer *peer, gint64 now);

/* wg_transport_keepalive: sends an empty packet, or what is staged. [control] */
void wg_transport_keepalive(WgPeer *peer, gint64 now);

G_END_DECLS
