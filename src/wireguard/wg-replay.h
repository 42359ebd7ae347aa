/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wg-replay.h: which counters of a key have been seen: the sliding window of RFC 6479.
 *
 * Not locked: the caller makes sure that one thread at a time uses a window.
 */
#pragma once

#include <glib.h>

#include "wg-constants.h"

G_BEGIN_DECLS

typedef struct {
    guint64 greatest; /* one more than the greatest counter seen; 0: none yet */
    guint64 ring[WG_REPLAY_BITS / 64];
} WgReplay;

void wg_replay_init(WgReplay *replay);

/* wg_replay_check: TRUE, and remembered, if `counter` is new, at most WG_REPLAY_WINDOW behind the
 * greatest one, and below WG_REJECT_AFTER_MESSAGES. To be called only for authentic packets. */
gboolean wg_replay_check(WgReplay *replay, guint64 counter);

G_END_DECLS
