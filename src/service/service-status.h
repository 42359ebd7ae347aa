/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * service-status.h: how the connection is, for everybody on the system bus: the interface
 * org.freedesktop.NetworkManager.culvert.Status at CULVERT_STATUS_PATH, described member by
 * member in nm-culvert-service(8). It shows no secret and changes nothing.
 *
 * Belongs to the main thread.
 */
#pragma once

#include "tunnel/culvert-tunnel.h"

G_BEGIN_DECLS

/* A path of its own: the bus's policy opens it to all users, whatever the service's name is. */
#define CULVERT_STATUS_PATH "/org/freedesktop/NetworkManager/culvert/Status"

#define CULVERT_TYPE_STATUS (culvert_status_get_type())
G_DECLARE_FINAL_TYPE(CulvertStatus, culvert_status, CULVERT, STATUS, GObject)

/* culvert_status_new: offers the status on `bus`, "idle" until there is a tunnel; to be called
 * before a name is owned there, as who sees the name may ask at once. */
CulvertStatus *culvert_status_new(GDBusConnection *bus, GError **error);

/* culvert_status_follow: shows `tunnel` from now on, which has its peers and listens, as the
 * connection named `id` with the UUID `uuid`. */
void culvert_status_follow(CulvertStatus *self, CulvertTunnel *tunnel, const char *id,
                           const char *uuid);

/* culvert_status_unfollow: "idle" again; to be called before the tunnel is stopped. Idempotent. */
void culvert_status_unfollow(CulvertStatus *self);

G_END_DECLS
