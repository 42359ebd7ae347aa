/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-import.h: a whole NetworkManager profile from and to a .conf.
 *
 * How the one becomes the other:
 *   file name          connection.id. Not connection.interface-name, which native import sets: two
 *                      files, or imports, of one name must be able to be up at the same time.
 *   Address            the first of each family: vpn.data address, with method auto; the others:
 *                      ipv4.addresses, ipv6.addresses. A family without one is disabled.
 *   TapAddress         of an Ethernet device likewise: the first of each family: vpn.data
 *                      tap-address; the others: ipv4.addresses, ipv6.addresses
 *   DNS                vpn.data dns. Without a search domain all names are meant: dns-search "~"
 *                      says so to NetworkManager, as its own import of WireGuard does.
 *   Table = off        ignore-auto-routes and never-default
 *   Table = NUMBER     route-table
 *   the keys           vpn.secrets, kept by NetworkManager ("system-owned") unless the file says
 *                      otherwise, so that the connection can be activated without an agent
 *   all else           vpn.data, as the table of options says
 *
 * Any thread; blocks on files.
 */
#pragma once

#include "culvert-conf.h"

G_BEGIN_DECLS

/* culvert_import_conf: a complete profile with a new UUID. (transfer full) */
NMConnection *culvert_import_conf(const CulvertConf *conf, const char *id, GError **error);

/* culvert_export_conf: the reverse; refuses connections of other types and with faults. Its
 * warnings name what does not fit into a .conf. */
CulvertConf *culvert_export_conf(NMConnection *connection, GError **error);

/* culvert_conf_read_file: reads a file that is a .conf. (transfer full) */
CulvertConf *culvert_conf_read_file(const char *path, GError **error);

/* culvert_import_file: reads a file. `warnings` gets the lines to show to the user, maybe
 * none. (transfer full) */
NMConnection *culvert_import_file(const char *path, GPtrArray **warnings, GError **error);

/* culvert_export_file: writes a file that only its owner may read, whole or not at all. */
gboolean culvert_export_file(NMConnection *connection, const char *path, GPtrArray **warnings,
                             GError **error);

/* culvert_export_suggest_name: the name to suggest for an export. (transfer full) */
char *culvert_export_suggest_name(NMConnection *connection);

G_END_DECLS
