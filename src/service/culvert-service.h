/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-service.h: NetworkManager's side of the program: its calls, and the signals it expects.
 *
 * A thin subclass of NMVpnServicePlugin, which owns the D-Bus interface, the state and the signal
 * "quit". What is decided about a connection is decided in culvert-connection.c.
 */
#pragma once

#include <NetworkManager.h>

G_BEGIN_DECLS

#define CULVERT_TYPE_SERVICE (culvert_service_get_type())
G_DECLARE_FINAL_TYPE(CulvertService, culvert_service, CULVERT, SERVICE, NMVpnServicePlugin)

/* culvert_service_new: offers the service on the system bus under `bus_name`. `persist`: outlive
 * the connection and its NetworkManager; otherwise "quit" is emitted when either ends. */
CulvertService *culvert_service_new(const char *bus_name, gboolean persist, GError **error);

G_END_DECLS
