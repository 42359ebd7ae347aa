/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-uapi.h: the socket through which `wg` configures and shows a tunnel in user space:
 * /run/wireguard/NAME.sock (https://www.wireguard.com/xplatform/).
 */
#pragma once

#include "tunnel/culvert-tunnel.h"

G_BEGIN_DECLS

#define CULVERT_TYPE_UAPI (culvert_uapi_get_type())
G_DECLARE_FINAL_TYPE(CulvertUapi, culvert_uapi, CULVERT, UAPI, GObject)

/*
 * Signal "removed" (): the socket's file was deleted, which is how wg-quick(8) ends a tunnel.
 * Signal "configured" (): a request has changed the tunnel's settings.
 */

/* culvert_uapi_new: listens for `wg` on the socket for the interface `name`, in the thread-default
 * main context. `read_only`: refuses set requests. The socket is for root alone. Fails with
 * G_IO_ERROR_ADDRESS_IN_USE if another program answers on that socket; one that nobody answers on
 * is replaced. */
CulvertUapi *culvert_uapi_new(CulvertTunnel *tunnel, const char *name, gboolean read_only,
                              GError **error);

/* culvert_uapi_close: removes the socket and hangs up; idempotent, done by the last unref too. */
void culvert_uapi_close(CulvertUapi *self);

G_END_DECLS
