/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wg-ratelimiter.h: a token bucket per source address, for handshake messages under load: 20 a
 * second, 5 at once, per IPv4 address or IPv6 /64 (kernel: ratelimiter.c). Bounded in size.
 *
 * [control]: not locked.
 */
#pragma once

#include "wireguard.h"

G_BEGIN_DECLS

typedef struct _WgRatelimiter WgRatelimiter;

WgRatelimiter *wg_ratelimiter_new(void);
void wg_ratelimiter_free(WgRatelimiter *limiter);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(WgRatelimiter, wg_ratelimiter_free)

/* wg_ratelimiter_allow: whether one more message from `source` is within its share. */
gboolean wg_ratelimiter_allow(WgRatelimiter *limiter, const WgEndpoint *source, gint64 now);

guint wg_ratelimiter_size(const WgRatelimiter *limiter);

G_END_DECLS
