/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * service-device.h: what a connection's device is, besides the tunnel's end: whose, with which
 * hardware address, and that it does not configure itself.
 */
#pragma once

#include "profile/culvert-profile.h"
#include "tun/culvert-tun.h"

G_BEGIN_DECLS

/* culvert_service_device_mac: the hardware address of an Ethernet device: always the same for a
 * connection, and another one for every other. A unicast address of local administration (IEEE
 * 802). */
void culvert_service_device_mac(const char *uuid, guint8 mac[ETHERNET_ADDRESS_SIZE]);

/* culvert_service_device_find_owner_async: finds out the numbers of the profile's user and group.
 * Answers need the default main context. */
void culvert_service_device_find_owner_async(const CulvertProfile *profile,
                                             GCancellable *cancellable,
                                             GAsyncReadyCallback callback, gpointer data);

/* culvert_service_device_find_owner_finish: -1: nobody. FALSE: `error`
 * (NM_VPN_PLUGIN_ERROR_BAD_ARGUMENTS) names the setting. */
gboolean culvert_service_device_find_owner_finish(GAsyncResult *result, uid_t *user, gid_t *group,
                                                  GError **error);

/* culvert_service_device_quieten: keeps the kernel from configuring an Ethernet device by what it
 * hears on it: it takes no router's word for addresses and routes; a port of a bridge has no IPv6
 * at all, as the bridge has it. Before the device is up. What goes wrong is in the log. */
void culvert_service_device_quieten(const CulvertProfile *profile, const char *ifname);

G_END_DECLS
