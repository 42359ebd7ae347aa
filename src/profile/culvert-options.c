/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-options.c: the one table of settings, and how the value of a row is read and written.
 * See culvert-options.h. What a type accepts stands in one function a type.
 */
#include "config.h"

#include "culvert-options.h"

#include <arpa/inet.h>
#include <glib/gi18n-lib.h>
#include <string.h>

#include "culvert-text.h"

#define FIELD(type, field) G_STRUCT_OFFSET(type, field), sizeof(((type *) NULL)->field)

/* The least IPv4 lets an interface have (RFC 791, 3.2), and what fits a UDP datagram of 65535
 * bytes less IPv6 header, UDP header and WireGuard's own 32 bytes. */
#define MTU_MIN 68
#define MTU_MAX (65535 - 40 - 8 - 32)

/* A VXLAN network identifier has 24 bits (RFC 7348, section 5). */
#define VNI_MAX 0xffffff

/* What useradd(8) accepts at most, with room for the names that directories make up. */
#define ACCOUNT_NAME_MAX 255

static const CulvertOption OPTIONS[] = {
    {"private-key", "PrivateKey", CULVERT_SCOPE_INTERFACE, CULVERT_TYPE_SECRET_KEY,
     CULVERT_OPTION_SECRET | CULVERT_OPTION_REQUIRED, 0, 0, FIELD(CulvertProfile, private_key),
     G_STRUCT_OFFSET(CulvertProfile, private_key_flags), N_("This computer's private key")},
    {"address", "Address", CULVERT_SCOPE_INTERFACE, CULVERT_TYPE_ADDRESS,
     CULVERT_OPTION_LIST | CULVERT_OPTION_ACCUMULATES | CULVERT_OPTION_REQUIRED, 0, 0,
     FIELD(CulvertProfile, addresses), 0,
     N_("This computer's address in the tunnel, one for each of IPv4 and IPv6; further ones "
        "belong in ipv4.addresses and ipv6.addresses")},
    {"dns", "DNS", CULVERT_SCOPE_INTERFACE, CULVERT_TYPE_DNS,
     CULVERT_OPTION_LIST | CULVERT_OPTION_ACCUMULATES, 0, 0, FIELD(CulvertProfile, dns), 0,
     N_("Name servers behind the tunnel, and domains to search; “~” before a domain only sends "
        "its names to these servers")},
    {"mtu", "MTU", CULVERT_SCOPE_INTERFACE, CULVERT_TYPE_NUMBER, CULVERT_OPTION_NONE, MTU_MIN,
     MTU_MAX, FIELD(CulvertProfile, mtu), 0,
     N_("Largest packet in the tunnel, in bytes; 0 chooses it automatically")},
    {"listen-port", "ListenPort", CULVERT_SCOPE_INTERFACE, CULVERT_TYPE_NUMBER, CULVERT_OPTION_NONE,
     1, G_MAXUINT16, FIELD(CulvertProfile, listen_port), 0,
     N_("UDP port to listen on; 0 takes any that is free")},
    {"fwmark", "FwMark", CULVERT_SCOPE_INTERFACE, CULVERT_TYPE_MARK, CULVERT_OPTION_OFF, 1,
     G_MAXUINT32, FIELD(CulvertProfile, fwmark), 0,
     N_("Firewall mark of the encrypted packets; 0 or off sets none")},
    {"device-type", "DeviceType", CULVERT_SCOPE_INTERFACE, CULVERT_TYPE_DEVICE_TYPE,
     CULVERT_OPTION_EXTENSION, 0, 0, FIELD(CulvertProfile, device_type), 0,
     N_("Whether the device carries IP packets (tun) or Ethernet frames (tap)")},
    {"vxlan-id", "VxlanId", CULVERT_SCOPE_INTERFACE, CULVERT_TYPE_NUMBER,
     CULVERT_OPTION_EXTENSION | CULVERT_OPTION_ETHERNET, 1, VNI_MAX,
     FIELD(CulvertProfile, vxlan_id), 0,
     N_("Number of the Ethernet network, the same at both ends (VXLAN network identifier); 0 is "
        "the usual one, 1")},
    {"vxlan-remote", "VxlanRemote", CULVERT_SCOPE_INTERFACE, CULVERT_TYPE_HOST,
     CULVERT_OPTION_EXTENSION | CULVERT_OPTION_ETHERNET, 0, 0, FIELD(CulvertProfile, vxlan_remote),
     0,
     N_("The first peer's address in the tunnel, to which Ethernet frames go; only needed if its "
        "allowed IPs have no single address")},
    {"tap-address", "TapAddress", CULVERT_SCOPE_INTERFACE, CULVERT_TYPE_ADDRESS,
     CULVERT_OPTION_LIST | CULVERT_OPTION_EXTENSION | CULVERT_OPTION_ETHERNET, 0, 0,
     FIELD(CulvertProfile, tap_addresses), 0,
     N_("This computer's address in the Ethernet network, one for each of IPv4 and IPv6; further "
        "ones belong in ipv4.addresses and ipv6.addresses")},
    {"bridge", "Bridge", CULVERT_SCOPE_INTERFACE, CULVERT_TYPE_INTERFACE,
     CULVERT_OPTION_EXTENSION | CULVERT_OPTION_ETHERNET, 0, 0, FIELD(CulvertProfile, bridge), 0,
     N_("Bridge that the Ethernet device becomes a port of; it must exist when connecting")},
    {"tun-user", "TunUser", CULVERT_SCOPE_INTERFACE, CULVERT_TYPE_ACCOUNT, CULVERT_OPTION_EXTENSION,
     0, 0, FIELD(CulvertProfile, tun_user), 0, N_("User who owns the device")},
    {"tun-group", "TunGroup", CULVERT_SCOPE_INTERFACE, CULVERT_TYPE_ACCOUNT,
     CULVERT_OPTION_EXTENSION, 0, 0, FIELD(CulvertProfile, tun_group), 0,
     N_("Group that owns the device")},
    {"kill-switch", "KillSwitch", CULVERT_SCOPE_INTERFACE, CULVERT_TYPE_KILL_SWITCH,
     CULVERT_OPTION_EXTENSION, 0, 0, FIELD(CulvertProfile, kill_switch), 0,
     N_("Whether traffic outside the tunnel is blocked until you disconnect (yes), except to the "
        "local network (allow-local)")},

    {"public-key", "PublicKey", CULVERT_SCOPE_PEER, CULVERT_TYPE_PUBLIC_KEY,
     CULVERT_OPTION_REQUIRED, 0, 0, FIELD(CulvertProfilePeer, public_key), 0,
     N_("The peer's public key")},
    {"preshared-key", "PresharedKey", CULVERT_SCOPE_PEER, CULVERT_TYPE_SECRET_KEY,
     CULVERT_OPTION_SECRET, 0, 0, FIELD(CulvertProfilePeer, preshared_key),
     G_STRUCT_OFFSET(CulvertProfilePeer, preshared_key_flags),
     N_("A further key, known to both ends, if the peer has one")},
    {"endpoint", "Endpoint", CULVERT_SCOPE_PEER, CULVERT_TYPE_ENDPOINT, CULVERT_OPTION_LIST, 1,
     G_MAXUINT16, FIELD(CulvertProfilePeer, endpoints), 0,
     N_("Where to reach the peer; several are tried in turn")},
    {"allowed-ips", "AllowedIPs", CULVERT_SCOPE_PEER, CULVERT_TYPE_PREFIX,
     CULVERT_OPTION_LIST | CULVERT_OPTION_ACCUMULATES, 0, 0, FIELD(CulvertProfilePeer, allowed_ips),
     0, N_("What is sent to this peer and accepted from it; becomes the routes")},
    {"persistent-keepalive", "PersistentKeepalive", CULVERT_SCOPE_PEER, CULVERT_TYPE_NUMBER,
     CULVERT_OPTION_OFF, 1, G_MAXUINT16, FIELD(CulvertProfilePeer, keepalive), 0,
     N_("Seconds between packets that keep a firewall's door open; 0 or off sends none")},
};

static const char *const DEVICE_TYPES[] = {"tun", "tap"};                /* by CulvertDeviceType */
static const char *const KILL_SWITCHES[] = {"no", "yes", "allow-local"}; /* by CulvertKillSwitch */

const CulvertOption *culvert_options(guint *n_options)
{
    if (n_options)
        *n_options = G_N_ELEMENTS(OPTIONS);
    return OPTIONS;
}

const CulvertOption *culvert_options_find(const char *key)
{
    for (guint i = 0; i < G_N_ELEMENTS(OPTIONS); i++) {
        if (g_str_equal(OPTIONS[i].key, key))
            return &OPTIONS[i];
    }
    return NULL;
}

const CulvertOption *culvert_options_find_conf(const char *conf_key)
{
    for (guint i = 0; i < G_N_ELEMENTS(OPTIONS); i++) {
        if (g_ascii_strcasecmp(OPTIONS[i].conf_key, conf_key) == 0)
            return &OPTIONS[i];
    }
    return NULL;
}

static gpointer field(const CulvertOption *option, gconstpointer object)
{
    return G_STRUCT_MEMBER_P(object, option->offset);
}

G_GNUC_PRINTF(2, 3)
static gboolean fault(GError **error, const char *format, ...)
{
    va_list args;
    g_autofree char *message = NULL;

    va_start(args, format);
    message = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error_literal(error, CULVERT_PROFILE_ERROR, CULVERT_PROFILE_ERROR_INVALID, message);
    return FALSE;
}

/* ---- Numbers and words ---------------------------------------------------------------------- */

static void set_number(const CulvertOption *option, gpointer object, guint32 value)
{
    if (option->size == sizeof(guint16))
        *(guint16 *) field(option, object) = value;
    else
        *(guint32 *) field(option, object) = value;
}

static guint32 get_number(const CulvertOption *option, gconstpointer object)
{
    if (option->size == sizeof(guint16))
        return *(guint16 *) field(option, object);
    return *(guint32 *) field(option, object);
}

static gboolean parse_number(const CulvertOption *option, const char *item, gpointer object,
                             GError **error)
{
    gboolean is_mark = option->type == CULVERT_TYPE_MARK;
    gboolean is_off = (option->flags & CULVERT_OPTION_OFF) && g_ascii_strcasecmp(item, "off") == 0;
    g_autofree char *quoted = NULL;
    g_autofree char *values = NULL;
    guint32 value = 0;

    if (!is_off) {
        gboolean ok = is_mark ? culvert_text_parse_mark(item, option->max, &value)
                              : culvert_text_parse_number(item, option->max, &value);

        if (!ok || (value != 0 && value < option->min)) {
            quoted = culvert_text_quote(item);
            values = culvert_option_values(option);
            return fault(error, _("“%s” is not valid, expected is %s"), quoted, values);
        }
    }
    set_number(option, object, value);
    return TRUE;
}

/* The number of a word, in any case; `n_words` if it is none of them. */
static guint find_word(const char *const *words, guint n_words, const char *item)
{
    guint i = 0;

    while (i < n_words && g_ascii_strcasecmp(item, words[i]) != 0)
        i++;
    return i;
}

static gboolean parse_device_type(const CulvertOption *option, const char *item, gpointer object,
                                  GError **error)
{
    guint word = find_word(DEVICE_TYPES, G_N_ELEMENTS(DEVICE_TYPES), item);
    g_autofree char *quoted = culvert_text_quote(item);

    if (word == G_N_ELEMENTS(DEVICE_TYPES))
        return fault(error, _("“%s” is neither “tun” nor “tap”"), quoted);
    *(CulvertDeviceType *) field(option, object) = word;
    return TRUE;
}

static gboolean parse_kill_switch(const CulvertOption *option, const char *item, gpointer object,
                                  GError **error)
{
    guint word = find_word(KILL_SWITCHES, G_N_ELEMENTS(KILL_SWITCHES), item);
    g_autofree char *quoted = culvert_text_quote(item);

    if (word == G_N_ELEMENTS(KILL_SWITCHES))
        return fault(error, _("“%s” is none of “no”, “yes” and “allow-local”"), quoted);
    *(CulvertKillSwitch *) field(option, object) = word;
    return TRUE;
}

/* ---- Keys ----------------------------------------------------------------------------------- */

static gboolean key_from_text(WgKey *key, const char *text, GError **error)
{
    guint length = MIN(strlen(text), G_MAXUINT);

    if (wg_key_from_base64(key, text))
        return TRUE;
    if (length != WG_KEY_BASE64_SIZE - 1)
        return fault(error,
                     g_dngettext(GETTEXT_PACKAGE,
                                 "this is not a key: it has %u character, a key has 44 of base64",
                                 "this is not a key: it has %u characters, a key has 44 of base64",
                                 length),
                     length);
    return fault(error, _("this is not a key: its 44 characters are not base64 of 32 bytes"));
}

static gboolean parse_public_key(const CulvertOption *option, const char *item, gpointer object,
                                 GError **error)
{
    WgKey key;

    if (!key_from_text(&key, item, error))
        return FALSE;
    if (wg_key_is_zero(&key))
        return fault(error, _("a key of zeros cannot be a peer's"));
    *(WgKey *) field(option, object) = key;
    return TRUE;
}

/* A preshared key of zeros is how WireGuard says that there is none (paper 5.4). */
static gboolean parse_secret_key(const CulvertOption *option, const char *item, gpointer object,
                                 GError **error)
{
    WgKey **key = field(option, object);
    WgKey *parsed = wg_secret_new0(WgKey);

    if (!key_from_text(parsed, item, error)) {
        wg_secret_key_free(parsed);
        return FALSE;
    }
    culvert_option_reset(option, object);
    if (!wg_key_is_zero(parsed)) {
        *key = parsed;
        return TRUE;
    }
    wg_secret_key_free(parsed);
    if (option->flags & CULVERT_OPTION_REQUIRED)
        return fault(error, _("this key is all zeros"));
    return TRUE;
}

/* ---- Addresses ------------------------------------------------------------------------------ */

static gboolean prefix_equal(const WgPrefix *a, const WgPrefix *b)
{
    return a->family == b->family && a->length == b->length &&
           memcmp(a->addr, b->addr, sizeof(a->addr)) == 0;
}

static gboolean prefix_from_text(WgPrefix *prefix, const char *item, GError **error)
{
    g_autofree char *quoted = NULL;

    if (culvert_text_parse_prefix(item, prefix))
        return TRUE;
    quoted = culvert_text_quote(item);
    return fault(error,
                 _("“%s” is not an address with a prefix length, like 192.0.2.1/24 or "
                   "2001:db8::1/64"),
                 quoted);
}

static gboolean parse_prefix(const CulvertOption *option, const char *item, gpointer object,
                             GError **error)
{
    GArray *list = *(GArray **) field(option, object);
    WgPrefix prefix;

    if (!prefix_from_text(&prefix, item, error))
        return FALSE;
    if (option->type == CULVERT_TYPE_PREFIX)
        culvert_text_mask_prefix(&prefix);
    g_array_append_val(list, prefix);
    return TRUE;
}

/* An interface's own address cannot be everyone's or no one's (RFC 6890, RFC 919), nor the loopback
 * interface's, which Linux gives no other in IPv6 and routes over no other in IPv4. */
static gboolean is_usable_address(const WgPrefix *prefix)
{
    static const guint8 IP6_LOOPBACK[16] = {[15] = 1};
    static const guint8 IP4_BROADCAST[4] = {255, 255, 255, 255};
    static const guint8 ZEROS[16];
    const guint8 *addr = prefix->addr;

    if (prefix->family == AF_INET6)
        return addr[0] != 0xff && memcmp(addr, ZEROS, 16) != 0 &&
               memcmp(addr, IP6_LOOPBACK, 16) != 0;
    return (addr[0] & 0xf0) != 0xe0 && addr[0] != 127 && memcmp(addr, ZEROS, 4) != 0 &&
           memcmp(addr, IP4_BROADCAST, 4) != 0;
}

static gboolean parse_address(const CulvertOption *option, const char *item, gpointer object,
                              GError **error)
{
    g_autofree char *quoted = NULL;
    WgPrefix prefix;

    if (!prefix_from_text(&prefix, item, error))
        return FALSE;
    quoted = culvert_text_quote(item);
    if (!is_usable_address(&prefix))
        return fault(error, _("“%s” cannot be the address of a computer"), quoted);
    if (prefix.length == 0) /* NetworkManager takes that as no configuration at all */
        return fault(error, _("“%s” has the prefix length 0, which would be all addresses"),
                     quoted);
    return parse_prefix(option, item, object, error);
}

gboolean culvert_option_remove_item(const CulvertOption *option, const char *item, gpointer object,
                                    GError **error)
{
    GArray *list = *(GArray **) field(option, object);
    WgPrefix prefix;

    g_return_val_if_fail(option->type == CULVERT_TYPE_PREFIX, FALSE);

    if (!prefix_from_text(&prefix, item, error))
        return FALSE;
    culvert_text_mask_prefix(&prefix);
    for (guint i = list->len; i-- > 0;) {
        if (prefix_equal(&g_array_index(list, WgPrefix, i), &prefix))
            g_array_remove_index(list, i);
    }
    return TRUE;
}

/* ---- Names ---------------------------------------------------------------------------------- */

/* What looks like an address must be one; everything else is a domain, as for wg-quick. */
static gboolean parse_dns(const CulvertOption *option, const char *item, gpointer object,
                          GError **error)
{
    CulvertProfile *profile = object;
    g_autofree char *quoted = culvert_text_quote(item);
    WgPrefix address;

    if (strchr(item, ':') || item[strspn(item, "0123456789.")] == '\0') {
        char text[INET6_ADDRSTRLEN];

        if (strchr(item, '/') || !culvert_text_parse_prefix(item, &address))
            return fault(error, _("“%s” is not the address of a name server"), quoted);
        inet_ntop(address.family, address.addr, text, sizeof(text));
        g_ptr_array_add(profile->dns, g_strdup(text));
        return TRUE;
    }
    if (g_str_equal(item, "~."))
        item = "~";
    if (!culvert_text_is_domain(item))
        return fault(error, _("“%s” is neither the address of a name server nor a domain"), quoted);
    g_ptr_array_add(profile->search, g_strdup(item));
    return TRUE;
}

static gboolean parse_endpoint(const CulvertOption *option, const char *item, gpointer object,
                               GError **error)
{
    GPtrArray *list = *(GPtrArray **) field(option, object);
    g_autofree char *quoted = culvert_text_quote(item);
    g_autofree char *host = NULL;
    g_autofree char *port = NULL;
    guint32 number;

    if (!culvert_text_split_endpoint(item, &host, &port))
        return fault(error, _("“%s” has no port: expected is host:port or [IPv6 address]:port"),
                     quoted);
    if (!culvert_text_is_host(host))
        return fault(error, _("“%s” does not begin with an address or the name of a host"), quoted);
    if (!culvert_text_parse_number(port, option->max, &number) || number < option->min)
        return fault(error, _("“%s” does not end in a port from %u to %u"), quoted, option->min,
                     option->max);
    g_ptr_array_add(list, culvert_text_join_endpoint(host, number));
    return TRUE;
}

static gboolean parse_host(const CulvertOption *option, const char *item, gpointer object,
                           GError **error)
{
    g_autofree char *quoted = culvert_text_quote(item);
    WgPrefix address;

    if (strchr(item, '/') || !culvert_text_parse_prefix(item, &address))
        return fault(error, _("“%s” is not an address, like 192.0.2.1 or 2001:db8::1"), quoted);
    if (!is_usable_address(&address))
        return fault(error, _("“%s” cannot be the address of a computer"), quoted);
    *(WgPrefix *) field(option, object) = address;
    return TRUE;
}

static void set_string(const CulvertOption *option, gpointer object, const char *text)
{
    char **string = field(option, object);

    g_free(*string);
    *string = g_strdup(text);
}

static gboolean parse_interface(const CulvertOption *option, const char *item, gpointer object,
                                GError **error)
{
    g_autofree char *quoted = culvert_text_quote(item);

    if (!nm_utils_is_valid_iface_name(item, NULL))
        return fault(error, _("“%s” is not the name of a network interface"), quoted);
    set_string(option, object, item);
    return TRUE;
}

/* Whether there is such an account only the computer knows that the device will be on. */
static gboolean parse_account(const CulvertOption *option, const char *item, gpointer object,
                              GError **error)
{
    gboolean is_number = item[strspn(item, "0123456789")] == '\0';
    g_autofree char *quoted = culvert_text_quote(item);
    guint32 number;

    /* The largest number means "no account" to the kernel. */
    if (is_number ? !culvert_text_parse_number(item, G_MAXUINT32 - 1, &number)
                  : strlen(item) > ACCOUNT_NAME_MAX || item[0] == '-' || strpbrk(item, ":/,; "))
        return fault(error, _("“%s” is neither the name of an account nor its number"), quoted);
    set_string(option, object, item);
    return TRUE;
}

/* ---- All types ------------------------------------------------------------------------------ */

gboolean culvert_option_parse_item(const CulvertOption *option, const char *item, gpointer object,
                                   GError **error)
{
    if (item[0] == '\0')
        return fault(error, _("the value is empty"));
    if (culvert_text_has_control(item))
        return fault(error, _("the value has control characters, or is not UTF-8"));

    switch (option->type) {
    case CULVERT_TYPE_ADDRESS:
        return parse_address(option, item, object, error);
    case CULVERT_TYPE_DNS:
        return parse_dns(option, item, object, error);
    case CULVERT_TYPE_NUMBER:
    case CULVERT_TYPE_MARK:
        return parse_number(option, item, object, error);
    case CULVERT_TYPE_DEVICE_TYPE:
        return parse_device_type(option, item, object, error);
    case CULVERT_TYPE_KILL_SWITCH:
        return parse_kill_switch(option, item, object, error);
    case CULVERT_TYPE_PUBLIC_KEY:
        return parse_public_key(option, item, object, error);
    case CULVERT_TYPE_SECRET_KEY:
        return parse_secret_key(option, item, object, error);
    case CULVERT_TYPE_ENDPOINT:
        return parse_endpoint(option, item, object, error);
    case CULVERT_TYPE_PREFIX:
        return parse_prefix(option, item, object, error);
    case CULVERT_TYPE_HOST:
        return parse_host(option, item, object, error);
    case CULVERT_TYPE_INTERFACE:
        return parse_interface(option, item, object, error);
    case CULVERT_TYPE_ACCOUNT:
        return parse_account(option, item, object, error);
    }
    g_return_val_if_reached(FALSE);
}

gboolean culvert_option_parse(const CulvertOption *option, const char *value, gpointer object,
                              GError **error)
{
    g_auto(GStrv) items = NULL;

    if (!(option->flags & CULVERT_OPTION_LIST))
        return culvert_option_parse_item(option, value, object, error);
    if (culvert_text_has_control(value))
        return fault(error, _("the value has control characters, or is not UTF-8"));

    items = g_strsplit_set(value, ",; ", -1);
    for (guint i = 0; items[i]; i++) {
        if (items[i][0] && !culvert_option_parse_item(option, items[i], object, error))
            return FALSE;
    }
    return TRUE;
}

void culvert_option_reset(const CulvertOption *option, gpointer object)
{
    gpointer value = field(option, object);

    switch (option->type) {
    case CULVERT_TYPE_ADDRESS:
    case CULVERT_TYPE_PREFIX:
        g_array_set_size(*(GArray **) value, 0);
        break;
    case CULVERT_TYPE_DNS:
        g_ptr_array_set_size(((CulvertProfile *) object)->dns, 0);
        g_ptr_array_set_size(((CulvertProfile *) object)->search, 0);
        break;
    case CULVERT_TYPE_ENDPOINT:
        g_ptr_array_set_size(*(GPtrArray **) value, 0);
        break;
    case CULVERT_TYPE_NUMBER:
    case CULVERT_TYPE_MARK:
    case CULVERT_TYPE_DEVICE_TYPE:
    case CULVERT_TYPE_KILL_SWITCH:
    case CULVERT_TYPE_PUBLIC_KEY:
    case CULVERT_TYPE_HOST:
        memset(value, 0, option->size);
        break;
    case CULVERT_TYPE_INTERFACE:
    case CULVERT_TYPE_ACCOUNT:
        g_clear_pointer((char **) value, g_free);
        break;
    case CULVERT_TYPE_SECRET_KEY:
        g_clear_pointer((WgKey **) value, wg_secret_key_free);
        break;
    }
}

static void format_strings(GPtrArray *items, GPtrArray *strings)
{
    for (guint i = 0; i < strings->len; i++)
        g_ptr_array_add(items, g_strdup(g_ptr_array_index(strings, i)));
}

static void format_prefixes(GPtrArray *items, GArray *prefixes)
{
    for (guint i = 0; i < prefixes->len; i++)
        g_ptr_array_add(items, culvert_text_format_prefix(&g_array_index(prefixes, WgPrefix, i)));
}

static void format_public_key(GPtrArray *items, const WgKey *key)
{
    char text[WG_KEY_BASE64_SIZE];

    if (wg_key_is_zero(key))
        return;
    wg_key_to_base64(key, text);
    g_ptr_array_add(items, g_strdup(text));
}

static void format_host(GPtrArray *items, const WgPrefix *address)
{
    char text[INET6_ADDRSTRLEN];

    if (address->family != AF_UNSPEC)
        g_ptr_array_add(items,
                        g_strdup(inet_ntop(address->family, address->addr, text, sizeof(text))));
}

static void format_number(GPtrArray *items, const CulvertOption *option, gconstpointer object)
{
    guint32 number = get_number(option, object);

    if (number != 0)
        g_ptr_array_add(items,
                        g_strdup_printf(option->type == CULVERT_TYPE_MARK ? "0x%x" : "%u", number));
}

GPtrArray *culvert_option_format_items(const CulvertOption *option, gconstpointer object)
{
    GPtrArray *items = g_ptr_array_new_with_free_func(g_free);
    gconstpointer value = field(option, object);
    const CulvertProfile *profile = object;

    switch (option->type) {
    case CULVERT_TYPE_ADDRESS:
    case CULVERT_TYPE_PREFIX:
        format_prefixes(items, *(GArray *const *) value);
        break;
    case CULVERT_TYPE_DNS:
        format_strings(items, profile->dns);
        format_strings(items, profile->search);
        break;
    case CULVERT_TYPE_ENDPOINT:
        format_strings(items, *(GPtrArray *const *) value);
        break;
    case CULVERT_TYPE_NUMBER:
    case CULVERT_TYPE_MARK:
        format_number(items, option, object);
        break;
    case CULVERT_TYPE_DEVICE_TYPE:
        if (*(const CulvertDeviceType *) value != CULVERT_DEVICE_TUN)
            g_ptr_array_add(items, g_strdup(DEVICE_TYPES[*(const CulvertDeviceType *) value]));
        break;
    case CULVERT_TYPE_KILL_SWITCH:
        if (*(const CulvertKillSwitch *) value != CULVERT_KILL_SWITCH_NO)
            g_ptr_array_add(items, g_strdup(KILL_SWITCHES[*(const CulvertKillSwitch *) value]));
        break;
    case CULVERT_TYPE_PUBLIC_KEY:
        format_public_key(items, value);
        break;
    case CULVERT_TYPE_HOST:
        format_host(items, value);
        break;
    case CULVERT_TYPE_INTERFACE:
    case CULVERT_TYPE_ACCOUNT:
        if (*(char *const *) value)
            g_ptr_array_add(items, g_strdup(*(char *const *) value));
        break;
    case CULVERT_TYPE_SECRET_KEY:
        g_warn_if_reached();
        break;
    }
    return items;
}

char *culvert_option_format(const CulvertOption *option, gconstpointer object,
                            const char *separator)
{
    g_autoptr(GPtrArray) items = culvert_option_format_items(option, object);

    if (items->len == 0)
        return NULL;
    g_ptr_array_add(items, NULL);
    return g_strjoinv(separator, (char **) items->pdata);
}

const WgKey *culvert_option_secret(const CulvertOption *option, gconstpointer object)
{
    g_return_val_if_fail(option->type == CULVERT_TYPE_SECRET_KEY, NULL);
    return *(WgKey *const *) field(option, object);
}

NMSettingSecretFlags *culvert_option_secret_flags(const CulvertOption *option, gpointer object)
{
    g_return_val_if_fail(option->type == CULVERT_TYPE_SECRET_KEY, NULL);
    return G_STRUCT_MEMBER_P(object, option->flags_offset);
}

/* ---- Documentation -------------------------------------------------------------------------- */

static char *number_values(const CulvertOption *option)
{
    gboolean has_off = option->flags & CULVERT_OPTION_OFF;

    if (option->type == CULVERT_TYPE_MARK)
        return g_strdup_printf(_("off, 0, or %u to %u, also as hexadecimal like 0xca6c"),
                               option->min, option->max);
    if (has_off)
        return g_strdup_printf(_("off, 0, or %u to %u"), option->min, option->max);
    return g_strdup_printf(_("0, or %u to %u"), option->min, option->max);
}

char *culvert_option_values(const CulvertOption *option)
{
    switch (option->type) {
    case CULVERT_TYPE_ADDRESS:
    case CULVERT_TYPE_PREFIX:
        return g_strdup(_("addresses with prefix length"));
    case CULVERT_TYPE_DNS:
        return g_strdup(_("addresses and domains"));
    case CULVERT_TYPE_NUMBER:
    case CULVERT_TYPE_MARK:
        return number_values(option);
    case CULVERT_TYPE_DEVICE_TYPE:
        return g_strdup(_("tun or tap"));
    case CULVERT_TYPE_KILL_SWITCH:
        return g_strdup(_("no, yes or allow-local"));
    case CULVERT_TYPE_PUBLIC_KEY:
        return g_strdup(_("a key in base64"));
    case CULVERT_TYPE_SECRET_KEY:
        return g_strdup(_("a key in base64, secret"));
    case CULVERT_TYPE_ENDPOINT:
        return g_strdup(_("host:port or [IPv6 address]:port"));
    case CULVERT_TYPE_HOST:
        return g_strdup(_("an address"));
    case CULVERT_TYPE_INTERFACE:
        return g_strdup(_("the name of a network interface"));
    case CULVERT_TYPE_ACCOUNT:
        return g_strdup(_("a name or number"));
    }
    g_return_val_if_reached(NULL);
}
