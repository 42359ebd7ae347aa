/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wg-timers.c: the intervals of paper 6.1 to 6.5 and how events arm and cancel them. The rules the
 * paper leaves open follow the kernel's drivers/net/wireguard/timers.c.
 */
#include "wg-timers.h"

#include "wg-crypto.h"

#define NEVER G_MAXINT64

static gint64 jitter(void)
{
    return wg_random_below((guint32) WG_REKEY_JITTER);
}

void wg_timers_init(WgTimers *timers)
{
    *timers = (WgTimers){0};
    wg_timers_stop(timers);
}

void wg_timers_start(WgTimers *timers, gint64 now)
{
    timers->up = TRUE;
    timers->new_handshake_jitter = jitter();
    if (timers->keepalive_interval > 0)
        timers->persistent_keepalive = now;
}

void wg_timers_stop(WgTimers *timers)
{
    timers->retransmit = NEVER;
    timers->new_handshake = NEVER;
    timers->passive_keepalive = NEVER;
    timers->persistent_keepalive = NEVER;
    timers->zero_keys = NEVER;
    timers->attempts = 0;
    timers->up = FALSE;
    timers->again_keepalive = FALSE;
    timers->rekeyed_late = FALSE;
}

void wg_timers_data_sent(WgTimers *timers, gint64 now)
{
    if (timers->up && timers->new_handshake == NEVER)
        timers->new_handshake =
            now + WG_KEEPALIVE_TIMEOUT + WG_REKEY_TIMEOUT + timers->new_handshake_jitter;
}

void wg_timers_data_received(WgTimers *timers, gint64 now)
{
    if (!timers->up)
        return;
    if (timers->passive_keepalive == NEVER)
        timers->passive_keepalive = now + WG_KEEPALIVE_TIMEOUT;
    else
        timers->again_keepalive = TRUE;
}

void wg_timers_authenticated_sent(WgTimers *timers, gint64 now)
{
    /* It also answers the data that came after the timer was armed. */
    timers->passive_keepalive = NEVER;
    timers->again_keepalive = FALSE;
}

void wg_timers_authenticated_received(WgTimers *timers, gint64 now)
{
    timers->new_handshake = NEVER;
}

void wg_timers_authenticated_traversal(WgTimers *timers, gint64 now)
{
    if (timers->up && timers->keepalive_interval > 0)
        timers->persistent_keepalive = now + timers->keepalive_interval * WG_SECOND;
}

void wg_timers_initiation_sent(WgTimers *timers, gint64 now)
{
    if (timers->up)
        timers->retransmit = now + WG_REKEY_TIMEOUT + jitter();
}

void wg_timers_initiation_delayed(WgTimers *timers, gint64 earliest)
{
    if (timers->up && timers->retransmit == NEVER)
        timers->retransmit = earliest + jitter();
}

void wg_timers_handshake_wanted(WgTimers *timers)
{
    if (timers->retransmit == NEVER)
        timers->attempts = 0;
}

void wg_timers_handshake_dropped(WgTimers *timers)
{
    timers->retransmit = NEVER;
    timers->attempts = 0;
}

void wg_timers_handshake_complete(WgTimers *timers, gint64 now)
{
    timers->retransmit = NEVER;
    timers->attempts = 0;
    timers->rekeyed_late = FALSE;
}

void wg_timers_session_derived(WgTimers *timers, gint64 now)
{
    if (!timers->up)
        return;
    timers->zero_keys = now + 3 * WG_REJECT_AFTER_TIME;
    timers->new_handshake_jitter = jitter();
}

gboolean wg_timers_set_keepalive(WgTimers *timers, guint16 seconds, gint64 now)
{
    gboolean turned_on = timers->keepalive_interval == 0 && seconds > 0;

    timers->keepalive_interval = seconds;
    if (!timers->up)
        return FALSE;
    timers->persistent_keepalive = seconds > 0 ? now + seconds * WG_SECOND : NEVER;
    return turned_on;
}

gint64 wg_timers_next(const WgTimers *timers)
{
    gint64 next = MIN(timers->retransmit, timers->new_handshake);

    next = MIN(next, timers->passive_keepalive);
    next = MIN(next, timers->persistent_keepalive);
    return MIN(next, timers->zero_keys);
}

static gboolean take(gint64 *deadline, gint64 now)
{
    if (*deadline > now)
        return FALSE;
    *deadline = NEVER;
    return TRUE;
}

static WgDue expire_retransmit(WgTimers *timers, gint64 now)
{
    if (timers->attempts > WG_MAX_RETRANSMISSIONS) {
        timers->attempts = 0;
        timers->passive_keepalive = NEVER;
        if (timers->zero_keys == NEVER)
            timers->zero_keys = now + 3 * WG_REJECT_AFTER_TIME;
        return WG_DUE_GIVE_UP;
    }
    timers->attempts++;
    return WG_DUE_INITIATION | WG_DUE_CLEAR_LOCAL;
}

WgDue wg_timers_expire(WgTimers *timers, gint64 now)
{
    gboolean running = timers->retransmit != NEVER;
    WgDue due = WG_DUE_NOTHING;

    if (take(&timers->retransmit, now))
        due |= expire_retransmit(timers, now);
    if (take(&timers->new_handshake, now)) {
        /* Data that goes out under a key still valid must not hide that nobody has answered the
         * handshake under way; the kernel counts anew, and so tells of silence minutes later. */
        if (!running)
            timers->attempts = 0;
        due |= WG_DUE_INITIATION | WG_DUE_CLEAR_LOCAL;
    }
    if (take(&timers->passive_keepalive, now)) {
        due |= WG_DUE_KEEPALIVE;
        if (timers->again_keepalive) {
            timers->again_keepalive = FALSE;
            timers->passive_keepalive = now + WG_KEEPALIVE_TIMEOUT;
        }
    }
    if (take(&timers->persistent_keepalive, now)) {
        /* Armed again by the keepalive's own way out; this covers a keepalive that cannot leave. */
        timers->persistent_keepalive = now + timers->keepalive_interval * WG_SECOND;
        due |= WG_DUE_KEEPALIVE;
    }
    if (take(&timers->zero_keys, now))
        due |= WG_DUE_ZERO_KEYS;
    return due;
}
