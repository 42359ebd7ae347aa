/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * service-names.h: a GResolver that asks the name servers of the network below a connection, beside
 * its tunnel, for culvert_tunnel_set_resolver_beside(). NetworkManager says which these are, each
 * time anew.
 *
 * Belongs to the main thread.
 */
#pragma once

#include "tunnel/culvert-tunnel.h"

G_BEGIN_DECLS

#define CULVERT_TYPE_NAMES (culvert_names_get_type())
G_DECLARE_FINAL_TYPE(CulvertNames, culvert_names, CULVERT, NAMES, GResolver)

/* culvert_names_new: asks NetworkManager on `bus`. */
CulvertNames *culvert_names_new(GDBusConnection *bus);

/* culvert_names_follow: beside this tunnel, whose uplink and firewall mark are used; until it is
 * gone. Borrowed. */
void culvert_names_follow(CulvertNames *self, CulvertTunnel *tunnel);

/* culvert_names_read_servers: of the interface called `ifname` with the index `ifindex`, as
 * NetworkManager's DnsManager has it in its property Configuration, an aa{sv}; those that take
 * queries in the clear at port 53. (transfer full) (element-type GInetSocketAddress) */
GPtrArray *culvert_names_read_servers(GVariant *configuration, const char *ifname, guint ifindex);

G_END_DECLS
