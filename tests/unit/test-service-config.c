/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-service-config.c: the dictionaries for NetworkManager: every key, its type and its value.
 */
#include "config.h"

#include <arpa/inet.h>
#include <string.h>

#include "service/service-config.h"

static WgPrefix parse_prefix(const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text, "/", 2);
    WgPrefix prefix = {.family = strchr(text, ':') ? AF_INET6 : AF_INET};

    g_assert_cmpint(inet_pton(prefix.family, parts[0], prefix.addr), ==, 1);
    prefix.length = g_ascii_strtoull(parts[1], NULL, 10);
    return prefix;
}

static void append_prefixes(GArray *array, const char *list)
{
    g_auto(GStrv) items = g_strsplit(list, " ", -1);

    for (guint i = 0; items[i] && *items[i]; i++) {
        WgPrefix prefix = parse_prefix(items[i]);

        g_array_append_val(array, prefix);
    }
}

static void append_strings(GPtrArray *array, const char *list)
{
    g_auto(GStrv) items = g_strsplit(list, " ", -1);

    for (guint i = 0; items[i] && *items[i]; i++)
        g_ptr_array_add(array, g_strdup(items[i]));
}

static void add_peer(CulvertProfile *profile, guint8 key, const char *allowed_ips)
{
    CulvertProfilePeer *peer = culvert_profile_add_peer(profile);

    peer->public_key.bytes[0] = key;
    append_prefixes(peer->allowed_ips, allowed_ips);
}

static CulvertProfile *make_profile(const char *addresses, const char *allowed_ips, const char *dns,
                                    const char *search)
{
    CulvertProfile *profile = culvert_profile_new();

    append_prefixes(profile->addresses, addresses);
    append_strings(profile->dns, dns);
    append_strings(profile->search, search);
    add_peer(profile, 1, allowed_ips);
    return profile;
}

static GInetAddress *gateway4(void)
{
    return g_inet_address_new_from_string("198.51.100.7");
}

static GInetAddress *gateway6(void)
{
    return g_inet_address_new_from_string("2001:db8::7");
}

static guint32 ip4(const char *text)
{
    return inet_addr(text);
}

/* The value has exactly this type and content. `expected` is floating. */
static void assert_value(GVariant *dict, const char *key, GVariant *expected)
{
    g_autoptr(GVariant) want = g_variant_ref_sink(expected);
    g_autoptr(GVariant) value = g_variant_lookup_value(dict, key, NULL);
    g_autofree char *want_text = g_variant_print(want, TRUE);
    g_autofree char *text = value ? g_variant_print(value, TRUE) : g_strdup("(none)");

    g_assert_cmpstr(text, ==, want_text);
    g_assert_cmpstr(g_variant_get_type_string(value), ==, g_variant_get_type_string(want));
}

static void assert_keys(GVariant *dict, guint n)
{
    g_assert_false(g_variant_is_floating(dict));
    g_assert_cmpstr(g_variant_get_type_string(dict), ==, "a{sv}");
    g_assert_cmpuint(g_variant_n_children(dict), ==, n);
}

static GVariant *bytes16(const char *text)
{
    guint8 bytes[16];

    g_assert_cmpint(inet_pton(AF_INET6, text, bytes), ==, 1);
    return g_variant_new_fixed_array(G_VARIANT_TYPE_BYTE, bytes, 16, 1);
}

/* "10.0.0.0/8 …" as NetworkManager wants routes. */
static GVariant *routes4(const char *list)
{
    g_auto(GStrv) items = g_strsplit(list, " ", -1);
    GVariantBuilder builder;

    g_variant_builder_init(&builder, G_VARIANT_TYPE("aau"));
    for (guint i = 0; items[i]; i++) {
        WgPrefix prefix = parse_prefix(items[i]);
        guint32 number;

        memcpy(&number, prefix.addr, 4);
        g_variant_builder_open(&builder, G_VARIANT_TYPE("au"));
        g_variant_builder_add(&builder, "u", number);
        g_variant_builder_add(&builder, "u", (guint32) prefix.length);
        g_variant_builder_add(&builder, "u", 0);
        g_variant_builder_add(&builder, "u", 0);
        g_variant_builder_close(&builder);
    }
    return g_variant_builder_end(&builder);
}

static GVariant *routes6(const char *list)
{
    g_auto(GStrv) items = g_strsplit(list, " ", -1);
    GVariantBuilder builder;

    g_variant_builder_init(&builder, G_VARIANT_TYPE("a(ayuayu)"));
    for (guint i = 0; items[i]; i++) {
        g_auto(GStrv) parts = g_strsplit(items[i], "/", 2);

        g_variant_builder_add(&builder, "(@ayu@ayu)", bytes16(parts[0]),
                              (guint32) g_ascii_strtoull(parts[1], NULL, 10), bytes16("::"), 0);
    }
    return g_variant_builder_end(&builder);
}

static void test_config(void)
{
    g_autoptr(CulvertProfile) profile = make_profile("10.0.0.2/24", "10.0.0.0/24", "", "");
    g_autoptr(GInetAddress) gateway = gateway4();
    g_autoptr(GVariant) config = culvert_service_config_build(profile, "culvert0", gateway, 1420);

    assert_keys(config, 6);
    assert_value(config, "tundev", g_variant_new_string("culvert0"));
    assert_value(config, "gateway", g_variant_new_uint32(ip4("198.51.100.7")));
    assert_value(config, "mtu", g_variant_new_uint32(1420));
    assert_value(config, "has-ip4", g_variant_new_boolean(TRUE));
    assert_value(config, "has-ip6", g_variant_new_boolean(FALSE));
    assert_value(config, "can-persist", g_variant_new_boolean(TRUE));
}

static void test_mtu(void)
{
    static const struct {
        const char *address;
        guint path, set, expected;
    } CASES[] = {
        {"10.0.0.2/24", 1500, 0, 1420},
        {"10.0.0.2/24", 0, 0, 1420},
        {"10.0.0.2/24", 1500, 1300, 1300},
        {"10.0.0.2/24", 1280, 0, 1200},
        {"10.0.0.2/24", 1280, 1400, 1400},
        {"10.0.0.2/24", 500, 0, 576},
        {"10.0.0.2/24", 9000, 0, 8920},
        {"10.0.0.2/24", 65536, 0, 65440},
        /* Below that, Linux takes IPv6 away from a device. */
        {"fd00::2/64", 1280, 0, 1280},
        {"10.0.0.2/24 fd00::2/64", 1400, 0, 1320},
        {"10.0.0.2/24 fd00::2/64", 1300, 0, 1280},
    };

    for (guint i = 0; i < G_N_ELEMENTS(CASES); i++) {
        g_autoptr(CulvertProfile) profile = make_profile(CASES[i].address, "", "", "");

        profile->mtu = CASES[i].set;
        g_assert_cmpuint(culvert_service_config_mtu(profile, CASES[i].path), ==, CASES[i].expected);
    }
}

static void test_config_ip6(void)
{
    g_autoptr(CulvertProfile) profile = make_profile("fd00::2/64", "::/0", "", "");
    g_autoptr(GInetAddress) gateway = gateway6();
    g_autoptr(GVariant) config = NULL;

    config = culvert_service_config_build(profile, "office", gateway, 1380);
    assert_keys(config, 6);
    assert_value(config, "tundev", g_variant_new_string("office"));
    assert_value(config, "gateway", bytes16("2001:db8::7"));
    assert_value(config, "mtu", g_variant_new_uint32(1380));
    assert_value(config, "has-ip4", g_variant_new_boolean(FALSE));
    assert_value(config, "has-ip6", g_variant_new_boolean(TRUE));
}

static void test_ip4(void)
{
    g_autoptr(CulvertProfile) profile = make_profile("10.0.0.2/24", "10.0.0.0/24 192.168.7.0/25",
                                                     "10.0.0.1 fd00::1 10.0.0.3", "corp lan");
    g_autoptr(GInetAddress) gateway = gateway4();
    g_autoptr(GVariant) dict = culvert_service_config_build_ip4(profile, gateway);
    const guint32 dns[] = {ip4("10.0.0.1"), ip4("10.0.0.3")};
    const char *const domains[] = {"corp", "lan", NULL};

    assert_keys(dict, 6);
    assert_value(dict, "address", g_variant_new_uint32(ip4("10.0.0.2")));
    assert_value(dict, "prefix", g_variant_new_uint32(24));
    assert_value(dict, "dns", g_variant_new_fixed_array(G_VARIANT_TYPE_UINT32, dns, 2, 4));
    assert_value(dict, "domains", g_variant_new_strv(domains, -1));
    assert_value(dict, "routes", routes4("192.168.7.0/25"));
    assert_value(dict, "never-default", g_variant_new_boolean(TRUE));
    g_assert_null(culvert_service_config_build_ip6(profile, gateway));
}

static void test_ip6(void)
{
    g_autoptr(CulvertProfile) profile =
        make_profile("fd00::2/64", "fd00::/64 2001:db8:1::/48", "10.0.0.1 fd00::1 fd00::3", "lan");
    g_autoptr(GInetAddress) gateway = gateway6();
    g_autoptr(GVariant) dict = culvert_service_config_build_ip6(profile, gateway);
    const char *const domains[] = {"lan", NULL};
    GVariant *dns[] = {bytes16("fd00::1"), bytes16("fd00::3")};

    assert_keys(dict, 6);
    assert_value(dict, "address", bytes16("fd00::2"));
    assert_value(dict, "prefix", g_variant_new_uint32(64));
    assert_value(dict, "dns", g_variant_new_array(G_VARIANT_TYPE("ay"), dns, 2));
    assert_value(dict, "domains", g_variant_new_strv(domains, -1));
    assert_value(dict, "routes", routes6("2001:db8:1::/48"));
    assert_value(dict, "never-default", g_variant_new_boolean(TRUE));
    g_assert_null(culvert_service_config_build_ip4(profile, gateway));
}

/* Keys without a value are left out, and a host's /32 is a fine address. */
static void test_least(void)
{
    g_autoptr(CulvertProfile) profile = make_profile("10.0.0.2/32 fd00::2/128", "", "", "");
    g_autoptr(GInetAddress) gateway = gateway4();
    g_autoptr(GVariant) dict4 = culvert_service_config_build_ip4(profile, gateway);
    g_autoptr(GVariant) dict6 = culvert_service_config_build_ip6(profile, gateway);

    assert_keys(dict4, 3);
    assert_value(dict4, "prefix", g_variant_new_uint32(32));
    assert_value(dict4, "never-default", g_variant_new_boolean(TRUE));
    assert_keys(dict6, 3);
    assert_value(dict6, "prefix", g_variant_new_uint32(128));
}

/* A /0 makes the default route of its own family only, and is not a route itself. */
static void test_default_route(void)
{
    g_autoptr(CulvertProfile) profile =
        make_profile("10.0.0.2/24 fd00::2/64", "10.9.0.0/16 0.0.0.0/0 fd00::/64", "", "");
    g_autoptr(GInetAddress) gateway = gateway4();
    g_autoptr(GVariant) dict4 = culvert_service_config_build_ip4(profile, gateway);
    g_autoptr(GVariant) dict6 = culvert_service_config_build_ip6(profile, gateway);

    assert_value(dict4, "never-default", g_variant_new_boolean(FALSE));
    assert_value(dict4, "routes", routes4("10.9.0.0/16"));
    assert_value(dict6, "never-default", g_variant_new_boolean(TRUE));
    g_assert_null(g_variant_lookup_value(dict6, "routes", NULL));
}

static void test_default_route_ip6(void)
{
    g_autoptr(CulvertProfile) profile =
        make_profile("10.0.0.2/24 fd00::2/64", "::/0 10.9.0.0/16", "", "");
    g_autoptr(GInetAddress) gateway = gateway4();
    g_autoptr(GVariant) dict4 = culvert_service_config_build_ip4(profile, gateway);
    g_autoptr(GVariant) dict6 = culvert_service_config_build_ip6(profile, gateway);

    assert_value(dict4, "never-default", g_variant_new_boolean(TRUE));
    assert_value(dict6, "never-default", g_variant_new_boolean(FALSE));
    assert_keys(dict6, 3);
}

/* NetworkManager adds a route to the address's network by itself: two would be one too many. What
 * is wider, narrower or beside it is a route. */
static void test_own_network(void)
{
    static const struct {
        const char *address;
        const char *allowed_ips;
        const char *routes;
    } CASES[] = {
        {"10.8.0.2/24", "10.8.0.0/24 10.9.0.0/24", "10.9.0.0/24"},
        {"10.8.0.2/24", "10.8.0.0/24 10.8.0.0/25 10.8.0.0/23", "10.8.0.0/25 10.8.0.0/23"},
        {"10.8.9.2/21", "10.8.8.0/21 10.8.16.0/21", "10.8.16.0/21"},
        {"10.8.0.2/32", "10.8.0.2/32 10.8.0.1/32", "10.8.0.1/32"},
    };
    g_autoptr(GInetAddress) gateway = gateway4();

    for (guint i = 0; i < G_N_ELEMENTS(CASES); i++) {
        g_autoptr(CulvertProfile) profile =
            make_profile(CASES[i].address, CASES[i].allowed_ips, "", "");
        g_autoptr(GVariant) dict = culvert_service_config_build_ip4(profile, gateway);

        assert_value(dict, "routes", routes4(CASES[i].routes));
    }
}

/* Both halves are routes and the default route; one alone is only a route. */
static void test_halves(void)
{
    g_autoptr(CulvertProfile) profile =
        make_profile("10.0.0.2/24 fd00::2/64", "0.0.0.0/1 ::/1", "", "");
    g_autoptr(GInetAddress) gateway = gateway4();
    g_autoptr(GVariant) dict4 = NULL;
    g_autoptr(GVariant) dict6 = NULL;

    add_peer(profile, 2, "128.0.0.0/1");
    dict4 = culvert_service_config_build_ip4(profile, gateway);
    dict6 = culvert_service_config_build_ip6(profile, gateway);
    assert_value(dict4, "never-default", g_variant_new_boolean(FALSE));
    assert_value(dict4, "routes", routes4("0.0.0.0/1 128.0.0.0/1"));
    assert_value(dict6, "never-default", g_variant_new_boolean(TRUE));
    assert_value(dict6, "routes", routes6("::/1"));
}

/* Two peers may have the same network; it is one route. */
static void test_several_peers(void)
{
    g_autoptr(CulvertProfile) profile = make_profile("10.0.0.2/24", "10.1.0.0/16", "", "");
    g_autoptr(GInetAddress) gateway = gateway4();
    g_autoptr(GVariant) dict = NULL;

    add_peer(profile, 2, "10.2.0.0/16 10.1.0.0/16 10.1.0.0/24");
    add_peer(profile, 3, "0.0.0.0/0");
    dict = culvert_service_config_build_ip4(profile, gateway);
    assert_value(dict, "routes", routes4("10.1.0.0/16 10.2.0.0/16 10.1.0.0/24"));
    assert_value(dict, "never-default", g_variant_new_boolean(FALSE));
}

/* The gateway itself is never routed into the tunnel; a network around it may be, as
 * NetworkManager's route to the gateway is more specific. */
static void test_gateway_in_allowed_ips(void)
{
    g_autoptr(CulvertProfile) profile =
        make_profile("10.0.0.2/24 fd00::2/64",
                     "198.51.100.7/32 198.51.100.0/24 2001:db8::7/128 198.51.100.8/32", "", "");
    g_autoptr(GInetAddress) four = gateway4();
    g_autoptr(GInetAddress) six = gateway6();
    g_autoptr(GVariant) dict4 = culvert_service_config_build_ip4(profile, four);
    g_autoptr(GVariant) dict6 = culvert_service_config_build_ip6(profile, six);
    g_autoptr(GVariant) other6 = culvert_service_config_build_ip6(profile, four);

    assert_value(dict4, "routes", routes4("198.51.100.0/24 198.51.100.8/32"));
    assert_keys(dict6, 3);
    assert_value(other6, "routes", routes6("2001:db8::7/128"));
}

static void test_several_addresses(void)
{
    g_autoptr(CulvertProfile) profile =
        make_profile("fd00::2/64 10.0.0.2/24 10.0.1.2/24", "10.0.0.0/8", "", "");
    g_autoptr(GInetAddress) gateway = gateway4();
    g_autoptr(GVariant) dict = culvert_service_config_build_ip4(profile, gateway);
    g_autoptr(GPtrArray) warnings = culvert_service_config_warnings(profile);

    assert_value(dict, "address", g_variant_new_uint32(ip4("10.0.0.2")));
    g_assert_cmpuint(warnings->len, ==, 1);
    g_assert_true(g_str_has_prefix(g_ptr_array_index(warnings, 0), "address: only the first IPv4"));
}

/* Without an address of its family, a network or DNS server cannot be used: that is said. */
static void test_family_without_address(void)
{
    g_autoptr(CulvertProfile) profile =
        make_profile("10.0.0.2/24", "0.0.0.0/0 ::/0", "10.0.0.1 fd00::1", "");
    g_autoptr(GInetAddress) gateway = gateway4();
    g_autoptr(GVariant) config = culvert_service_config_build(profile, "culvert0", gateway, 1420);
    g_autoptr(GPtrArray) warnings = culvert_service_config_warnings(profile);

    assert_value(config, "has-ip6", g_variant_new_boolean(FALSE));
    g_assert_null(culvert_service_config_build_ip6(profile, gateway));
    g_assert_cmpuint(warnings->len, ==, 2);
    g_assert_true(g_str_has_prefix(g_ptr_array_index(warnings, 0), "allowed-ips: the IPv6"));
    g_assert_true(g_str_has_prefix(g_ptr_array_index(warnings, 1), "dns: the IPv6"));
}

static void test_describe(void)
{
    g_autoptr(CulvertProfile) profile =
        make_profile("10.0.0.2/24", "0.0.0.0/0 10.9.0.0/16 10.8.0.0/16", "10.0.0.1", "lan");
    g_autoptr(GInetAddress) gateway = gateway4();
    g_autoptr(GPtrArray) warnings = culvert_service_config_warnings(profile);
    g_autofree char *line = culvert_service_config_describe(profile, AF_INET, gateway);

    g_assert_cmpstr(line, ==,
                    "IPv4: address 10.0.0.2/24; default route; routes 10.9.0.0/16, 10.8.0.0/16; "
                    "DNS 10.0.0.1; search lan");
    g_assert_null(culvert_service_config_describe(profile, AF_INET6, gateway));
    g_assert_cmpuint(warnings->len, ==, 0);
}

/* The profile's settings for a family, of which NULL are not there. */
static NMConnection *make_ip_connection(NMSettingIPConfig *ip4, NMSettingIPConfig *ip6)
{
    NMConnection *connection = nm_simple_connection_new();

    if (ip4)
        nm_connection_add_setting(connection, NM_SETTING(ip4));
    if (ip6)
        nm_connection_add_setting(connection, NM_SETTING(ip6));
    return connection;
}

static NMSettingIPConfig *with(NMSetting *setting, const char *property, int value)
{
    g_object_set(setting, property, value, NULL);
    return NM_SETTING_IP_CONFIG(setting);
}

static void assert_advice(const CulvertProfile *profile, NMConnection *connection,
                          const char *expected)
{
    g_autofree char *advice = culvert_service_config_advise_dns(profile, connection);

    g_object_unref(connection);
    g_assert_true((advice != NULL) == (expected != NULL));
    if (expected)
        g_assert_nonnull(strstr(advice, expected));
}

static void test_advise_dns(void)
{
    g_autoptr(CulvertProfile) full =
        make_profile("10.0.0.2/24 fd00::2/64", "0.0.0.0/0 ::/0", "10.0.0.1 fd00::1", "");
    g_autoptr(CulvertProfile) full4 = make_profile("10.0.0.2/24", "0.0.0.0/0", "10.0.0.1", "");
    g_autoptr(CulvertProfile) split = make_profile("10.0.0.2/24", "10.0.0.0/8", "10.0.0.1", "");
    g_autoptr(CulvertProfile) without = make_profile("10.0.0.2/24", "0.0.0.0/0", "", "");
    NMSettingIPConfig *own;

    assert_advice(full, make_ip_connection(NULL, NULL),
                  "set ipv4.dns-priority=-50 and ipv6.dns-priority=-50 in");
    assert_advice(full4, make_ip_connection(NULL, NULL), "set ipv4.dns-priority=-50 in");
    assert_advice(full4,
                  make_ip_connection(with(nm_setting_ip4_config_new(), "dns-priority", 10), NULL),
                  "set ipv4.dns-priority=-50 in");
    assert_advice(full4,
                  make_ip_connection(with(nm_setting_ip4_config_new(), "dns-priority", -1), NULL),
                  NULL);
    assert_advice(full,
                  make_ip_connection(with(nm_setting_ip4_config_new(), "dns-priority", -50), NULL),
                  "set ipv6.dns-priority=-50 in");
    assert_advice(
        full4, make_ip_connection(with(nm_setting_ip4_config_new(), "never-default", TRUE), NULL),
        NULL);
    assert_advice(split, make_ip_connection(NULL, NULL), NULL);
    assert_advice(without, make_ip_connection(NULL, NULL), NULL);
    own = NM_SETTING_IP_CONFIG(nm_setting_ip4_config_new());
    nm_setting_ip_config_add_dns(own, "10.0.0.1");
    assert_advice(without, make_ip_connection(own, NULL), "set ipv4.dns-priority=-50 in");
}

/* ---- Ethernet ------------------------------------------------------------------------------- */

static CulvertProfile *make_ethernet(const char *addresses, const char *allowed_ips,
                                     const char *tap_addresses)
{
    CulvertProfile *profile = make_profile(addresses, allowed_ips, "", "");

    profile->device_type = CULVERT_DEVICE_TAP;
    append_prefixes(profile->tap_addresses, tap_addresses);
    return profile;
}

/* The tunnel's address is not the device's; without one it has neither family. */
static void test_ethernet_without_address(void)
{
    g_autoptr(CulvertProfile) profile = make_ethernet("10.0.0.2/24", "0.0.0.0/0 10.0.0.1/32", "");
    g_autoptr(GInetAddress) gateway = gateway4();
    g_autoptr(GVariant) config = culvert_service_config_build(profile, "culvert0", gateway, 1370);
    g_autoptr(GPtrArray) warnings = culvert_service_config_warnings(profile);

    assert_keys(config, 6);
    assert_value(config, "has-ip4", g_variant_new_boolean(FALSE));
    assert_value(config, "has-ip6", g_variant_new_boolean(FALSE));
    g_assert_null(culvert_service_config_build_ip4(profile, gateway));
    g_assert_null(culvert_service_config_build_ip6(profile, gateway));
    g_assert_cmpuint(warnings->len, ==, 0);
}

/* What is allowed in the tunnel is no route of the network that it carries. */
static void test_ethernet_address(void)
{
    g_autoptr(CulvertProfile) profile =
        make_ethernet("10.0.0.2/24", "0.0.0.0/0 10.9.0.0/16 10.0.0.1/32 ::/0", "192.168.1.9/24");
    g_autoptr(GInetAddress) gateway = gateway4();
    g_autoptr(GVariant) config = culvert_service_config_build(profile, "culvert0", gateway, 1370);
    g_autoptr(GVariant) dict = NULL;

    append_strings(profile->dns, "192.168.1.1");
    dict = culvert_service_config_build_ip4(profile, gateway);
    assert_value(config, "has-ip4", g_variant_new_boolean(TRUE));
    assert_value(config, "has-ip6", g_variant_new_boolean(FALSE));
    assert_keys(dict, 4);
    assert_value(dict, "address", g_variant_new_uint32(ip4("192.168.1.9")));
    assert_value(dict, "prefix", g_variant_new_uint32(24));
    assert_value(dict, "never-default", g_variant_new_boolean(TRUE));
    g_assert_null(culvert_service_config_build_ip6(profile, gateway));
}

static void test_ethernet_mtu(void)
{
    g_autoptr(CulvertProfile) profile = make_ethernet("10.0.0.2/24", "10.0.0.1/32", "");
    g_autoptr(CulvertProfile) over6 = make_ethernet("fd00::2/64", "fd00::1/128", "");

    g_assert_cmpuint(culvert_service_config_mtu(profile, 0), ==, 1370);
    g_assert_cmpuint(culvert_service_config_mtu(profile, 1500), ==, 1370);
    g_assert_cmpuint(culvert_service_config_mtu(profile, 1492), ==, 1362);
    g_assert_cmpuint(culvert_service_config_mtu(over6, 0), ==, 1350);
    g_assert_cmpuint(culvert_service_config_mtu(over6, 1500), ==, 1350);
    /* IPv6 inside needs this much; the tunnel's packets are cut then. */
    g_assert_cmpuint(culvert_service_config_mtu(profile, 1280), ==, 1280);
    g_assert_cmpuint(culvert_service_config_mtu(over6, 1280), ==, 1280);
    /* The largest packet in the tunnel still fits a datagram. */
    g_assert_cmpuint(culvert_service_config_mtu(profile, 70000), ==, 65440 - 50);
    profile->mtu = 1550;
    g_assert_cmpuint(culvert_service_config_mtu(profile, 1500), ==, 1500);
}

static void test_vtep(void)
{
    const WgPrefix own = parse_prefix("fd00::2/64");
    const CulvertVtep vtep = culvert_service_config_vtep(&own);
    guint8 bytes[16];

    inet_pton(AF_INET6, "fd00::2", bytes);
    g_assert_cmpint(vtep.family, ==, AF_INET6);
    g_assert_cmpmem(vtep.address, 16, bytes, 16);
}

/* ---- NetworkManager's own settings ---------------------------------------------------------- */

static NMConnection *make_connection(void)
{
    NMConnection *connection = nm_simple_connection_new();

    nm_connection_add_setting(connection, nm_setting_connection_new());
    nm_connection_add_setting(connection, nm_setting_ip4_config_new());
    nm_connection_add_setting(connection, nm_setting_ip6_config_new());
    return connection;
}

static void assert_refused(const CulvertProfile *profile, NMConnection *connection,
                           const char *setting)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(culvert_service_config_check(profile, connection, &error));
    g_assert_error(error, NM_VPN_PLUGIN_ERROR, NM_VPN_PLUGIN_ERROR_BAD_ARGUMENTS);
    g_assert_true(g_str_has_prefix(error->message, setting));
}

static void test_port_with_addresses(void)
{
    g_autoptr(CulvertProfile) profile = make_ethernet("10.0.0.2/24", "10.0.0.1/32", "");
    static const int FAMILIES[] = {AF_INET, AF_INET6};
    static const char *const SETTINGS[] = {"ipv4.addresses: ", "ipv6.addresses: "};

    for (guint i = 0; i < G_N_ELEMENTS(FAMILIES); i++) {
        g_autoptr(NMConnection) connection = make_connection();
        NMSettingIPConfig *setting = NM_SETTING_IP_CONFIG(
            i == 0 ? (gpointer) nm_connection_get_setting_ip4_config(connection)
                   : nm_connection_get_setting_ip6_config(connection));
        NMIPAddress *address =
            nm_ip_address_new(FAMILIES[i], i == 0 ? "192.0.2.1" : "fd00::9", 24, NULL);

        nm_setting_ip_config_add_address(setting, address);
        nm_ip_address_unref(address);
        g_clear_pointer(&profile->bridge, g_free);
        g_assert_true(culvert_service_config_check(profile, connection, NULL));
        profile->bridge = g_strdup("br0");
        assert_refused(profile, connection, SETTINGS[i]);
    }
}

/* NetworkManager would take the setting, and do nothing. */
static void test_port_in_the_wrong_place(void)
{
    g_autoptr(CulvertProfile) profile = make_ethernet("10.0.0.2/24", "10.0.0.1/32", "");
    g_autoptr(NMConnection) connection = make_connection();

    g_object_set(nm_connection_get_setting_connection(connection), NM_SETTING_CONNECTION_SLAVE_TYPE,
                 "bridge", NM_SETTING_CONNECTION_MASTER, "br0", NULL);
    assert_refused(profile, connection, "connection.slave-type: ");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/service-config/config", test_config);
    g_test_add_func("/service-config/mtu", test_mtu);
    g_test_add_func("/service-config/config-ip6", test_config_ip6);
    g_test_add_func("/service-config/ip4", test_ip4);
    g_test_add_func("/service-config/ip6", test_ip6);
    g_test_add_func("/service-config/least", test_least);
    g_test_add_func("/service-config/default-route", test_default_route);
    g_test_add_func("/service-config/default-route-ip6", test_default_route_ip6);
    g_test_add_func("/service-config/halves", test_halves);
    g_test_add_func("/service-config/several-peers", test_several_peers);
    g_test_add_func("/service-config/own-network", test_own_network);
    g_test_add_func("/service-config/gateway-in-allowed-ips", test_gateway_in_allowed_ips);
    g_test_add_func("/service-config/several-addresses", test_several_addresses);
    g_test_add_func("/service-config/family-without-address", test_family_without_address);
    g_test_add_func("/service-config/describe", test_describe);
    g_test_add_func("/service-config/ethernet/without-address", test_ethernet_without_address);
    g_test_add_func("/service-config/ethernet/address", test_ethernet_address);
    g_test_add_func("/service-config/ethernet/mtu", test_ethernet_mtu);
    g_test_add_func("/service-config/ethernet/vtep", test_vtep);
    g_test_add_func("/service-config/port-with-addresses", test_port_with_addresses);
    g_test_add_func("/service-config/port-in-the-wrong-place", test_port_in_the_wrong_place);
    g_test_add_func("/service-config/advise-dns", test_advise_dns);
    return g_test_run();
}
