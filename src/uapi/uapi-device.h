/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * uapi-device.h: configuration requests as they act on a tunnel, and the answer to get=1.
 * [control] thread of the tunnel.
 */
#pragma once

#include "tunnel/culvert-tunnel.h"
#include "uapi-request.h"

G_BEGIN_DECLS

/* uapi_device_apply: does what a set request asks for, all or nothing. Returns 0 or a positive
 * errno: EADDRINUSE for the port, EPERM for the mark. */
int uapi_device_apply(CulvertTunnel *tunnel, const UapiSet *set);

/* uapi_device_print: the answer to get=1, without errno and the empty line. Holds the
 * private key: wipe it, see wg_wipe(). (transfer full) */
GString *uapi_device_print(CulvertTunnel *tunnel);

G_END_DECLS
