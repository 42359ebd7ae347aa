/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * service-config.c: the profile as the dictionaries NetworkManager understands.
 */
#include "config.h"

#include "service-config.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "profile/culvert-check.h"

/* What a datagram adds to a packet: headers of IPv6 and UDP, WireGuard's own and its tag. Also over
 * IPv4, where it is 20 less: a change to IPv6 changes nothing then (wg-quick does the same). */
#define OVERHEAD 80u

/* What IP has to carry (RFC 8200, 5; RFC 791, 3.2): below the former Linux takes IPv6 away from a
 * device. What is larger than the path then is cut outside. */
#define IPV6_MTU_LEAST 1280u
#define IPV4_MTU_LEAST 576u

/* What UDP can carry, less what WireGuard adds; rounded down to its padding. */
#define MTU_MOST 65440u

/* What NetworkManager calls the type of a bridge's port. */
#define BRIDGE_PORT "bridge"

static gboolean prefix_equal(const WgPrefix *a, const WgPrefix *b)
{
    gsize size = wg_address_size(a->family);

    return a->family == b->family && a->length == b->length && !memcmp(a->addr, b->addr, size);
}

static gboolean is_host_address(const WgPrefix *prefix, GInetAddress *address)
{
    gsize size = wg_address_size(prefix->family);

    return prefix->length == size * 8 && g_inet_address_get_native_size(address) == size &&
           !memcmp(prefix->addr, g_inet_address_to_bytes(address), size);
}

static char *prefix_to_string(const WgPrefix *prefix)
{
    GSocketFamily family = prefix->family == AF_INET ? G_SOCKET_FAMILY_IPV4 : G_SOCKET_FAMILY_IPV6;
    g_autoptr(GInetAddress) address = g_inet_address_new_from_bytes(prefix->addr, family);
    g_autofree char *text = g_inet_address_to_string(address);

    return g_strdup_printf("%s/%u", text, prefix->length);
}

/* Every allowed IP of that family, once, in the profile's order; none of an Ethernet device, which
 * leads to other networks than the tunnel below it. */
static GArray *list_allowed_ips(const CulvertProfile *profile, int family)
{
    GArray *list = g_array_new(FALSE, FALSE, sizeof(WgPrefix));

    if (profile->device_type == CULVERT_DEVICE_TAP)
        return list;
    for (guint i = 0; i < profile->peers->len; i++) {
        const CulvertProfilePeer *peer = g_ptr_array_index(profile->peers, i);

        for (guint j = 0; j < peer->allowed_ips->len; j++) {
            const WgPrefix *prefix = &g_array_index(peer->allowed_ips, WgPrefix, j);
            gboolean known = prefix->family != family;

            for (guint k = 0; k < list->len && !known; k++)
                known = prefix_equal(prefix, &g_array_index(list, WgPrefix, k));
            if (!known)
                g_array_append_vals(list, prefix, 1);
        }
    }
    return list;
}

/* Whether `network` is what the address and its prefix length say already. */
static gboolean is_own_network(const WgPrefix *network, const WgPrefix *address)
{
    guint whole = network->length / 8;
    guint8 mask = 0xff00 >> network->length % 8;

    if (!address || network->length != address->length)
        return FALSE;
    return !memcmp(network->addr, address->addr, whole) &&
           (mask == 0 || !((network->addr[whole] ^ address->addr[whole]) & mask));
}

static GArray *list_routes(const CulvertProfile *profile, int family, GInetAddress *gateway)
{
    const WgPrefix *address = culvert_profile_find_address(profile, family);
    GArray *routes = list_allowed_ips(profile, family);

    for (guint i = routes->len; i > 0; i--) {
        const WgPrefix *prefix = &g_array_index(routes, WgPrefix, i - 1);

        if (prefix->length == 0 || is_host_address(prefix, gateway) ||
            is_own_network(prefix, address))
            g_array_remove_index(routes, i - 1);
    }
    return routes;
}

/* The profile's DNS servers of that family. */
static GPtrArray *list_dns(const CulvertProfile *profile, int family)
{
    GPtrArray *servers = g_ptr_array_new_with_free_func(g_object_unref);

    for (guint i = 0; i < profile->dns->len; i++) {
        g_autoptr(GInetAddress) server =
            g_inet_address_new_from_string(g_ptr_array_index(profile->dns, i));

        if (server && (int) g_inet_address_get_family(server) == family)
            g_ptr_array_add(servers, g_steal_pointer(&server));
    }
    return servers;
}

/* NetworkManager has an IPv4 address as a number whose bytes in memory are in network order. */
static guint32 ip4_number(const guint8 *bytes)
{
    guint32 number;

    memcpy(&number, bytes, sizeof(number));
    return number;
}

static GVariant *ip6_bytes(const guint8 *bytes)
{
    return g_variant_new_fixed_array(G_VARIANT_TYPE_BYTE, bytes, 16, 1);
}

static GVariant *address_variant(int family, const guint8 *bytes)
{
    return family == AF_INET ? g_variant_new_uint32(ip4_number(bytes)) : ip6_bytes(bytes);
}

static GVariant *dns_variant(const CulvertProfile *profile, int family)
{
    g_autoptr(GPtrArray) servers = list_dns(profile, family);
    GVariantBuilder builder;

    if (servers->len == 0)
        return NULL;
    g_variant_builder_init(&builder,
                           family == AF_INET ? G_VARIANT_TYPE("au") : G_VARIANT_TYPE("aay"));
    for (guint i = 0; i < servers->len; i++) {
        GInetAddress *server = g_ptr_array_index(servers, i);

        g_variant_builder_add_value(&builder,
                                    address_variant(family, g_inet_address_to_bytes(server)));
    }
    return g_variant_builder_end(&builder);
}

/* Destination, prefix length, next hop (none: the device is the way), metric (ignored). */
static GVariant *route_variant(const WgPrefix *route)
{
    static const guint8 no_next_hop[16];
    GVariant *ip6[4];

    if (route->family == AF_INET) {
        guint32 ip4[4] = {ip4_number(route->addr), route->length, 0, 0};

        return g_variant_new_fixed_array(G_VARIANT_TYPE_UINT32, ip4, G_N_ELEMENTS(ip4),
                                         sizeof(ip4[0]));
    }
    ip6[0] = ip6_bytes(route->addr);
    ip6[1] = g_variant_new_uint32(route->length);
    ip6[2] = ip6_bytes(no_next_hop);
    ip6[3] = g_variant_new_uint32(0);
    return g_variant_new_tuple(ip6, G_N_ELEMENTS(ip6));
}

static GVariant *routes_variant(const CulvertProfile *profile, int family, GInetAddress *gateway)
{
    g_autoptr(GArray) routes = list_routes(profile, family, gateway);
    GVariantBuilder builder;

    if (routes->len == 0)
        return NULL;
    g_variant_builder_init(&builder,
                           family == AF_INET ? G_VARIANT_TYPE("aau") : G_VARIANT_TYPE("a(ayuayu)"));
    for (guint i = 0; i < routes->len; i++)
        g_variant_builder_add_value(&builder, route_variant(&g_array_index(routes, WgPrefix, i)));
    return g_variant_builder_end(&builder);
}

static gboolean refuse(GError **error, const char *message)
{
    g_set_error_literal(error, NM_VPN_PLUGIN_ERROR, NM_VPN_PLUGIN_ERROR_BAD_ARGUMENTS, message);
    return FALSE;
}

/* NetworkManager gives the device these, also where nobody could reach them. */
static gboolean has_addresses(NMSettingIPConfig *setting)
{
    return setting && nm_setting_ip_config_get_num_addresses(setting) > 0;
}

/* Of a VPN, NetworkManager does nothing with that setting. */
static gboolean is_port(NMConnection *connection)
{
    NMSettingConnection *general = nm_connection_get_setting_connection(connection);

    return general && nm_setting_connection_is_slave_type(general, BRIDGE_PORT);
}

gboolean culvert_service_config_check(const CulvertProfile *profile, NMConnection *connection,
                                      GError **error)
{
    if (is_port(connection))
        return refuse(error, _("connection.slave-type: NetworkManager makes no VPN a port of a "
                               "bridge; remove this setting and connection.master, and name the "
                               "bridge in vpn.data: bridge=NAME"));
    if (!profile->bridge)
        return TRUE;
    if (has_addresses(nm_connection_get_setting_ip4_config(connection)))
        return refuse(error, _("ipv4.addresses: a port of a bridge has no address: give it to the "
                               "bridge"));
    if (has_addresses(nm_connection_get_setting_ip6_config(connection)))
        return refuse(error, _("ipv6.addresses: a port of a bridge has no address: give it to the "
                               "bridge"));
    return TRUE;
}

CulvertVtep culvert_service_config_vtep(const WgPrefix *address)
{
    CulvertVtep vtep = {.family = address->family};

    memcpy(vtep.address, address->addr, wg_address_size(address->family));
    return vtep;
}

/* An Ethernet device carries IPv6 whether it has an address of its own or not. */
static guint least_mtu(const CulvertProfile *profile)
{
    if (profile->device_type == CULVERT_DEVICE_TAP)
        return IPV6_MTU_LEAST;
    return culvert_profile_has_address(profile, AF_INET6) ? IPV6_MTU_LEAST : IPV4_MTU_LEAST;
}

guint culvert_service_config_mtu(const CulvertProfile *profile, guint path_mtu)
{
    guint ethernet = culvert_profile_get_overhead(profile);
    guint overhead = OVERHEAD + ethernet;

    if (profile->mtu)
        return profile->mtu - ethernet;
    if (path_mtu == 0)
        return CULVERT_SERVICE_DEFAULT_MTU - ethernet;
    return CLAMP(path_mtu, least_mtu(profile) + overhead, MTU_MOST + OVERHEAD) - overhead;
}

GVariant *culvert_service_config_build(const CulvertProfile *profile, const char *tundev,
                                       GInetAddress *gateway, guint mtu)
{
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);

    g_variant_dict_insert(&dict, NM_VPN_PLUGIN_CONFIG_TUNDEV, "s", tundev);
    g_variant_dict_insert_value(
        &dict, NM_VPN_PLUGIN_CONFIG_EXT_GATEWAY,
        address_variant(g_inet_address_get_family(gateway), g_inet_address_to_bytes(gateway)));
    g_variant_dict_insert(&dict, NM_VPN_PLUGIN_CONFIG_MTU, "u", mtu);
    /* NetworkManager before 1.48 refuses the dictionary of a family without an address. */
    g_variant_dict_insert(&dict, NM_VPN_PLUGIN_CONFIG_HAS_IP4, "b",
                          culvert_profile_has_address(profile, AF_INET));
    g_variant_dict_insert(&dict, NM_VPN_PLUGIN_CONFIG_HAS_IP6, "b",
                          culvert_profile_has_address(profile, AF_INET6));
    /* The tunnel outlives a change of network: it roams, and dials again. */
    g_variant_dict_insert(&dict, NM_VPN_PLUGIN_CAN_PERSIST, "b", TRUE);
    return g_variant_ref_sink(g_variant_dict_end(&dict));
}

/* The keys of Ip4Config and Ip6Config have the same names; their types differ. */
static GVariant *build_family(const CulvertProfile *profile, int family, GInetAddress *gateway)
{
    const WgPrefix *address = culvert_profile_find_address(profile, family);
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
    GVariant *dns, *routes;

    if (!address)
        return NULL;
    g_variant_dict_insert_value(&dict, NM_VPN_PLUGIN_IP4_CONFIG_ADDRESS,
                                address_variant(family, address->addr));
    g_variant_dict_insert(&dict, NM_VPN_PLUGIN_IP4_CONFIG_PREFIX, "u", (guint32) address->length);
    dns = dns_variant(profile, family);
    if (dns)
        g_variant_dict_insert_value(&dict, NM_VPN_PLUGIN_IP4_CONFIG_DNS, dns);
    if (profile->search->len > 0)
        g_variant_dict_insert_value(
            &dict, NM_VPN_PLUGIN_IP4_CONFIG_DOMAINS,
            g_variant_new_strv((const char *const *) profile->search->pdata, profile->search->len));
    routes = routes_variant(profile, family, gateway);
    if (routes)
        g_variant_dict_insert_value(&dict, NM_VPN_PLUGIN_IP4_CONFIG_ROUTES, routes);
    g_variant_dict_insert(&dict, NM_VPN_PLUGIN_IP4_CONFIG_NEVER_DEFAULT, "b",
                          !culvert_profile_has_default_route(profile, family));
    return g_variant_ref_sink(g_variant_dict_end(&dict));
}

GVariant *culvert_service_config_build_ip4(const CulvertProfile *profile, GInetAddress *gateway)
{
    return build_family(profile, AF_INET, gateway);
}

GVariant *culvert_service_config_build_ip6(const CulvertProfile *profile, GInetAddress *gateway)
{
    return build_family(profile, AF_INET6, gateway);
}

static void append_list(GString *line, const char *title, guint i, const char *item)
{
    g_string_append_printf(line, i == 0 ? "; %s " : ", ", title);
    g_string_append(line, item);
}

char *culvert_service_config_describe(const CulvertProfile *profile, int family,
                                      GInetAddress *gateway)
{
    const WgPrefix *address = culvert_profile_find_address(profile, family);
    g_autoptr(GArray) routes = list_routes(profile, family, gateway);
    g_autoptr(GPtrArray) dns = list_dns(profile, family);
    g_autofree char *text = NULL;
    GString *line;

    if (!address)
        return NULL;
    line = g_string_new(family == AF_INET ? "IPv4: address " : "IPv6: address ");
    text = prefix_to_string(address);
    g_string_append(line, text);
    if (culvert_profile_has_default_route(profile, family))
        g_string_append(line, "; default route");
    for (guint i = 0; i < routes->len; i++) {
        g_autofree char *route = prefix_to_string(&g_array_index(routes, WgPrefix, i));

        append_list(line, "routes", i, route);
    }
    for (guint i = 0; i < dns->len; i++) {
        g_autofree char *server = g_inet_address_to_string(g_ptr_array_index(dns, i));

        append_list(line, "DNS", i, server);
    }
    for (guint i = 0; i < profile->search->len; i++)
        append_list(line, "search", i, g_ptr_array_index(profile->search, i));
    return g_string_free(line, FALSE);
}

static void warn_about_family(const CulvertProfile *profile, int family, GPtrArray *warnings)
{
    const char *name = family == AF_INET ? "IPv4" : "IPv6";
    g_autoptr(GArray) allowed = list_allowed_ips(profile, family);
    g_autoptr(GPtrArray) dns = list_dns(profile, family);
    const GArray *own = culvert_profile_get_addresses(profile);
    guint addresses = 0;

    for (guint i = 0; i < own->len; i++)
        addresses += g_array_index(own, WgPrefix, i).family == family;
    if (addresses > 1)
        g_ptr_array_add(
            warnings,
            g_strdup_printf("address: only the first %s address is used; further ones belong in "
                            "the connection's own %s settings (%s.addresses)",
                            name, name, family == AF_INET ? "ipv4" : "ipv6"));
    if (addresses > 0)
        return;
    if (allowed->len > 0)
        g_ptr_array_add(warnings,
                        g_strdup_printf("allowed-ips: the %s networks are not routed into the "
                                        "tunnel because there is no %s address; traffic to them "
                                        "takes its ordinary way",
                                        name, name));
    if (dns->len > 0)
        g_ptr_array_add(warnings, g_strdup_printf("dns: the %s servers are not used because "
                                                  "there is no %s address",
                                                  name, name));
}

GPtrArray *culvert_service_config_warnings(const CulvertProfile *profile)
{
    GPtrArray *warnings = g_ptr_array_new_with_free_func(g_free);

    warn_about_family(profile, AF_INET, warnings);
    warn_about_family(profile, AF_INET6, warnings);
    return warnings;
}

/* Whether servers of that family are asked besides others. A user's own are in the connection. */
static gboolean has_shared_servers(const CulvertProfile *profile, int family,
                                   NMSettingIPConfig *setting)
{
    g_autoptr(GPtrArray) dns = list_dns(profile, family);

    if (!culvert_profile_has_address(profile, family))
        return FALSE;
    if (!setting)
        return dns->len > 0;
    return (dns->len > 0 || nm_setting_ip_config_get_num_dns(setting) > 0) &&
           nm_setting_ip_config_get_dns_priority(setting) >= 0;
}

static gboolean is_default_route(const CulvertProfile *profile, int family,
                                 NMSettingIPConfig *setting)
{
    return culvert_profile_has_address(profile, family) &&
           culvert_profile_has_default_route(profile, family) &&
           !(setting && nm_setting_ip_config_get_never_default(setting));
}

char *culvert_service_config_advise_dns(const CulvertProfile *profile, NMConnection *connection)
{
    NMSettingIPConfig *ip4 = nm_connection_get_setting_ip4_config(connection);
    NMSettingIPConfig *ip6 = nm_connection_get_setting_ip6_config(connection);
    gboolean shared4 = has_shared_servers(profile, AF_INET, ip4);
    gboolean shared6 = has_shared_servers(profile, AF_INET6, ip6);

    if (!is_default_route(profile, AF_INET, ip4) && !is_default_route(profile, AF_INET6, ip6))
        return NULL;
    if (!shared4 && !shared6)
        return NULL;
    return g_strdup_printf("Names may also be asked of other networks' name servers, in the clear. "
                           "To have the tunnel's asked alone, set%s%s%s in the profile",
                           shared4 ? " ipv4.dns-priority=-50" : "",
                           shared4 && shared6 ? " and" : "",
                           shared6 ? " ipv6.dns-priority=-50" : "");
}
