/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * service-bridge.h: makes the connection's Ethernet device a port of a bridge, which NetworkManager
 * does for no VPN. The bridge is somebody else's: it is neither made nor removed here.
 */
#pragma once

#include "tun/culvert-tun.h"

G_BEGIN_DECLS

typedef struct _CulvertServiceBridge CulvertServiceBridge;

/* culvert_service_bridge_check: whether `name` is a bridge in this network namespace; `error`
 * (NM_VPN_PLUGIN_ERROR_BAD_ARGUMENTS) is for the user. Needs CAP_NET_ADMIN. */
gboolean culvert_service_bridge_check(const char *name, GError **error);

/* culvert_service_bridge_join: makes `tun`, which has to outlive this, a port of the bridge `name`.
 * When the bridge goes and one of that name comes, it becomes a port of that. NULL: `error` is for
 * the user. Main thread. */
CulvertServiceBridge *culvert_service_bridge_join(const char *name, CulvertTun *tun,
                                                  GError **error);
void culvert_service_bridge_free(CulvertServiceBridge *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(CulvertServiceBridge, culvert_service_bridge_free)

G_END_DECLS
