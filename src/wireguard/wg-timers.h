/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wg-timers.h: when a peer has to do something of itself: the only file that knows the intervals
 * of paper 6.1 and how they depend on each other.
 *
 * Other files report what happened; wg_timers_expire() says what is due. Plain data without a
 * lock and without a clock: `now` in microseconds, as in wireguard.h. Deadlines are G_MAXINT64
 * while not set.
 */
#pragma once

#include <glib.h>

#include "wg-constants.h"

G_BEGIN_DECLS

typedef struct {
    gint64 retransmit;           /* initiation unanswered: send it again, or give up */
    gint64 new_handshake;        /* data sent, nothing came back: handshake */
    gint64 new_handshake_jitter; /* drawn once a session: random bytes take as long as a packet */
    gint64 passive_keepalive;
    gint64 persistent_keepalive;
    gint64 zero_keys;
    guint attempts;             /* retransmissions of the running handshake */
    guint16 keepalive_interval; /* persistent, seconds; 0: off */
    gboolean up;                /* while FALSE nothing is armed */
    gboolean again_keepalive;   /* data came while the passive keepalive was armed */
    gboolean rekeyed_late;      /* a receiver asks for a new session once in its last minute */
} WgTimers;

/* What is due: a set. */
typedef enum {
    WG_DUE_NOTHING = 0,
    WG_DUE_INITIATION = 1 << 0,  /* send an initiation (the timer counted it) */
    WG_DUE_GIVE_UP = 1 << 1,     /* too many unanswered: drop what waits */
    WG_DUE_KEEPALIVE = 1 << 2,   /* send an empty packet */
    WG_DUE_ZERO_KEYS = 1 << 3,   /* wipe all keys of the peer */
    WG_DUE_CLEAR_LOCAL = 1 << 4, /* forget the local address: it may be why nothing answers */
} WgDue;

void wg_timers_init(WgTimers *timers);

/* wg_timers_start, wg_timers_stop: interface up and down. */
void wg_timers_start(WgTimers *timers, gint64 now);
void wg_timers_stop(WgTimers *timers);

/* Reports. "Authenticated" includes handshake messages and keepalives; "data" excludes them. */
void wg_timers_data_sent(WgTimers *timers, gint64 now);
void wg_timers_data_received(WgTimers *timers, gint64 now);
void wg_timers_authenticated_sent(WgTimers *timers, gint64 now);
void wg_timers_authenticated_received(WgTimers *timers, gint64 now);
void wg_timers_authenticated_traversal(WgTimers *timers, gint64 now);
void wg_timers_initiation_sent(WgTimers *timers, gint64 now);
/* wg_timers_initiation_delayed: one is wanted, but may not be sent before `earliest`. */
void wg_timers_initiation_delayed(WgTimers *timers, gint64 earliest);
/* wg_timers_handshake_wanted: an initiation is about to be sent that is no retransmission: unless
 * one is being repeated, counting begins anew. wg_timers_handshake_dropped: no answer is waited
 * for any more. */
void wg_timers_handshake_wanted(WgTimers *timers);
void wg_timers_handshake_dropped(WgTimers *timers);
void wg_timers_handshake_complete(WgTimers *timers, gint64 now);
void wg_timers_session_derived(WgTimers *timers, gint64 now);

/* wg_timers_set_keepalive: TRUE if a keepalive should be sent at once. */
gboolean wg_timers_set_keepalive(WgTimers *timers, guint16 seconds, gint64 now);

/* wg_timers_next: the earliest deadline; G_MAXINT64: none. */
gint64 wg_timers_next(const WgTimers *timers);

/* wg_timers_expire: clears what is due at `now` and says what to do. */
WgDue wg_timers_expire(WgTimers *timers, gint64 now);

G_END_DECLS
