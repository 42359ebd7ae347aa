/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * service-reason.h: why NetworkManager ends a connection. It calls Disconnect whatever the reason:
 * somebody wants it, the uplink is gone, the connection failed, NetworkManager itself ends. The
 * reason is in a signal that it sends before, VpnStateChanged
 * (NetworkManager, src/core/vpn/nm-vpn-connection.c, _set_vpn_state()).
 *
 * Belongs to the main thread.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

typedef struct _CulvertReason CulvertReason;

/* culvert_reason_watch: listens from now on for what becomes of the active connection with that
 * UUID. */
CulvertReason *culvert_reason_watch(GDBusConnection *bus, const char *uuid);
void culvert_reason_free(CulvertReason *self);

/* culvert_reason_is_wanted: whether it ends because somebody said so: disconnected it, or deleted
 * its profile. */
gboolean culvert_reason_is_wanted(const CulvertReason *self);

G_END_DECLS
