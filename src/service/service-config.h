/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * service-config.h: what NetworkManager is told of a connection: the dictionaries of its signals
 * Config, Ip4Config and Ip6Config, made of the profile and of facts known once there is a session.
 *
 * An Ethernet device without an address has neither family: NetworkManager then brings it up, gives
 * it the addresses and routes of ipv4 and ipv6 in the profile, and nothing else. It never gets the
 * default route from here.
 *
 * NetworkManager ignores a value of the wrong type in silence, so that the types matter as much as
 * the values: nm-vpn-dbus-interface.h of libnm for the keys, _dbus_signal_ip_config_cb() in
 * src/core/vpn/nm-vpn-connection.c of NetworkManager for the types. Pure: no socket, no bus.
 */
#pragma once

#include "profile/culvert-profile.h"
#include "tun/culvert-vxlan.h"

G_BEGIN_DECLS

/* The MTU of the device when the profile leaves it open and nothing is known of the path: 1500 of
 * Ethernet less the 80 bytes of an IPv6 and a UDP header and WireGuard's own; what wg-quick and the
 * kernel use, too. */
#define CULVERT_SERVICE_DEFAULT_MTU 1420

/* culvert_service_config_check: whether what the profile, which has been checked by itself, asks
 * for goes with NetworkManager's own settings of the connection; the error,
 * NM_VPN_PLUGIN_ERROR_BAD_ARGUMENTS, names the setting. */
gboolean culvert_service_config_check(const CulvertProfile *profile, NMConnection *connection,
                                      GError **error);

/* culvert_service_config_vtep: `address` as an end of a VXLAN. */
CulvertVtep culvert_service_config_vtep(const WgPrefix *address);

/* culvert_service_config_mtu: the device's MTU: the profile's, or what fits a path of `path_mtu`
 * bytes (0: unknown) in one datagram, but not less than the families in use need. An Ethernet
 * device's is smaller by what VXLAN adds. */
guint culvert_service_config_mtu(const CulvertProfile *profile, guint path_mtu);

/* culvert_service_config_build: the dictionary of the signal Config. `gateway` is the address at
 * which the peer was reached, outside the tunnel: NetworkManager keeps a route to it. `mtu` is the
 * device's. (transfer full), not floating, as the others below. */
GVariant *culvert_service_config_build(const CulvertProfile *profile, const char *tundev,
                                       GInetAddress *gateway, guint mtu);

/* culvert_service_config_build_ip4, culvert_service_config_build_ip6: the dictionaries of the
 * signals Ip4Config and Ip6Config; NULL for a family without an address.
 *
 * A peer's allowed IPs become routes. 0.0.0.0/0 and ::/0 do not: they make the connection the
 * default route ("never-default" is FALSE), which the user can veto in the profile. Two halves,
 * like 0.0.0.0/1 and 128.0.0.0/1, stay routes and make it the default route as well, so that
 * NetworkManager uses the DNS servers for all names. The gateway's own address alone never
 * becomes a route into the tunnel, and the address's own network needs none: NetworkManager adds
 * that by itself. */
GVariant *culvert_service_config_build_ip4(const CulvertProfile *profile, GInetAddress *gateway);
GVariant *culvert_service_config_build_ip6(const CulvertProfile *profile, GInetAddress *gateway);

/* culvert_service_config_describe: one line for the log: the family's address, routes, DNS
 * servers and search domains; NULL for a family without an address. (transfer full) */
char *culvert_service_config_describe(const CulvertProfile *profile, int family,
                                      GInetAddress *gateway);

/* culvert_service_config_warnings: what of the profile NetworkManager cannot be told, a sentence
 * each. (transfer full) (element-type utf8) */
GPtrArray *culvert_service_config_warnings(const CulvertProfile *profile);

/* culvert_service_config_advise_dns: of a full tunnel with name servers, what to set so that no
 * others are asked; NULL if that is so, or does not apply. A VPN service cannot set it: there is no
 * key for a priority in the dictionaries, and NetworkManager gives every VPN 50 unless its profile,
 * `connection`, says otherwise (NM_DNS_PRIORITY_DEFAULT_VPN). (transfer full) */
char *culvert_service_config_advise_dns(const CulvertProfile *profile, NMConnection *connection);

G_END_DECLS
