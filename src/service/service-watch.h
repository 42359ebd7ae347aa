/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * service-watch.h: keeps a connection that was there: when to look for its gateway anew, and when
 * to give it up.
 *
 * Belongs to the main thread.
 */
#pragma once

#include "profile/culvert-profile.h"
#include "tunnel/culvert-tunnel.h"

G_BEGIN_DECLS

#define CULVERT_TYPE_WATCH (culvert_watch_get_type())
G_DECLARE_FINAL_TYPE(CulvertWatch, culvert_watch, CULVERT, WATCH, GObject)

/*
 * "gone" (const GError *error): the gateway has not answered for too long, and the connection is
 *     not to persist.
 */

/* culvert_watch_new: watches `tunnel`, which has a session with the peer `gateway` (in base64).
 * Borrows `profile`, for the endpoints of its peers. */
CulvertWatch *culvert_watch_new(CulvertTunnel *tunnel, const CulvertProfile *profile,
                                const char *gateway);

/* culvert_watch_set_persistent: TRUE: the gateway is never "gone". */
void culvert_watch_set_persistent(CulvertWatch *self, gboolean persistent);

/* culvert_watch_is_ending: the gateway is silent, and will be "gone" if it stays so. */
gboolean culvert_watch_is_ending(const CulvertWatch *self);

/* culvert_watch_dial: looks for a peer at each of its endpoints. */
void culvert_watch_dial(CulvertTunnel *tunnel, const CulvertProfilePeer *peer);

/* culvert_watch_grace_seconds: how long a silent gateway still has; a variable for tests. */
extern guint culvert_watch_grace_seconds;

G_END_DECLS
