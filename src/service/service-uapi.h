/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * service-uapi.h: the socket through which root's `wg show` sees a connection's device.
 */
#pragma once

#include "uapi/culvert-uapi.h"

G_BEGIN_DECLS

/* culvert_service_uapi_open: opens the configuration socket for the tunnel's device `name`, as the
 * environment variable CULVERT_UAPI says: "read-only", the default; "read-write", so that `wg set`
 * works; "off". NULL if it is off or cannot be had, which is logged: a connection does without.
 * (transfer full) */
CulvertUapi *culvert_service_uapi_open(CulvertTunnel *tunnel, const char *name);

G_END_DECLS
