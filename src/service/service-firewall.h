/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * service-firewall.h: a connection's tables in nftables, from before its first datagram on: the
 * kill switch, if the profile has one, and what keeps strangers' packets off the tunnel's
 * addresses. See src/firewall/culvert-firewall.h for what is in them.
 *
 * The kill switch is there from culvert_service_firewall_begin() until somebody wants the
 * connection to end. It is not taken away when the connection fails, or this process does; the
 * next connection to begin finds it, and replaces or removes it.
 *
 * Belongs to the main thread.
 */
#pragma once

#include "firewall/culvert-firewall.h"
#include "profile/culvert-profile.h"

G_BEGIN_DECLS

typedef struct _CulvertServiceFirewall CulvertServiceFirewall;

/* culvert_service_firewall_new: for a connection with that profile; `connection` is the whole of
 * it, of which name, UUID and further addresses are taken. Does nothing yet. */
CulvertServiceFirewall *culvert_service_firewall_new(const CulvertProfile *profile,
                                                     NMConnection *connection);

/* culvert_service_firewall_mark: what the tunnel's datagrams have to be marked with, 0: nothing.
 */
guint32 culvert_service_firewall_mark(const CulvertServiceFirewall *self);

/* culvert_service_firewall_begin: before anything is sent or resolved: removes what is stale, and
 * puts the kill switch in place. Fails, in NM_VPN_PLUGIN_ERROR, only if the profile wants one. */
gboolean culvert_service_firewall_begin(CulvertServiceFirewall *self, GError **error);

/* culvert_service_firewall_ready: there is a session, and a device with the index `ifindex`, which
 * has no address yet: protects the addresses, and ends the system's look-ups of names past the kill
 * switch: what is asked from then on has the mark.
 * Fails as before. */
gboolean culvert_service_firewall_ready(CulvertServiceFirewall *self, guint ifindex,
                                        GError **error);

/* culvert_service_firewall_end: takes everything away and frees `self`. `wanted`: somebody wants
 * the connection to end; otherwise the kill switch stays if the connection was ready once, or if it
 * was there before. */
void culvert_service_firewall_end(CulvertServiceFirewall *self, gboolean wanted);

G_END_DECLS
