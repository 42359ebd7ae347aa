/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-profile-setting.c: NetworkManager's vpn setting as a CulvertProfile and back: every value
 * of every row, faults and how they are named, numbering of peers, and which secret is missing.
 */
#include <arpa/inet.h>
#include <string.h>

#include "profile/culvert-options.h"

#define PRIVATE "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="
#define PUBLIC1 "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
#define PUBLIC2 "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0="
#define PUBLIC3 "gN65BkIKy1eCE9pP1wdc8ROUtkHLF2PfAqYdyYBz6EA="
#define PSK     "FpCyhws9cxwWoV4xELtfJvjJN+zQVRPISllRWgeopVE="
#define ZEROS   "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define SECRET  "secret:" /* before a key: in vpn.secrets */

/* Sets "key=value"s separated by newlines; an empty value removes the key; values may hold \t for
 * a control character. */
static void set_items(NMSettingVpn *setting, const char *items)
{
    g_auto(GStrv) lines = g_strsplit(items, "\n", -1);

    for (guint i = 0; lines[i]; i++) {
        char *equals = strchr(lines[i], '=');
        const char *key = lines[i];

        if (!equals)
            continue;
        *equals = '\0';
        if (g_str_has_prefix(key, SECRET)) {
            key += strlen(SECRET);
            nm_setting_vpn_remove_secret(setting, key);
            if (equals[1])
                nm_setting_vpn_add_secret(setting, key, equals + 1);
        } else {
            nm_setting_vpn_remove_data_item(setting, key);
            if (equals[1])
                nm_setting_vpn_add_data_item(setting, key, equals + 1);
        }
    }
}

static NMSettingVpn *setting_new(const char *items)
{
    NMSettingVpn *setting = NM_SETTING_VPN(nm_setting_vpn_new());

    set_items(setting, SECRET "private-key=" PRIVATE "\n"
                              "private-key-flags=0\n"
                              "address=10.0.0.2/24\n"
                              "public-key=" PUBLIC1 "\n");
    set_items(setting, items);
    return setting;
}

static const CulvertProfilePeer *peer_at(const CulvertProfile *profile, guint i)
{
    g_assert_cmpuint(i, <, profile->peers->len);
    return g_ptr_array_index(profile->peers, i);
}

static const char *string_at(GPtrArray *list, guint i)
{
    g_assert_cmpuint(i, <, list->len);
    return g_ptr_array_index(list, i);
}

static void assert_prefix(GArray *list, guint i, const char *address, guint length)
{
    const WgPrefix *prefix = &g_array_index(list, WgPrefix, i);
    char text[INET6_ADDRSTRLEN];

    g_assert_cmpuint(i, <, list->len);
    g_assert_cmpstr(inet_ntop(prefix->family, prefix->addr, text, sizeof(text)), ==, address);
    g_assert_cmpuint(prefix->length, ==, length);
}

static const char FULL[] =
    SECRET "private-key=" PRIVATE "\n"
           "private-key-flags=1\n"
           "address=10.0.0.2/24;fd00::2/64\n"
           "dns=10.0.0.53;fd00::53;corp.example;~lab.example\n"
           "mtu=1380\n"
           "listen-port=51820\n"
           "fwmark=0xca6c\n"
           "device-type=tap\n"
           "vxlan-id=77\n"
           "vxlan-remote=10.0.0.1\n"
           "tap-address=10.20.0.2/24;fd20::2/64\n"
           "tun-user=ann\n"
           "tun-group=44\n"
           "public-key=" PUBLIC1 "\n" SECRET "preshared-key=" PSK "\n"
           "preshared-key-flags=0\n"
           "endpoint=vpn.example.com:51820;192.0.2.1:443;[2001:db8::1]:51820;[fe80::1%eth0]:51820\n"
           "allowed-ips=10.0.0.0/8;fd00::/8\n"
           "persistent-keepalive=25\n"
           "peer2-public-key=" PUBLIC2 "\n" SECRET "peer2-preshared-key=" PSK "\n"
           "peer2-preshared-key-flags=2\n"
           "peer2-allowed-ips=0.0.0.0/0\n"
           "peer3-public-key=" PUBLIC3;

static void test_full(void)
{
    g_autoptr(NMSettingVpn) setting = setting_new(FULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(CulvertProfile) profile = culvert_profile_from_setting(setting, TRUE, &error);
    const CulvertProfilePeer *peer;
    char text[WG_KEY_BASE64_SIZE];

    g_assert_no_error(error);
    wg_key_to_base64(profile->private_key, text);
    g_assert_cmpstr(text, ==, PRIVATE);
    g_assert_cmpint(profile->private_key_flags, ==, NM_SETTING_SECRET_FLAG_AGENT_OWNED);
    g_assert_cmpuint(profile->addresses->len, ==, 2);
    assert_prefix(profile->addresses, 0, "10.0.0.2", 24);
    assert_prefix(profile->addresses, 1, "fd00::2", 64);
    g_assert_cmpuint(profile->dns->len, ==, 2);
    g_assert_cmpstr(string_at(profile->dns, 1), ==, "fd00::53");
    g_assert_cmpuint(profile->search->len, ==, 2);
    g_assert_cmpstr(string_at(profile->search, 1), ==, "~lab.example");
    g_assert_cmpuint(profile->mtu, ==, 1380);
    g_assert_cmpuint(profile->listen_port, ==, 51820);
    g_assert_cmpuint(profile->fwmark, ==, 0xca6c);
    g_assert_cmpint(profile->device_type, ==, CULVERT_DEVICE_TAP);
    g_assert_cmpuint(profile->vxlan_id, ==, 77);
    g_assert_cmpint(profile->vxlan_remote.family, ==, AF_INET);
    g_assert_cmpuint(profile->tap_addresses->len, ==, 2);
    assert_prefix(profile->tap_addresses, 1, "fd20::2", 64);
    g_assert_null(profile->bridge);
    g_assert_cmpstr(profile->tun_user, ==, "ann");
    g_assert_cmpstr(profile->tun_group, ==, "44");
    g_assert_cmpuint(profile->peers->len, ==, 3);

    peer = peer_at(profile, 0);
    wg_key_to_base64(&peer->public_key, text);
    g_assert_cmpstr(text, ==, PUBLIC1);
    wg_key_to_base64(peer->preshared_key, text);
    g_assert_cmpstr(text, ==, PSK);
    g_assert_cmpint(peer->preshared_key_flags, ==, NM_SETTING_SECRET_FLAG_NONE);
    g_assert_cmpuint(peer->endpoints->len, ==, 4);
    g_assert_cmpstr(string_at(peer->endpoints, 2), ==, "[2001:db8::1]:51820");
    g_assert_cmpuint(peer->allowed_ips->len, ==, 2);
    g_assert_cmpuint(peer->keepalive, ==, 25);
    g_assert_cmpint(peer_at(profile, 1)->preshared_key_flags, ==, NM_SETTING_SECRET_FLAG_NOT_SAVED);
    g_assert_null(peer_at(profile, 2)->preshared_key);

    /* What of an Ethernet network is reached is no matter of allowed IPs. */
    g_assert_false(culvert_profile_has_default_route(profile, AF_INET));
    profile->device_type = CULVERT_DEVICE_TUN;
    g_assert_true(culvert_profile_has_default_route(profile, AF_INET));
    g_assert_false(culvert_profile_has_default_route(profile, AF_INET6));
}

static void test_defaults(void)
{
    g_autoptr(NMSettingVpn) setting = setting_new("private-key-flags=\n");
    g_autoptr(GError) error = NULL;
    g_autoptr(CulvertProfile) profile = culvert_profile_from_setting(setting, TRUE, &error);

    g_assert_no_error(error);
    g_assert_cmpint(profile->private_key_flags, ==, NM_SETTING_SECRET_FLAG_NONE);
    g_assert_cmpuint(profile->mtu, ==, 0);
    g_assert_cmpuint(profile->listen_port, ==, 0);
    g_assert_cmpuint(profile->fwmark, ==, 0);
    g_assert_cmpint(profile->device_type, ==, CULVERT_DEVICE_TUN);
    g_assert_cmpint(profile->kill_switch, ==, CULVERT_KILL_SWITCH_NO);
    g_assert_cmpuint(profile->dns->len, ==, 0);
    g_assert_cmpuint(peer_at(profile, 0)->keepalive, ==, 0);
    g_assert_cmpuint(peer_at(profile, 0)->endpoints->len, ==, 0);
    g_assert_null(peer_at(profile, 0)->preshared_key);
}

/* Writing what was read gives the same setting again, and takes away what is not there any more. */
static void test_round_trip(void)
{
    g_autoptr(NMSettingVpn) setting = setting_new(FULL);
    g_autoptr(NMSettingVpn) written =
        setting_new("peer2-endpoint=gone.example:1\npeer4-public-key=" PUBLIC1 "\n"
                    "foreign=stays\n" SECRET "peer4-preshared-key=" PSK "\n");
    g_autoptr(GError) error = NULL;
    g_autoptr(CulvertProfile) profile = culvert_profile_from_setting(setting, TRUE, &error);

    g_assert_no_error(error);
    culvert_profile_to_setting(profile, written);
    g_assert_cmpstr(nm_setting_vpn_get_data_item(written, "foreign"), ==, "stays");
    nm_setting_vpn_remove_data_item(written, "foreign");
    g_assert_true(nm_setting_compare(NM_SETTING(setting), NM_SETTING(written),
                                     NM_SETTING_COMPARE_FLAG_EXACT));
}

static void test_defaults_are_not_written(void)
{
    g_autoptr(NMSettingVpn) setting =
        setting_new("mtu=0\nlisten-port=0\nfwmark=off\ndevice-type=tun\npersistent-keepalive=off\n"
                    "dns=,; \nendpoint= \nallowed-ips=;\n");
    g_autoptr(GError) error = NULL;
    g_autoptr(CulvertProfile) profile = culvert_profile_from_setting(setting, TRUE, &error);

    g_assert_no_error(error);
    culvert_profile_to_setting(profile, setting);
    g_assert_cmpuint(nm_setting_vpn_get_num_data_items(setting), ==, 3);
    g_assert_cmpuint(nm_setting_vpn_get_num_secrets(setting), ==, 1);
}

/* Only the first address of a family is the VPN's; the others are for ipv4.addresses. */
static void test_further_addresses(void)
{
    g_autoptr(NMSettingVpn) setting = setting_new("");
    g_autoptr(CulvertProfile) profile = culvert_profile_from_setting(setting, TRUE, NULL);
    const CulvertOption *option = culvert_options_find("address");

    g_assert_true(culvert_option_parse(option, "10.1.1.1/8, fd00::1/64 fd00::2/64", profile, NULL));
    g_assert_cmpuint(profile->addresses->len, ==, 4);
    culvert_profile_to_setting(profile, setting);
    g_assert_cmpstr(nm_setting_vpn_get_data_item(setting, "address"), ==, "10.0.0.2/24;fd00::1/64");
}

#define TAP "device-type=tap\nallowed-ips=10.0.0.0/24;fd00::/64\nvxlan-remote=10.0.0.1\n"

typedef struct {
    const char *items;    /* of the setting */
    const char *expected; /* what becomes of them */
} Accepted;

static const Accepted ACCEPTED[] = {
    {"address=10.0.0.2/24, fd00::2/64", "address=10.0.0.2/24;fd00::2/64"},
    {"address=10.0.0.2 fd00::2", "address=10.0.0.2/32;fd00::2/128"},
    {"allowed-ips=10.1.2.3/8,;  fd00:0::1/8", "allowed-ips=10.0.0.0/8;fd00::/8"},
    {"allowed-ips=0/0::/0", NULL},
    {"allowed-ips=::/0;0.0.0.0/0", "allowed-ips=::/0;0.0.0.0/0"},
    {"dns=corp.example 10.0.0.53 FD00:0::53", "dns=10.0.0.53;fd00::53;corp.example"},
    {"dns=10.0.0.53 ~. bücher.example.", "dns=10.0.0.53;~;bücher.example."},
    {"dns=_tcp.x", "dns=_tcp.x"},
    {"mtu=68", "mtu=68"},
    {"mtu=65455", "mtu=65455"},
    {"mtu=1280\naddress=fd00::1/64", "mtu=1280"},
    {"listen-port=1", "listen-port=1"},
    {"listen-port=65535", "listen-port=65535"},
    {"fwmark=51820", "fwmark=0xca6c"},
    {"fwmark=0XCA6C", "fwmark=0xca6c"},
    {"fwmark=010", "fwmark=0xa"},
    {"fwmark=4294967295", "fwmark=0xffffffff"},
    {"device-type=TAP", "device-type=tap"},
    {TAP "vxlan-id=0", "device-type=tap"},
    {TAP "vxlan-id=16777215", "vxlan-id=16777215"},
    {TAP "vxlan-remote=FD00:0::1", "vxlan-remote=fd00::1"},
    {TAP "tap-address=192.0.2.1/24 fd00::1", "tap-address=192.0.2.1/24;fd00::1/128"},
    {TAP "bridge=br0", "bridge=br0"},
    {TAP "bridge=br0\ndns=10.0.0.1", "dns=10.0.0.1"},
    {TAP "mtu=118", "mtu=118"},
    {TAP "mtu=1330\ntap-address=fd00::1/64", "mtu=1330"},
    {TAP "mtu=1350\ntap-address=fd00::1/64\nvxlan-remote=fd00::1\naddress=fd00::2/64", "mtu=1350"},
    {"tun-user=ann", "tun-user=ann"},
    {"tun-user=4294967294", "tun-user=4294967294"},
    {"tun-group=DOMAIN\\some_one@example", "tun-group=DOMAIN\\some_one@example"},
    {"endpoint=vpn:1", "endpoint=vpn:1"},
    {"endpoint=a.example:1,[::1]:2;1.2.3.4:65535", "endpoint=a.example:1;[::1]:2;1.2.3.4:65535"},
    {"endpoint=2001:db8::1:51820", "endpoint=[2001:db8::1]:51820"},
    {"endpoint=[fe80::1%wlan0]:51820", "endpoint=[fe80::1%wlan0]:51820"},
    {"endpoint=bücher.example:1", "endpoint=bücher.example:1"},
    {"persistent-keepalive=65535", "persistent-keepalive=65535"},
    {"peer2-public-key=" PUBLIC2 "\npeer2-endpoint=x:1", "peer2-endpoint=x:1"},
    {SECRET "no-secret=true", "address=10.0.0.2/24"},
    {"preshared-key-flags=4", "address=10.0.0.2/24"},
    {"preshared-key-flags=3", "preshared-key-flags=3"},
    {SECRET "preshared-key=" ZEROS "\npreshared-key-flags=0", "preshared-key-flags=0"},
    {SECRET "preshared-key=" PSK, "preshared-key-flags=0"},
};

static void test_accepted(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(ACCEPTED); i++) {
        const Accepted *c = &ACCEPTED[i];
        g_autoptr(NMSettingVpn) setting = setting_new(c->items);
        g_autoptr(GError) error = NULL;
        g_autoptr(CulvertProfile) profile = culvert_profile_from_setting(setting, FALSE, &error);
        g_auto(GStrv) pair = NULL;

        g_test_message("%s", c->items);
        if (!c->expected) {
            g_assert_null(profile);
            continue;
        }
        g_assert_no_error(error);
        culvert_profile_to_setting(profile, setting);
        pair = g_strsplit(c->expected, "=", 2);
        g_assert_cmpstr(nm_setting_vpn_get_data_item(setting, pair[0]), ==, pair[1]);
    }
}

typedef struct {
    const char *items;
    const char *name;  /* with which the message begins */
    const char *fault; /* that it holds */
    CulvertProfileError code;
} Refused;

#define INVALID CULVERT_PROFILE_ERROR_INVALID
#define MISSING CULVERT_PROFILE_ERROR_MISSING

static const Refused REFUSED[] = {
    /* Keys. */
    {"adress=10.0.0.1", "adress", "no such setting", INVALID},
    {"Address=10.0.0.1", "Address", "no such setting", INVALID},
    {"gateway-flags=1", "gateway-flags", "no such setting", INVALID},
    {"mtu-flags=1", "mtu-flags", "no such setting", INVALID},
    {"peer2-adress=10.0.0.1", "peer2-adress", "no such setting", INVALID},
    {"peer-endpoint=x:1", "peer-endpoint", "no such setting", INVALID},
    {"peer2endpoint=x:1", "peer2endpoint", "no such setting", INVALID},
    {"peer2-mtu=1400", "peer2-mtu", "not a peer's", INVALID},
    {"peer2-private-key-flags=1", "peer2-private-key-flags", "not a peer's", INVALID},
    {"a\tb=1", "a�b", "no such setting", INVALID},
    {SECRET "password=x", "password", "no such setting", INVALID},
    {SECRET "mtu=1400", "mtu", "not a secret", INVALID},
    {SECRET "private-key-flags=1", "private-key-flags", "not a secret", INVALID},
    {"private-key=" PRIVATE, "private-key", "is a secret", INVALID},
    {"preshared-key=" PSK, "preshared-key", "is a secret", INVALID},
    /* Numbers of peers. */
    {"peer1-public-key=" PUBLIC2, "peer1-public-key", "not the number of a peer", INVALID},
    {"peer0-public-key=" PUBLIC2, "peer0-public-key", "not the number of a peer", INVALID},
    {"peer02-public-key=" PUBLIC2, "peer02-public-key", "not the number of a peer", INVALID},
    {"peer4294967298-endpoint=x:1", "peer4294967298-endpoint", "not the number", INVALID},
    {"peer3-public-key=" PUBLIC2, "peer3-public-key", "no peer 2", INVALID},
    {"peer2-public-key=" PUBLIC2 "\npeer4-endpoint=x:1", "peer4-endpoint", "no peer 3", INVALID},
    {"public-key=\npeer2-public-key=" PUBLIC2, "peer2-public-key", "no peer 1", INVALID},
    {"peer2-endpoint=x:1", "peer2-public-key", "missing", MISSING},
    {SECRET "peer2-preshared-key=" PSK, "peer2-public-key", "missing", MISSING},
    /* What is missing. */
    {"public-key=", "public-key", "missing", MISSING},
    {"public-key=\nendpoint=x:1", "public-key", "missing", MISSING},
    /* Values. */
    {"address=10.0.0.2/24;10.0.0.3/24", "address", "more than one IPv4 address", INVALID},
    {"address=fd00::1/64;fd00::2/64", "address", "more than one IPv6 address", INVALID},
    {"address=10.0.0.2/33", "address", "“10.0.0.2/33”", INVALID},
    {"address=10.0.0.2/", "address", "“10.0.0.2/”", INVALID},
    {"address=10.0.0.2/+4", "address", "“10.0.0.2/+4”", INVALID},
    {"address=10.0.0/24", "address", "“10.0.0/24”", INVALID},
    {"address=fd00::1/129", "address", "“fd00::1/129”", INVALID},
    {"address=0.0.0.0/0", "address", "cannot be the address", INVALID},
    {"address=224.0.0.1/4", "address", "cannot be the address", INVALID},
    {"address=ff02::1", "address", "cannot be the address", INVALID},
    {"address=255.255.255.255", "address", "cannot be the address", INVALID},
    {"address=127.0.0.2/8", "address", "cannot be the address", INVALID},
    {"address=::1/128", "address", "cannot be the address", INVALID},
    {"address=10.0.0.2/0", "address", "“10.0.0.2/0” has the prefix length 0", INVALID},
    {"address=fd00::1/0", "address", "“fd00::1/0” has the prefix length 0", INVALID},
    {"address=10.0.0.2/24\t", "address", "control characters", INVALID},
    {"allowed-ips=10.0.0.0/8;host", "allowed-ips", "“host”", INVALID},
    {"dns=10.0.0.256", "dns", "“10.0.0.256” is not the address", INVALID},
    {"dns=10.0.0.53/32", "dns", "“10.0.0.53/32”", INVALID},
    {"dns=fe80::1%eth0", "dns", "“fe80::1%eth0”", INVALID},
    {"dns=a..b", "dns", "“a..b”", INVALID},
    {"dns=-x.example", "dns", "“-x.example”", INVALID},
    {"dns=sp\tace", "dns", "control characters", INVALID},
    {"mtu=67", "mtu", "“67” is not valid, expected is 0, or 68 to 65455", INVALID},
    {"mtu=65456", "mtu", "“65456”", INVALID},
    {"mtu=-1", "mtu", "“-1”", INVALID},
    {"mtu=1400.5", "mtu", "“1400.5”", INVALID},
    {"mtu=9999999999", "mtu", "“9999999999”", INVALID},
    {"mtu=1400\t", "mtu", "control characters", INVALID},
    {"mtu=off", "mtu", "“off”", INVALID},
    {"mtu=1279\naddress=10.0.0.1;fd00::1", "mtu", "too small for the IPv6 address", INVALID},
    {"listen-port=65536", "listen-port", "“65536”", INVALID},
    {"listen-port=domain", "listen-port", "“domain”", INVALID},
    {"fwmark=0x", "fwmark", "“0x”", INVALID},
    {"fwmark=4294967296", "fwmark", "“4294967296”", INVALID},
    {"fwmark=0x100000000", "fwmark", "“0x100000000”", INVALID},
    {"device-type=wg", "device-type", "“wg”", INVALID},
    {TAP "vxlan-id=16777216", "vxlan-id", "“16777216” is not valid, expected is 0, or 1 to",
     INVALID},
    {TAP "vxlan-remote=10.0.0.1/32", "vxlan-remote", "“10.0.0.1/32” is not an address", INVALID},
    {TAP "vxlan-remote=gateway", "vxlan-remote", "“gateway” is not an address", INVALID},
    {TAP "vxlan-remote=224.0.0.1", "vxlan-remote", "cannot be the address", INVALID},
    {TAP "vxlan-remote=10.0.1.1", "vxlan-remote", "not among the first peer's", INVALID},
    {TAP "vxlan-remote=fd01::1", "vxlan-remote", "not among the first peer's", INVALID},
    {TAP "tap-address=10.0.0.0/99", "tap-address", "“10.0.0.0/99”", INVALID},
    {TAP "tap-address=10.0.0.2/0", "tap-address", "has the prefix length 0", INVALID},
    {TAP "tap-address=10.0.0.2;10.0.0.3", "tap-address", "more than one IPv4 address", INVALID},
    {TAP "bridge=a/b", "bridge", "“a/b” is not the name of a network interface", INVALID},
    {TAP "bridge=a-name-of-16-byt", "bridge", "is not the name", INVALID},
    {TAP "bridge=br0\ntap-address=10.0.0.2", "tap-address", "give it to the bridge", INVALID},
    {TAP "bridge=br0\nkill-switch=yes", "kill-switch", "what a bridge passes on", INVALID},
    {TAP "mtu=117", "mtu", "too small for Ethernet", INVALID},
    {TAP "mtu=1329\ntap-address=fd00::1", "mtu", "too small for the IPv6 address: with", INVALID},
    {"vxlan-id=1", "vxlan-id", "for Ethernet: leave it out, or set device-type", INVALID},
    {"vxlan-remote=10.0.0.1", "vxlan-remote", "for Ethernet", INVALID},
    {"tap-address=10.0.0.1/24", "tap-address", "for Ethernet", INVALID},
    {"bridge=br0\ndevice-type=tun", "bridge", "for Ethernet", INVALID},
    {"tun-user=a b", "tun-user", "“a b” is neither the name of an account nor", INVALID},
    {"tun-user=-1", "tun-user", "neither the name of an account", INVALID},
    {"tun-user=4294967295", "tun-user", "neither the name of an account", INVALID},
    {"tun-group=a:b", "tun-group", "neither the name of an account", INVALID},
    {"public-key=AAAA", "public-key", "4 characters", INVALID},
    {"public-key=xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dh=", "public-key", "base64", INVALID},
    {"public-key=xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8-g=", "public-key", "base64", INVALID},
    {"public-key=" ZEROS, "public-key", "zeros", INVALID},
    {"peer2-public-key=" PUBLIC1, "peer2-public-key", "same key", INVALID},
    {"endpoint=vpn.example.com", "endpoint", "has no port", INVALID},
    {"endpoint=[fd00::1]", "endpoint", "has no port", INVALID},
    {"endpoint=[fd00::1]51820", "endpoint", "has no port", INVALID},
    {"endpoint=:51820", "endpoint", "does not begin", INVALID},
    {"endpoint=1.2.3:51820", "endpoint", "does not begin", INVALID},
    {"endpoint=a_b!.example:51820", "endpoint", "does not begin", INVALID},
    {"endpoint=vpn:0", "endpoint", "port from 1 to 65535", INVALID},
    {"endpoint=vpn:65536", "endpoint", "port from 1 to 65535", INVALID},
    {"endpoint=vpn:http", "endpoint", "port from 1 to 65535", INVALID},
    {"endpoint=vpn:1;x", "endpoint", "“x” has no port", INVALID},
    {"endpoint=vpn:1\x7f", "endpoint", "control characters", INVALID},
    {"endpoint=vpn\xff:1", "endpoint", "UTF-8", INVALID},
    {"persistent-keepalive=65536", "persistent-keepalive", "off, 0, or 1 to 65535", INVALID},
    {"private-key-flags=8", "private-key-flags", "sum of 1", INVALID},
    {"private-key-flags=x", "private-key-flags", "sum of 1", INVALID},
    {"peer2-public-key=" PUBLIC2 "\npeer2-allowed-ips=10.0.0.0/99", "peer2-allowed-ips",
     "“10.0.0.0/99”", INVALID},
    /* Secrets. */
    {SECRET "private-key=yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBm=", "private-key",
     "43 characters", INVALID},
    {SECRET "private-key=yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBml=", "private-key", "base64",
     INVALID},
    {SECRET "private-key=" PRIVATE " ", "private-key", "45 characters", INVALID},
    {SECRET "private-key=" PRIVATE "\t", "private-key", "control characters", INVALID},
    {SECRET "private-key=" ZEROS, "private-key", "zeros", INVALID},
    {"peer2-public-key=" PUBLIC2 "\n" SECRET "peer2-preshared-key=x", "peer2-preshared-key",
     "1 character,", INVALID},
    /* Keys in the wrong place must not be quoted. */
    {"mtu=" PRIVATE, "mtu", "…", INVALID},
    {"listen-port=x " PRIVATE, "listen-port", "…", INVALID},
    {"endpoint=" PRIVATE ":1", "endpoint", "…", INVALID},
    {"dns=" PRIVATE, "dns", "…", INVALID},
    {"allowed-ips=yAnz5TF+lXXJte14tji3zlMNq+hd2", "allowed-ips", "…", INVALID},
    {"device-type=" PRIVATE, "device-type", "…", INVALID},
};

static void test_refused(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(REFUSED); i++) {
        const Refused *c = &REFUSED[i];
        g_autoptr(NMSettingVpn) setting = setting_new(c->items);
        g_autoptr(GError) error = NULL;
        g_autoptr(CulvertProfile) profile = culvert_profile_from_setting(setting, FALSE, &error);
        g_autofree char *start = g_strconcat(c->name, ": ", NULL);

        g_test_message("%s", error ? error->message : c->name);
        g_assert_null(profile);
        g_assert_error(error, CULVERT_PROFILE_ERROR, (int) c->code);
        g_assert_true(g_str_has_prefix(error->message, start));
        g_assert_nonnull(strstr(error->message, c->fault));
        g_assert_null(strstr(error->message, "yAnz5"));
        g_assert_true(g_utf8_validate(error->message, -1, NULL));
    }
}

static void test_own_key(void)
{
    g_autoptr(NMSettingVpn) setting = setting_new("");
    g_autoptr(GError) error = NULL;
    WgKey private_key, public_key;
    char text[WG_KEY_BASE64_SIZE];

    g_assert_true(wg_key_from_base64(&private_key, PRIVATE));
    wg_key_public(&public_key, &private_key);
    wg_key_to_base64(&public_key, text);
    nm_setting_vpn_add_data_item(setting, "public-key", text);
    g_assert_null(culvert_profile_from_setting(setting, FALSE, &error));
    g_assert_error(error, CULVERT_PROFILE_ERROR, CULVERT_PROFILE_ERROR_INVALID);
    g_assert_true(g_str_has_prefix(error->message, "public-key: this is the public key of this"));
}

static const struct {
    const char *items;
    const char *missing;
} SECRETS[] = {
    {"", NULL},
    {SECRET "private-key=", "private-key"},
    {SECRET "private-key=\nprivate-key-flags=", "private-key"},
    {SECRET "private-key=\nprivate-key-flags=1", "private-key"},
    {SECRET "private-key=\nprivate-key-flags=4", "private-key"},
    {"preshared-key-flags=0", "preshared-key"},
    {"preshared-key-flags=1", "preshared-key"},
    {"preshared-key-flags=4", NULL},
    {"preshared-key-flags=5", NULL},
    {"preshared-key-flags=1\n" SECRET "preshared-key=" PSK, NULL},
    {SECRET "preshared-key=" PSK, NULL},
    {"peer10-preshared-key-flags=0\npeer2-preshared-key-flags=0", "peer2-preshared-key"},
    /* Faults elsewhere do not matter here. */
    {"mtu=x\npeer2-preshared-key-flags=2", "peer2-preshared-key"},
    {"nonsense=x\npreshared-key-flags=x", NULL},
};

static void test_missing_secret(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(SECRETS); i++) {
        g_autoptr(NMSettingVpn) setting = setting_new(SECRETS[i].items);
        g_autofree char *missing = culvert_profile_missing_secret(setting);

        g_test_message("%s", SECRETS[i].items);
        g_assert_cmpstr(missing, ==, SECRETS[i].missing);
    }
}

/* All that may be asked for, each once, in order. */
static void test_list_secrets(void)
{
    static const struct {
        const char *key;
        guint peer;
        gboolean is_set;
    } EXPECTED[] = {
        {"private-key", 0, TRUE},
        {"preshared-key", 1, TRUE},
        {"peer2-preshared-key", 2, FALSE},
        {"peer11-preshared-key", 11, TRUE},
    };
    g_autoptr(NMSettingVpn) setting = setting_new(
        "peer3-preshared-key-flags=4\nprivate-key-flags=1\npeer2-preshared-key-flags=2\n" SECRET
        "peer11-preshared-key=" PSK "\npreshared-key-flags=1\n" SECRET "preshared-key=" PSK
        "\n" SECRET "no-secret=true");
    g_autoptr(GPtrArray) secrets = culvert_profile_list_secrets(setting);

    g_assert_cmpuint(secrets->len, ==, G_N_ELEMENTS(EXPECTED));
    for (guint i = 0; i < secrets->len; i++) {
        const CulvertProfileSecret *secret = g_ptr_array_index(secrets, i);

        g_assert_cmpstr(secret->key, ==, EXPECTED[i].key);
        g_assert_cmpuint(secret->peer, ==, EXPECTED[i].peer);
        g_assert_cmpint(secret->is_set, ==, EXPECTED[i].is_set);
    }
}

static void test_need_secrets(void)
{
    g_autoptr(NMSettingVpn) setting =
        setting_new("peer2-public-key=" PUBLIC2 "\npeer2-preshared-key-flags=1");
    g_autoptr(GError) error = NULL;
    g_autoptr(CulvertProfile) profile = culvert_profile_from_setting(setting, FALSE, &error);

    g_assert_no_error(error);
    g_assert_null(culvert_profile_from_setting(setting, TRUE, &error));
    g_assert_error(error, CULVERT_PROFILE_ERROR, CULVERT_PROFILE_ERROR_MISSING_SECRET);
    g_assert_true(g_str_has_prefix(error->message, "peer2-preshared-key: "));
    g_clear_error(&error);

    set_items(setting, SECRET "private-key=");
    g_assert_null(culvert_profile_from_setting(setting, TRUE, &error));
    g_assert_error(error, CULVERT_PROFILE_ERROR, CULVERT_PROFILE_ERROR_MISSING_SECRET);
    g_assert_cmpstr(error->message, ==, "private-key: this secret is missing");
}

/* A tunnel without an address may be kept, but not used. */
static void test_need_address(void)
{
    g_autoptr(NMSettingVpn) setting = setting_new("address= ;");
    g_autoptr(GError) error = NULL;
    g_autoptr(CulvertProfile) profile = culvert_profile_from_setting(setting, FALSE, &error);

    g_assert_no_error(error);
    g_assert_null(culvert_profile_from_setting(setting, TRUE, &error));
    g_assert_error(error, CULVERT_PROFILE_ERROR, CULVERT_PROFILE_ERROR_MISSING);
    g_assert_true(g_str_has_prefix(error->message, "address: "));
}

typedef struct {
    const char *items;
    const char *vtep;  /* NULL: none */
    guint overhead;    /* bytes */
    const char *fault; /* when it is to be used; NULL: none */
} Vtep;

static const Vtep VTEPS[] = {
    {"allowed-ips=10.0.0.1/32", "10.0.0.2", 50, NULL},
    {"allowed-ips=0.0.0.0/0;10.0.0.1/32\naddress=fd00::2/64;10.0.0.2/24", "10.0.0.2", 50, NULL},
    {"allowed-ips=fd00::1/128;10.0.0.1/32\naddress=fd00::2/64", "fd00::2", 70, NULL},
    {"allowed-ips=0.0.0.0/0;fd00::1/128\naddress=10.0.0.2/24;fd00::2/64", "fd00::2", 70, NULL},
    {"allowed-ips=10.0.0.1/32;fd00::/64\nvxlan-remote=fd00::9\naddress=10.0.0.2/24;fd00::2/64",
     "fd00::2", 70, NULL},
    {"allowed-ips=10.9.0.0/16\npeer2-allowed-ips=10.0.0.1/32\npeer2-public-key=" PUBLIC2,
     "10.0.0.2", 50, NULL},
    {"allowed-ips=10.0.0.0/24", NULL, 50, "vxlan-remote: this setting is missing"},
    {"allowed-ips=fd00::1/128", NULL, 50, "vxlan-remote: this setting is missing"},
    {"allowed-ips=fd00::/64\nvxlan-remote=fd00::1", NULL, 50, "address: there is no address of"},
    {"allowed-ips=10.0.0.1/32\naddress=", NULL, 50, "address: this setting is missing"},
};

/* Ethernet needs an address at both ends, of one family. */
static void test_vtep(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(VTEPS); i++) {
        const Vtep *c = &VTEPS[i];
        g_autoptr(NMSettingVpn) setting = setting_new("device-type=tap");
        g_autoptr(CulvertProfile) profile = NULL;
        g_autoptr(CulvertProfile) complete = NULL;
        g_autoptr(GError) error = NULL;
        const WgPrefix *vtep;

        g_test_message("%s", c->items);
        set_items(setting, c->items);
        profile = culvert_profile_from_setting(setting, FALSE, &error);
        g_assert_no_error(error);
        vtep = culvert_profile_find_vtep(profile);
        g_assert_true((vtep != NULL) == (c->vtep != NULL));
        if (vtep) {
            char text[INET6_ADDRSTRLEN];

            inet_ntop(vtep->family, vtep->addr, text, sizeof(text));
            g_assert_cmpstr(text, ==, c->vtep);
        }
        g_assert_cmpuint(culvert_profile_get_overhead(profile), ==, c->overhead);
        g_assert_cmpuint(culvert_profile_get_vni(profile), ==, 1);
        complete = culvert_profile_from_setting(setting, TRUE, &error);
        if (c->fault)
            g_assert_true(g_str_has_prefix(error->message, c->fault));
        else
            g_assert_no_error(error);
    }
}

/* Every row is documented, and can be found by both of its names. */
static void test_table(void)
{
    guint n;
    const CulvertOption *options = culvert_options(&n);
    g_autofree char *markdown = culvert_options_markdown();

    for (guint i = 0; i < n; i++) {
        g_autofree char *cell = g_strdup_printf("| `%s` | `", options[i].key);
        g_autofree char *values = culvert_option_values(&options[i]);

        g_assert_true(culvert_options_find(options[i].key) == &options[i]);
        g_assert_true(culvert_options_find_conf(options[i].conf_key) == &options[i]);
        g_assert_nonnull(strstr(markdown, cell));
        g_assert_cmpstr(values, !=, "");
        g_assert_cmpstr(options[i].help, !=, "");
        g_assert_null(strpbrk(options[i].help, "|\n"));
    }
    g_assert_null(culvert_options_find("peer2-endpoint"));
    g_assert_nonnull(culvert_options_find_conf("ALLOWEDips"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/profile/setting/full", test_full);
    g_test_add_func("/profile/setting/defaults", test_defaults);
    g_test_add_func("/profile/setting/round-trip", test_round_trip);
    g_test_add_func("/profile/setting/defaults-are-not-written", test_defaults_are_not_written);
    g_test_add_func("/profile/setting/further-addresses", test_further_addresses);
    g_test_add_func("/profile/setting/accepted", test_accepted);
    g_test_add_func("/profile/setting/refused", test_refused);
    g_test_add_func("/profile/setting/own-key", test_own_key);
    g_test_add_func("/profile/setting/missing-secret", test_missing_secret);
    g_test_add_func("/profile/setting/list-secrets", test_list_secrets);
    g_test_add_func("/profile/setting/need-secrets", test_need_secrets);
    g_test_add_func("/profile/setting/need-address", test_need_address);
    g_test_add_func("/profile/setting/vtep", test_vtep);
    g_test_add_func("/profile/options/table", test_table);
    return g_test_run();
}
