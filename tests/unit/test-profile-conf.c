/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-profile-conf.c: the parser of .conf files on text in memory: what it takes, every kind of
 * mistake with the line and fault that the message names, that messages hold no secret, and that
 * no bytes upset it. Whole files are test-profile-import.c's.
 */
#include <netdb.h>
#include <string.h>

#include "profile/culvert-conf.h"

#define PRIVATE "SIZkLX+Aq6521/nTXd1JDzjHC81fu/s/rLZAIxslXl0="
#define OWN     "5vtkpwX4FIP/yorgHPWNQFz9TVk0pN0PHVTT3pZArwQ="
#define PUBLIC1 "ERsUvfiVxsiZxzCPcnrmOaoPo1nyosO2dQNAqEMK9Ss="
#define PUBLIC2 "MfZeM2TX2gIJiAp2PfDcU6SSMwhW7o+fFU77ink7LhU="
#define PSK     "RmaJVEud43Z+phaV1QCfEnpW3C2x2PnYkjDPXWZuZQw="
#define ZEROS   "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

/* Lines 1 to 3, and 4 to 5 when a case is about [Interface] and about [Peer]. */
#define INTERFACE "[Interface]\nPrivateKey = " PRIVATE "\nAddress = 10.8.0.2/24\n"
#define PEER      "[Peer]\nPublicKey = " PUBLIC1 "\n"

static CulvertConf *parse(const char *text, GError **error)
{
    return culvert_conf_parse(text, strlen(text), "office.conf", error);
}

static char *format(const CulvertConf *conf)
{
    g_autoptr(GBytes) bytes = culvert_conf_format(conf);
    gsize length;
    const char *text = g_bytes_get_data(bytes, &length);

    return g_strndup(text, length);
}

static char *join_warnings(const CulvertConf *conf)
{
    g_autoptr(GString) out = g_string_new(NULL);

    for (guint i = 0; i < conf->warnings->len; i++)
        g_string_append_printf(out, "%s\n", (char *) g_ptr_array_index(conf->warnings, i));
    return g_string_free(g_steal_pointer(&out), FALSE);
}

typedef struct {
    const char *line;    /* in the section */
    const char *written; /* what export makes of it; NULL: nothing */
} Accepted;

static const Accepted INTERFACE_ACCEPTED[] = {
    {"Address = 10.9.0.1", "Address = 10.8.0.2/24, 10.9.0.1/32"},
    {"Address = fd00::1/64, ,", "Address = 10.8.0.2/24, fd00::1/64"},
    {"Address =", "Address = 10.8.0.2/24"},
    {"DNS=1.1.1.1,::1 example.org", "DNS = 1.1.1.1, ::1, example.org"},
    {"DNS=example.org,1.1.1.1", "DNS = 1.1.1.1, example.org"},
    {"DNS = 1.1.1.1, ~.", "DNS = 1.1.1.1, ~"},
    {"MTU = 1 4 2 0", "MTU = 1420"},
    {"MTU =", NULL},
    {"MTU = 0", NULL},
    {"ListenPort = 05", "ListenPort = 5"},
    {"FwMark = 010", "FwMark = 0xa"},
    {"FwMark = 0XfF", "FwMark = 0xff"},
    {"FwMark = OFF", NULL},
    {"FwMark = 4294967295", "FwMark = 0xffffffff"},
    {"Table = OFF", "Table = off"},
    {"Table = Auto", NULL},
    {"Table = 0", NULL},
    {"Table =", NULL},
    {"Table = main", "Table = 254"},
    {"Table = 0xff", "Table = 255"},
    {"Table = 4294967295", "Table = 4294967295"},
    {"Table = off\nTable = 7", "Table = 7"},
    {"# Culvert: DeviceType = TAP", "# Culvert: DeviceType = tap"},
    {"# Culvert: TunUser = ann", "# Culvert: TunUser = ann"},
    {"# Culvert: DeviceType = tun", NULL},
    {"# Culvert: KillSwitch = yes", "# Culvert: KillSwitch = yes"},
    {"# culvert: killswitch = Allow-Local", "# Culvert: KillSwitch = allow-local"},
    {"# Culvert: KillSwitch = no", NULL},
    {"# Culvert: privatekeyflags = 3", "# Culvert: PrivateKeyFlags = 3"},
    {"# Culvert: PrivateKeyFlags = 0", NULL},
    {"PrivateKey = " PSK, "PrivateKey = " PSK},
};

static const Accepted PEER_ACCEPTED[] = {
    {"PublicKey = " PUBLIC2, "PublicKey = " PUBLIC2},
    {"PresharedKey = " PSK, "PresharedKey = " PSK},
    {"PresharedKey = " ZEROS, NULL},
    {"PresharedKey = " PSK "\nPresharedKey = " ZEROS, "# Culvert: PresharedKeyFlags = 0"},
    {"AllowedIPs = 10.0.0.1, ::/0", "AllowedIPs = 10.0.0.1/32, ::/0"},
    {"AllowedIPs = 10.0.0.0/8\nAllowedIPs = 11.0.0.0/8", "AllowedIPs = 10.0.0.0/8, 11.0.0.0/8"},
    {"AllowedIPs =", NULL},
    {"AllowedIPs = +10.0.0.0/8,-10.1.2.3/8", NULL},
    {"Endpoint = host:1\nEndpoint = other:2", "Endpoint = other:2"},
    {"Endpoint = [fd00::1]:2", "Endpoint = [fd00::1]:2"},
    {"Endpoint = fd00::1:2", "Endpoint = [fd00::1]:2"},
    {"Endpoint = xn--bcher-kva.example.:2", "Endpoint = xn--bcher-kva.example.:2"},
    {"# Culvert: Endpoint = b:2,c:3", "Endpoint = b:2\n# Culvert: Endpoint = c:3"},
    {"PersistentKeepalive = Off", NULL},
    {"PersistentKeepalive = 0", NULL},
    {"PersistentKeepalive = 65535", "PersistentKeepalive = 65535"},
    {"# Culvert: PresharedKeyFlags = 4", NULL},
};

static void assert_written(const char *before, const Accepted *c, const char *after)
{
    g_autofree char *text = g_strconcat(before, c->line, "\n", after, NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(CulvertConf) conf = parse(text, &error);
    g_autoptr(CulvertConf) plain = parse(INTERFACE PEER, NULL);
    g_autofree char *written = NULL;
    g_autofree char *expected = NULL;

    g_test_message("%s", c->line);
    g_assert_no_error(error);
    written = format(conf);
    if (c->written) {
        expected = g_strconcat("\n", c->written, "\n", NULL);
        g_assert_nonnull(strstr(written, expected));
    } else {
        expected = format(plain);
        g_assert_cmpstr(written, ==, expected);
    }
}

static void test_accepted(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(INTERFACE_ACCEPTED); i++)
        assert_written(INTERFACE, &INTERFACE_ACCEPTED[i], PEER);
    for (guint i = 0; i < G_N_ELEMENTS(PEER_ACCEPTED); i++)
        assert_written(INTERFACE PEER, &PEER_ACCEPTED[i], "");
}

/* wg asks the system for names of services; a system without /etc/services knows none. */
static void test_services(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CulvertConf) conf = NULL;
    const CulvertProfilePeer *peer;

    if (!getservbyname("domain", "udp")) {
        conf = parse(INTERFACE "ListenPort = domain\n" PEER, &error);
        g_assert_error(error, CULVERT_PROFILE_ERROR, CULVERT_PROFILE_ERROR_INVALID);
        return;
    }
    conf = parse(INTERFACE "ListenPort = domain\n" PEER "Endpoint = [::1]:domain\n", &error);
    g_assert_no_error(error);
    peer = g_ptr_array_index(conf->profile->peers, 0);
    g_assert_cmpuint(conf->profile->listen_port, ==, 53);
    g_assert_cmpstr(g_ptr_array_index(peer->endpoints, 0), ==, "[::1]:53");
}

typedef struct {
    const char *text;
    guint line;
    const char *fault;
    CulvertProfileError code;
} Mistake;

#define INVALID  CULVERT_PROFILE_ERROR_INVALID
#define MISSING  CULVERT_PROFILE_ERROR_MISSING
#define NOT_CONF CULVERT_PROFILE_ERROR_NOT_CONF

static const Mistake MISTAKES[] = {
    /* Other files. */
    {"", 1, "nothing in it", NOT_CONF},
    {"\n# only a comment\n\n", 3, "nothing in it", NOT_CONF},
    {"client\ndev tun\nremote vpn.example.com 1194\n", 1, "does not begin with a section",
     NOT_CONF},
    {"[main]\nDescription=cisco\n", 1, "begins with another section", NOT_CONF},
    {"[connection]\nid=office\n", 1, "begins with another section", NOT_CONF},
    {"# comment\n\n<html>\n", 3, "does not begin with a section", NOT_CONF},
    {"key=value\n[Interface]\n", 1, "does not begin with a section", NOT_CONF},
    {"DeviceType = tap\n[Interface]\n", 1, "does not begin with a section", NOT_CONF},
    {"-----BEGIN PRIVATE KEY-----\n", 1, "does not begin with a section", NOT_CONF},
    {"\xff\xfe[\x01", 1, "UTF-16", NOT_CONF},
    /* Sections. */
    {"PrivateKey = " PRIVATE "\n" INTERFACE PEER, 1, "PrivateKey belongs in the section [Inter",
     INVALID},
    {"PostUp = x\n" INTERFACE PEER, 1, "PostUp belongs in the section [Interface]", INVALID},
    {INTERFACE PEER "[Gateway]\n", 6, "“[Gateway]” is not a section", INVALID},
    {INTERFACE PEER "[Peer\n", 6, "“[Peer” is not a section", INVALID},
    {INTERFACE PEER "[Peer] x\n", 6, "“[Peer]x” is not a section", INVALID},
    {PEER, 2, "[Interface] is missing", MISSING},
    {INTERFACE, 1, "PublicKey: this setting is missing", MISSING},
    {INTERFACE "[Peer]\n", 4, "PublicKey: this setting is missing", MISSING},
    {INTERFACE PEER "[Peer]\nEndpoint = x:1\n", 6, "PublicKey: this setting is missing", MISSING},
    {INTERFACE "PublicKey = " PUBLIC1 "\n", 4, "PublicKey belongs in the section [Peer]", INVALID},
    {INTERFACE PEER "MTU = 1400\n", 6, "MTU belongs in the section [Interface]", INVALID},
    {INTERFACE PEER "Table = off\n", 6, "Table belongs in the section [Interface]", INVALID},
    {INTERFACE PEER "postup = x\n", 6, "PostUp belongs in the section [Interface]", INVALID},
    /* Lines. */
    {INTERFACE "; comment\n" PEER, 4, "not understood", INVALID},
    {INTERFACE "// comment\n" PEER, 4, "not understood", INVALID},
    {INTERFACE "Jc = 4\n" PEER, 4, "“Jc” is not a setting of [Interface]", INVALID},
    {INTERFACE PEER "Cheese = 4\n", 6, "“Cheese” is not a setting of [Peer]", INVALID},
    {INTERFACE "DeviceType = tap\n" PEER, 4, "“DeviceType” is not a setting of", INVALID},
    {INTERFACE "# Culvert: VxlanId = 5\n" PEER, 4, "VxlanId: this setting is for Ethernet",
     INVALID},
    {INTERFACE "# Culvert: TunUser = a:b\n" PEER, 4, "TunUser: “a:b” is neither", INVALID},
    {INTERFACE "MTU 1400\n" PEER, 4, "not understood", INVALID},
    {INTERFACE "MTU: 1400\n" PEER, 4, "not understood", INVALID},
    {INTERFACE "= 1400\n" PEER, 4, "not understood", INVALID},
    {INTERFACE "M\xc3\xbcTU = 1400\n" PEER, 4, "not understood", INVALID},
    {INTERFACE PRIVATE "\n" PEER, 4, "not understood", INVALID},
    {INTERFACE "PrivateKey " PRIVATE "\n" PEER, 4, "not understood", INVALID},
    {INTERFACE "PrivateKey:" PRIVATE "\n" PEER, 4, "not understood", INVALID},
    /* Values of [Interface]. */
    {INTERFACE "PrivateKey =\n" PEER, 4, "PrivateKey: the value is empty", INVALID},
    {INTERFACE "PrivateKey = x\n" PEER, 4, "PrivateKey: this is not a key: it has 1 ch", INVALID},
    {INTERFACE "PrivateKey = " ZEROS "\n" PEER, 4, "PrivateKey: this key is all zeros", INVALID},
    {INTERFACE "PrivateKey = " PRIVATE "=\n" PEER, 4, "PrivateKey: this is not a key", INVALID},
    {INTERFACE "PrivateKey = \x01" PRIVATE "\n" PEER, 4, "PrivateKey: the value has c", INVALID},
    {INTERFACE "Address = 10.8.0.300/24\n" PEER, 4, "Address: “10.8.0.300/24”", INVALID},
    {INTERFACE "Address = 10.8.0.3/33\n" PEER, 4, "Address: “10.8.0.3/33”", INVALID},
    {INTERFACE "Address = host/24\n" PEER, 4, "Address: “host/24”", INVALID},
    {INTERFACE "Address = 10.8.0.3 / 24\n" PEER, 4, "Address: “/”", INVALID},
    {INTERFACE "Address = ::\n" PEER, 4, "Address: “::” cannot be the address", INVALID},
    {INTERFACE "DNS = 1.1.1\n" PEER, 4, "DNS: “1.1.1” is not the address", INVALID},
    {INTERFACE "DNS = 1.1.1.1;8.8.8.8\n" PEER, 4, "DNS: “1.1.1.1;8.8.8.8”", INVALID},
    {INTERFACE "DNS = fd00::1::\n" PEER, 4, "DNS: “fd00::1::” is not the address", INVALID},
    {INTERFACE "MTU = big\n" PEER, 4, "MTU: “big” is not valid, expected is 0, or 68", INVALID},
    {INTERFACE "MTU = 67\n" PEER, 4, "MTU: “67”", INVALID},
    {INTERFACE "MTU = 70000\n" PEER, 4, "MTU: “70000”", INVALID},
    {INTERFACE "MTU = -1\n" PEER, 4, "MTU: “-1”", INVALID},
    {INTERFACE "MTU = 0x5dc\n" PEER, 4, "MTU: “0x5dc”", INVALID},
    {INTERFACE "Address = fd00::1\n\nMTU = 1200\n" PEER, 6, "MTU: this is too small", INVALID},
    {INTERFACE "ListenPort = 65536\n" PEER, 4, "ListenPort: “65536”", INVALID},
    {INTERFACE "ListenPort = no-such-service\n" PEER, 4, "ListenPort: “no-such-ser", INVALID},
    {INTERFACE "ListenPort =\n" PEER, 4, "ListenPort: the value is empty", INVALID},
    {INTERFACE "FwMark = 0xg\n" PEER, 4, "FwMark: “0xg”", INVALID},
    {INTERFACE "FwMark = 4294967296\n" PEER, 4, "FwMark: “4294967296”", INVALID},
    {INTERFACE "Table = vpn\n" PEER, 4, "Table: “vpn” is neither auto, off nor", INVALID},
    {INTERFACE "Table = -1\n" PEER, 4, "Table: “-1”", INVALID},
    {INTERFACE "Table = 4294967296\n" PEER, 4, "Table: “4294967296”", INVALID},
    {INTERFACE "# Culvert: DeviceType = bridge\n" PEER, 4, "DeviceType: “bridge”", INVALID},
    {INTERFACE "# Culvert: KillSwitch = on\n" PEER, 4, "KillSwitch: “on” is none of", INVALID},
    {INTERFACE "KillSwitch = yes\n" PEER, 4, "“KillSwitch” is not a setting of", INVALID},
    {INTERFACE "# Culvert: PrivateKeyFlags = 8\n" PEER, 4, "PrivateKey: the flags", INVALID},
    /* Values of [Peer]. */
    {INTERFACE PEER "PublicKey = " PUBLIC1 "A\n", 6, "PublicKey: this is not a key", INVALID},
    {INTERFACE PEER "PublicKey = " ZEROS "\n", 6, "PublicKey: a key of zeros", INVALID},
    {INTERFACE PEER "\nPublicKey = " OWN "\n", 7, "PublicKey: this is the public key of t",
     INVALID},
    {INTERFACE PEER "[Peer]\n\nPublicKey = " PUBLIC1 "\n", 8, "PublicKey: an earlier peer",
     INVALID},
    {INTERFACE PEER "PresharedKey = 0\n", 6, "PresharedKey: this is not a key", INVALID},
    {INTERFACE PEER "AllowedIPs = 10.0.0.0/8,\n", 6, "AllowedIPs: the value is empty", INVALID},
    {INTERFACE PEER "AllowedIPs = ,10.0.0.0/8\n", 6, "AllowedIPs: the value is empty", INVALID},
    {INTERFACE PEER "AllowedIPs = +\n", 6, "AllowedIPs: the value is empty", INVALID},
    {INTERFACE PEER "AllowedIPs = -\n", 6, "AllowedIPs: “” is not an address", INVALID},
    {INTERFACE PEER "AllowedIPs = 10.0.0.0/8 ::/0\n", 6, "AllowedIPs: “10.0.0.0/8::/0”", INVALID},
    {INTERFACE PEER "AllowedIPs = 10.0.0.0/-8\n", 6, "AllowedIPs: “10.0.0.0/-8”", INVALID},
    {INTERFACE PEER "AllowedIPs = all\n", 6, "AllowedIPs: “all”", INVALID},
    {INTERFACE PEER "Endpoint =\n", 6, "Endpoint: the value is empty", INVALID},
    {INTERFACE PEER "Endpoint = host\n", 6, "Endpoint: “host” has no port", INVALID},
    {INTERFACE PEER "Endpoint = host:\n", 6, "Endpoint: “host:” does not end in a port", INVALID},
    {INTERFACE PEER "Endpoint = host:0\n", 6, "Endpoint: “host:0” does not end", INVALID},
    {INTERFACE PEER "Endpoint = host:99999\n", 6, "Endpoint: “host:99999”", INVALID},
    {INTERFACE PEER "Endpoint = :1\n", 6, "Endpoint: “:1” does not begin", INVALID},
    {INTERFACE PEER "Endpoint = [::1:1\n", 6, "Endpoint: “[::1:1” has no port", INVALID},
    {INTERFACE PEER "Endpoint = 1.2.3.4.5:1\n", 6, "Endpoint: “1.2.3.4.5:1” does not b", INVALID},
    {INTERFACE PEER "Endpoint = ho/st:1\n", 6, "Endpoint: “ho/st:1” does not begin", INVALID},
    {INTERFACE PEER "# Culvert: Endpoint = host\n", 6, "Endpoint: “host” has no port", INVALID},
    {INTERFACE PEER "PersistentKeepalive = on\n", 6, "PersistentKeepalive: “on” is n", INVALID},
    {INTERFACE PEER "PersistentKeepalive = 65536\n", 6, "PersistentKeepalive: “65536”", INVALID},
    {INTERFACE PEER "# Culvert: PresharedKeyFlags = x\n", 6, "PresharedKey: the flags", INVALID},
    /* Line ends of all kinds count. */
    {"\r\n\r\n[Interface]\r\n\r\nMTU = x\r\n", 5, "MTU: “x”", INVALID},
    {"\xef\xbb\xbf\n[Interface]\nMTU = x", 3, "MTU: “x”", INVALID},
};

static void test_mistakes(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(MISTAKES); i++) {
        const Mistake *c = &MISTAKES[i];
        g_autoptr(GError) error = NULL;
        g_autoptr(CulvertConf) conf = parse(c->text, &error);
        g_autofree char *start = g_strdup_printf("office.conf:%u: ", c->line);

        g_test_message("%s", error ? error->message : c->text);
        g_assert_null(conf);
        g_assert_error(error, CULVERT_PROFILE_ERROR, (int) c->code);
        g_assert_true(g_str_has_prefix(error->message, start));
        g_assert_nonnull(strstr(error->message, c->fault));
        g_assert_true(g_utf8_validate(error->message, -1, NULL));
    }
}

static void test_zero_byte(void)
{
    static const char TEXT[] = INTERFACE "MTU = 14\0"
                                         "00\n" PEER;
    g_autoptr(GError) error = NULL;

    g_assert_null(culvert_conf_parse(TEXT, sizeof(TEXT) - 1, "x", &error));
    g_assert_error(error, CULVERT_PROFILE_ERROR, CULVERT_PROFILE_ERROR_NOT_CONF);
    g_assert_true(g_str_has_prefix(error->message, "x:4: "));
}

/* A name of a file is not always fit to be shown. */
static void test_file_name(void)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(culvert_conf_parse("x", 1, "a\n\xff.conf", &error));
    g_assert_true(g_str_has_prefix(error->message, "a��.conf:1: "));
}

static const struct {
    const char *text;
    const char *warnings;
} WARNINGS[] = {
    {INTERFACE PEER, ""},
    {INTERFACE "PreUp = a\npostup=b # c\nPreDown=\nPostDown = x = y\n" PEER,
     "office.conf:4: PreUp is left out: commands in a .conf are not run\n"
     "office.conf:5: PostUp is left out: commands in a .conf are not run\n"
     "office.conf:6: PreDown is left out: commands in a .conf are not run\n"
     "office.conf:7: PostDown is left out: commands in a .conf are not run\n"},
    {INTERFACE "SaveConfig = true\n" PEER,
     "office.conf:4: SaveConfig is left out: NetworkManager saves what is changed\n"},
    {INTERFACE "Table = 42\n" PEER,
     "office.conf:4: Table: NetworkManager before 1.52 ignores this for a VPN and uses the main "
     "table\n"},
    {INTERFACE PEER "AllowedIPs = 10.8.0.0/24, 10.8.0.9/8\n",
     "office.conf:6: AllowedIPs: “10.8.0.9/8” is taken as the network 10.0.0.0/8\n"},
    {INTERFACE PEER "AllowedIPs = 0.0.0.0/0, ::/0\n",
     "office.conf:6: AllowedIPs: IPv6 stays outside of the tunnel, since there is no IPv6 "
     "Address\n"},
    {INTERFACE "\nDNS = fd00::1, 10.8.0.1\n" PEER,
     "office.conf:5: DNS: fd00::1 is not asked, since there is no IPv6 Address\n"},
    {"[Interface]\n" PEER,
     "office.conf:1: PrivateKey is missing: the desktop will ask for it, or “nmcli --ask”\n"
     "office.conf:1: Address is missing: the connection cannot be used before it has one\n"},
    {INTERFACE "# Culvert: DeviceType = tap\nDNS = 10.8.0.1\n" PEER "AllowedIPs = fd00::/8\n",
     "office.conf:1: VxlanRemote: this setting is missing: no peer's allowed IPs have a single "
     "address, of the same family as this computer's, to which Ethernet frames could go\n"
     "office.conf:5: DNS: 10.8.0.1 is not asked, since there is no IPv4 TapAddress\n"},
    {INTERFACE "# Culvert: DeviceType = tap\n# Culvert: TapAddress = 10.9.0.1/24\nDNS = "
               "10.9.0.1\n" PEER "AllowedIPs = 10.8.0.1/32\n",
     ""},
    {"# Culvert: my tunnel\n" INTERFACE "#Culvert: Endpoint = x:1\n# Culvert: MTU = 1\n" PEER,
     "office.conf:1: this comment is left out: it is not a setting of Culvert\n"
     "office.conf:5: this comment is left out: it is not a setting of [Interface]\n"
     "office.conf:6: this comment is left out: it is not a setting of [Interface]\n"},
};

static void test_warnings(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(WARNINGS); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(CulvertConf) conf = parse(WARNINGS[i].text, &error);
        g_autofree char *warnings = NULL;

        g_assert_no_error(error);
        warnings = join_warnings(conf);
        g_assert_cmpstr(warnings, ==, WARNINGS[i].warnings);
    }
}

/* ---- Chance --------------------------------------------------------------------------------- */

static const char SAMPLE[] =
    INTERFACE "DNS = 10.8.0.1, fd00::1, corp.example\nMTU = 1400\nListenPort = 51820\n"
              "FwMark = 0xca6c\nTable = 42\nSaveConfig = true\n"
              "PostUp = wg set %i private-key <(echo " PRIVATE ")\n"
              "# Culvert: DeviceType = tap\n" PEER "PresharedKey = " PSK "\n"
              "AllowedIPs = 10.8.0.0/24, ::/0\nEndpoint = [2001:db8::1]:51820\n"
              "# Culvert: Endpoint = vpn.example.com:1\nPersistentKeepalive = 25\n";

/* Whether the text holds so much of a secret that it would help to guess it. */
static gboolean leaks(const char *text)
{
    static const char *const SECRETS[] = {PRIVATE, PSK};
    enum {
        PART = 20
    };

    for (guint i = 0; i < G_N_ELEMENTS(SECRETS); i++) {
        for (gsize j = 0; j + PART <= strlen(SECRETS[i]); j++) {
            g_autofree char *part = g_strndup(SECRETS[i] + j, PART);

            if (strstr(text, part))
                return TRUE;
        }
    }
    return FALSE;
}

static void assert_discreet(const char *text, gsize length)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CulvertConf) conf = culvert_conf_parse(text, length, "x", &error);
    g_autofree char *warnings = conf ? join_warnings(conf) : NULL;

    g_assert_true((conf != NULL) == (error == NULL));
    g_assert_false(leaks(conf ? warnings : error->message));
}

/* A key after each name, in each place of each line: no message repeats it. */
static void test_stray_secrets(void)
{
    g_auto(GStrv) lines = g_strsplit(SAMPLE, "\n", -1);

    for (guint i = 0; lines[i]; i++) {
        gsize length = strlen(lines[i]);

        for (gsize at = 0; at <= length; at++) {
            g_autofree char *line = g_strdup(lines[i]);
            g_autofree char *cut = g_strndup(lines[i], at);
            g_autofree char *text = NULL;

            g_free(lines[i]);
            lines[i] = g_strconcat(cut, PRIVATE, line + at, NULL);
            text = g_strjoinv("\n", lines);
            assert_discreet(text, strlen(text));
            g_free(lines[i]);
            lines[i] = g_strdup(line);
        }
    }
}

/* Bytes changed, taken out or doubled at random: an answer, and not a secret in it. */
static void test_random_damage(void)
{
    const gsize length = sizeof(SAMPLE) - 1;

    for (guint round = 0; round < 20000; round++) {
        g_autoptr(GString) text = g_string_new_len(SAMPLE, length);
        guint n = g_test_rand_int_range(1, 5);

        for (guint i = 0; i < n && text->len > 1; i++) {
            gsize at = g_test_rand_int_range(0, text->len);
            guint kind = g_test_rand_int_range(0, 4);

            if (kind == 0)
                text->str[at] = g_test_rand_int_range(0, 256);
            else if (kind == 1)
                g_string_erase(text, at, MIN(text->len - at, 1 + at % 7));
            else if (kind == 2)
                g_string_insert_len(text, at, SAMPLE + at % length, MIN(20, length - at % length));
            else
                g_string_insert_c(text, at, "\n=[]#,:/ \r"[at % 10]);
        }
        assert_discreet(text->str, text->len);
    }
}

/* A large file is read in a moment. */
static void test_large(void)
{
    g_autoptr(GString) text = g_string_new(INTERFACE);
    g_autoptr(GError) error = NULL;
    g_autoptr(CulvertConf) conf = NULL;
    gint64 start = g_get_monotonic_time();

    for (guint i = 0; i < 5000; i++) {
        WgKey key;
        char base64[WG_KEY_BASE64_SIZE];

        wg_random(&key, sizeof(key));
        wg_key_to_base64(&key, base64);
        g_string_append_printf(text, "[Peer]\nPublicKey = %s\nAllowedIPs = 10.0.%u.%u\n", base64,
                               i / 256, i % 256);
    }
    g_string_append(text, "AllowedIPs = ");
    for (guint i = 0; i < 30000; i++)
        g_string_append_printf(text, "%s10.1.%u.%u", i ? "," : "", i / 256, i % 256);
    conf = culvert_conf_parse(text->str, text->len, "large.conf", &error);
    g_assert_no_error(error);
    g_assert_cmpuint(conf->profile->peers->len, ==, 5000);
    g_assert_cmpint(g_get_monotonic_time() - start, <, 10 * G_USEC_PER_SEC);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/profile/conf/accepted", test_accepted);
    g_test_add_func("/profile/conf/services", test_services);
    g_test_add_func("/profile/conf/mistakes", test_mistakes);
    g_test_add_func("/profile/conf/zero-byte", test_zero_byte);
    g_test_add_func("/profile/conf/file-name", test_file_name);
    g_test_add_func("/profile/conf/warnings", test_warnings);
    g_test_add_func("/profile/conf/stray-secrets", test_stray_secrets);
    g_test_add_func("/profile/conf/random-damage", test_random_damage);
    g_test_add_func("/profile/conf/large", test_large);
    return g_test_run();
}
