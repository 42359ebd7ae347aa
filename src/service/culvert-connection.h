/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-connection.h: one connection while it runs: the tunnel, its device and the decisions
 * between them. It knows nothing of D-Bus: the service carries its words to NetworkManager.
 *
 * Belongs to the main thread.
 */
#pragma once

#include "profile/culvert-profile.h"
#include "service-firewall.h"
#include "service-names.h"
#include "tunnel/culvert-tunnel.h"

G_BEGIN_DECLS

#define CULVERT_TYPE_CONNECTION (culvert_connection_get_type())
G_DECLARE_FINAL_TYPE(CulvertConnection, culvert_connection, CULVERT, CONNECTION, GObject)

/* How long a gateway has to answer. NetworkManager gives a connection 60 seconds, or what
 * vpn.timeout says, and a person less. */
#define CULVERT_CONNECTION_DEADLINE_SECONDS 18

/*
 * Signals, never emitted from within culvert_connection_start().
 *
 * "ready": there is a session with a peer, and a device: the dictionaries can be had.
 * "config-changed": the gateway is at another address, or the path to it carries less or more than
 *     before: Config is a new one.
 * "failed" (const GError *error): it is over, for the reason that was logged; to be stopped.
 */

/* culvert_connection_new: takes `profile` (transfer full), with its secrets. `id` is the
 * connection's name, for the log; `uuid` its UUID, which an Ethernet device's hardware address is
 * made of; `ifname` the name its device shall have, or NULL; `timeout` the profile's vpn.timeout in
 * seconds, 0: none; `persistent` its vpn.persistent: a gateway that falls silent is waited for
 * without end. */
CulvertConnection *culvert_connection_new(CulvertProfile *profile, const char *id, const char *uuid,
                                          const char *ifname, guint timeout, gboolean persistent);

/* culvert_connection_set_firewall: the firewall to begin with, before the start. Takes `firewall`
 * (transfer full). */
void culvert_connection_set_firewall(CulvertConnection *self, CulvertServiceFirewall *firewall);

/* culvert_connection_set_names: whom to ask for the gateway's name beside the tunnel, before the
 * start; without, only the system's resolver is asked. */
void culvert_connection_set_names(CulvertConnection *self, CulvertNames *names);

/* culvert_connection_start: opens the sockets and begins to look for the gateway. Does not block,
 * and creates no device. Errors, in NM_VPN_PLUGIN_ERROR, say which setting is at fault. */
gboolean culvert_connection_start(CulvertConnection *self, GError **error);

/* culvert_connection_disconnect: because NetworkManager wants it to end: logs what it was good for,
 * or what was tried in vain until now, and stops it. `wanted`: because somebody wants it, so that
 * the kill switch goes, too. */
void culvert_connection_disconnect(CulvertConnection *self, gboolean wanted);

/* culvert_connection_stop: ends everything and removes the device. Idempotent; the last unref does
 * it, too. */
void culvert_connection_stop(CulvertConnection *self);

/* culvert_connection_get_tunnel: to look at while it runs; NULL before and after. Borrowed. */
CulvertTunnel *culvert_connection_get_tunnel(CulvertConnection *self);

/* The dictionaries for NetworkManager (see service-config.h), from "ready" on; for the latter two
 * NULL if that family is not used. (transfer full) */
GVariant *culvert_connection_build_config(CulvertConnection *self);
GVariant *culvert_connection_build_ip4_config(CulvertConnection *self);
GVariant *culvert_connection_build_ip6_config(CulvertConnection *self);

G_END_DECLS
