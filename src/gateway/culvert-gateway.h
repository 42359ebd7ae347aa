/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-gateway.h: a tunnel as an interface of its own, configured by `wg`: the device, the
 * configuration socket, and sockets that are open while the interface is up.
 */
#pragma once

#include <gio/gio.h>

#include "gateway-ethernet.h"
#include "tun/culvert-tun.h"

G_BEGIN_DECLS

#define CULVERT_TYPE_GATEWAY (culvert_gateway_get_type())
G_DECLARE_FINAL_TYPE(CulvertGateway, culvert_gateway, CULVERT, GATEWAY, GObject)

/*
 * Signal "ended" (): the interface or the socket was removed; time to go.
 */

/* culvert_gateway_new: creates the interface and its socket, in the thread-default main context. Of
 * `device` the name, which must not be a pattern, and whom it belongs to count. Errors are for
 * people. */
CulvertGateway *culvert_gateway_new(const CulvertTunOptions *device,
                                    const GatewayEthernet *ethernet, GError **error);

G_END_DECLS
