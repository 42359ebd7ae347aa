/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-import.c: a whole NetworkManager profile from and to a .conf. See
 * culvert-import.h, which says what becomes of what.
 */
#include "config.h"

#include "culvert-import.h"

#include <arpa/inet.h>
#include <gio/gio.h>
#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>
#include <string.h>

#include "culvert-check.h"
#include "culvert-options.h"
#include "culvert-secret-buffer.h"
#include "culvert-text.h"

#define SUFFIX ".conf"

/* A .conf with thousands of networks; anything larger is something else. */
#define FILE_SIZE_MAX (1024 * 1024)
#define READ_SIZE     4096

/* For NetworkManager, the search domain that routes all look-ups to a connection's servers. */
#define ALL_DOMAINS "~"

/* Below zero: servers of connections with a greater priority are not asked at all
 * (nm-settings-nmcli(5)). */
#define ONLY_THESE_SERVERS (-50)

static const int FAMILIES[] = {AF_INET, AF_INET6};

/* ---- From a .conf --------------------------------------------------------------------------- */

static int server_family(const char *server)
{
    return strchr(server, ':') ? AF_INET6 : AF_INET;
}

static gboolean has_server(const CulvertProfile *profile, int family)
{
    for (guint i = 0; i < profile->dns->len; i++) {
        if (server_family(g_ptr_array_index(profile->dns, i)) == family)
            return TRUE;
    }
    return FALSE;
}

/* The addresses that vpn.data has no room for. */
static void add_further_addresses(NMSettingIPConfig *setting, const CulvertProfile *profile,
                                  int family)
{
    const GArray *addresses = culvert_profile_get_addresses(profile);
    gboolean is_first = TRUE;

    for (guint i = 0; i < addresses->len; i++) {
        const WgPrefix *prefix = &g_array_index(addresses, WgPrefix, i);
        NMIPAddress *address;

        if (prefix->family != family)
            continue;
        if (!is_first) {
            address = nm_ip_address_new_binary(family, prefix->addr, prefix->length, NULL);
            nm_setting_ip_config_add_address(setting, address);
            nm_ip_address_unref(address);
        }
        is_first = FALSE;
    }
}

static void set_table(NMSettingIPConfig *setting, gint64 table)
{
    if (table == CULVERT_CONF_TABLE_OFF)
        g_object_set(setting, NM_SETTING_IP_CONFIG_IGNORE_AUTO_ROUTES, TRUE,
                     NM_SETTING_IP_CONFIG_NEVER_DEFAULT, TRUE, NULL);
    else if (table != CULVERT_CONF_TABLE_AUTO)
        g_object_set(setting, NM_SETTING_IP_CONFIG_ROUTE_TABLE, (guint) table, NULL);
}

/* With servers of its own, and all traffic in the tunnel, no query should leave beside it, also not
 * when the tunnel's servers are slow to answer. */
static gboolean has_all_queries(const CulvertConf *conf)
{
    return conf->profile->dns->len > 0 && conf->table != CULVERT_CONF_TABLE_OFF &&
           (culvert_profile_has_default_route(conf->profile, AF_INET) ||
            culvert_profile_has_default_route(conf->profile, AF_INET6));
}

/* With no address at all both families stay on: the user will add one to either. */
static void add_ip_setting(NMConnection *connection, const CulvertConf *conf, int family)
{
    gboolean is_used = culvert_profile_has_address(conf->profile, family) ||
                       culvert_profile_get_addresses(conf->profile)->len == 0;
    NMSettingIPConfig *setting = NM_SETTING_IP_CONFIG(
        family == AF_INET ? nm_setting_ip4_config_new() : nm_setting_ip6_config_new());

    g_object_set(
        setting, NM_SETTING_IP_CONFIG_METHOD,
        is_used ? NM_SETTING_IP4_CONFIG_METHOD_AUTO : NM_SETTING_IP4_CONFIG_METHOD_DISABLED, NULL);
    nm_connection_add_setting(connection, NM_SETTING(setting));
    if (!is_used)
        return;
    add_further_addresses(setting, conf->profile, family);
    set_table(setting, conf->table);
    if (has_server(conf->profile, family) && conf->profile->search->len == 0)
        nm_setting_ip_config_add_dns_search(setting, ALL_DOMAINS);
    if (has_all_queries(conf))
        g_object_set(setting, NM_SETTING_IP_CONFIG_DNS_PRIORITY, ONLY_THESE_SERVERS, NULL);
}

NMConnection *culvert_import_conf(const CulvertConf *conf, const char *id, GError **error)
{
    g_autoptr(NMConnection) connection = nm_simple_connection_new();
    NMSetting *general = nm_setting_connection_new();
    NMSetting *vpn = nm_setting_vpn_new();
    g_autofree char *uuid = nm_utils_uuid_generate();

    g_object_set(general, NM_SETTING_CONNECTION_ID, id, NM_SETTING_CONNECTION_UUID, uuid,
                 NM_SETTING_CONNECTION_TYPE, NM_SETTING_VPN_SETTING_NAME, NULL);
    nm_connection_add_setting(connection, general);
    g_object_set(vpn, NM_SETTING_VPN_SERVICE_TYPE, CULVERT_VPN_SERVICE, NULL);
    culvert_profile_to_setting(conf->profile, NM_SETTING_VPN(vpn));
    nm_connection_add_setting(connection, vpn);
    for (guint i = 0; i < G_N_ELEMENTS(FAMILIES); i++)
        add_ip_setting(connection, conf, FAMILIES[i]);
    if (!nm_connection_normalize(connection, NULL, NULL, error))
        return NULL;
    return g_steal_pointer(&connection);
}

/* ---- To a .conf ----------------------------------------------------------------------------- */

static NMSettingIPConfig *ip_setting(NMConnection *connection, int family)
{
    return family == AF_INET ? nm_connection_get_setting_ip4_config(connection)
                             : nm_connection_get_setting_ip6_config(connection);
}

G_GNUC_PRINTF(2, 3)
static void warn(CulvertConf *conf, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_ptr_array_add(conf->warnings, g_strdup_vprintf(format, args));
    va_end(args);
}

/* What the profile says in NetworkManager's own settings, read like the same in vpn.data. */
static void take_item(CulvertConf *conf, const char *key, const char *item)
{
    const CulvertOption *option = culvert_options_find(key);
    g_autofree char *quoted = culvert_text_quote(item);
    g_autoptr(GError) fault = NULL;

    if (!culvert_option_parse_item(option, item, conf->profile, &fault))
        warn(conf, _("%s: “%s” is left out: %s"), option->conf_key, quoted, fault->message);
}

static void take_addresses(CulvertConf *conf, NMSettingIPConfig *setting)
{
    gboolean is_tap = conf->profile->device_type == CULVERT_DEVICE_TAP;
    guint n = nm_setting_ip_config_get_num_addresses(setting);

    for (guint i = 0; i < n; i++) {
        NMIPAddress *address = nm_setting_ip_config_get_address(setting, i);
        g_autofree char *text = g_strdup_printf("%s/%u", nm_ip_address_get_address(address),
                                                nm_ip_address_get_prefix(address));

        take_item(conf, is_tap ? "tap-address" : "address", text);
    }
}

static void take_servers(CulvertConf *conf, NMSettingIPConfig *setting)
{
    guint n = nm_setting_ip_config_get_num_dns(setting);

    for (guint i = 0; i < n; i++)
        take_item(conf, "dns", nm_setting_ip_config_get_dns(setting, i));
}

/* Both families have their own list; import has put "~" into it when there is no other domain. */
static void take_domains(CulvertConf *conf, NMSettingIPConfig *setting)
{
    guint n = nm_setting_ip_config_get_num_dns_searches(setting);

    for (guint i = 0; i < n; i++) {
        const char *domain = nm_setting_ip_config_get_dns_search(setting, i);

        if (g_str_equal(domain, ALL_DOMAINS) && conf->profile->search->len == 0)
            continue;
        if (!g_ptr_array_find_with_equal_func(conf->profile->search, domain, g_str_equal, NULL))
            take_item(conf, "dns", domain);
    }
}

static gint64 find_table(NMSettingIPConfig *setting)
{
    guint32 table = nm_setting_ip_config_get_route_table(setting);

    if (nm_setting_ip_config_get_ignore_auto_routes(setting) &&
        nm_setting_ip_config_get_never_default(setting))
        return CULVERT_CONF_TABLE_OFF;
    return table != 0 ? (gint64) table : CULVERT_CONF_TABLE_AUTO;
}

static void warn_left_out(CulvertConf *conf, int family, const char *property)
{
    warn(conf, _("%s.%s is left out: a .conf has no place for it"),
         family == AF_INET ? "ipv4" : "ipv6", property);
}

/* A .conf has one table for both families. With some routes, but not all, kept away, whoever uses
 * the file gets those as well. */
static void take_table(CulvertConf *conf, NMSettingIPConfig *setting, int family)
{
    gboolean no_routes = nm_setting_ip_config_get_ignore_auto_routes(setting);
    gboolean no_default = nm_setting_ip_config_get_never_default(setting);
    gint64 table = find_table(setting);

    if (conf->table == CULVERT_CONF_TABLE_AUTO)
        conf->table = table;
    else if (table != conf->table && table != CULVERT_CONF_TABLE_AUTO)
        warn_left_out(conf, family, NM_SETTING_IP_CONFIG_ROUTE_TABLE);
    if (no_routes && !no_default)
        warn_left_out(conf, family, NM_SETTING_IP_CONFIG_IGNORE_AUTO_ROUTES);
    if (no_default && !no_routes)
        warn_left_out(conf, family, NM_SETTING_IP_CONFIG_NEVER_DEFAULT);
}

static void take_ip_setting(CulvertConf *conf, NMSettingIPConfig *setting, int family)
{
    if (!setting || g_strcmp0(nm_setting_ip_config_get_method(setting),
                              NM_SETTING_IP4_CONFIG_METHOD_DISABLED) == 0)
        return;
    /* A port of a bridge has none, whatever the profile says. */
    if (conf->profile->bridge && nm_setting_ip_config_get_num_addresses(setting) > 0)
        warn_left_out(conf, family, NM_SETTING_IP_CONFIG_ADDRESSES);
    else
        take_addresses(conf, setting);
    take_servers(conf, setting);
    take_domains(conf, setting);
    take_table(conf, setting, family);
    if (nm_setting_ip_config_get_num_routes(setting) > 0)
        warn_left_out(conf, family, NM_SETTING_IP_CONFIG_ROUTES);
    if (nm_setting_ip_config_get_gateway(setting))
        warn_left_out(conf, family, NM_SETTING_IP_CONFIG_GATEWAY);
}

static void warn_missing_secret(CulvertConf *conf, NMSettingVpn *setting)
{
    g_autofree char *missing = culvert_profile_missing_secret(setting);

    if (missing)
        warn(conf,
             _("%s is not in the file: NetworkManager does not have it, or not for this user"),
             missing);
}

CulvertConf *culvert_export_conf(NMConnection *connection, GError **error)
{
    g_autoptr(CulvertConf) conf = culvert_conf_new();
    NMSettingVpn *setting = nm_connection_get_setting_vpn(connection);
    CulvertProfile *profile;

    if (!setting || g_strcmp0(nm_setting_vpn_get_service_type(setting), CULVERT_VPN_SERVICE) != 0) {
        g_set_error(error, CULVERT_PROFILE_ERROR, CULVERT_PROFILE_ERROR_INVALID,
                    _("this connection is not of the VPN type “%s”"), "culvert");
        return NULL;
    }
    profile = culvert_profile_from_setting(setting, FALSE, error);
    if (!profile)
        return NULL;
    culvert_profile_free(conf->profile);
    conf->profile = profile;
    for (guint i = 0; i < G_N_ELEMENTS(FAMILIES); i++)
        take_ip_setting(conf, ip_setting(connection, FAMILIES[i]), FAMILIES[i]);
    warn_missing_secret(conf, setting);
    return g_steal_pointer(&conf);
}

/* ---- Files ---------------------------------------------------------------------------------- */

static gboolean read_stream(GInputStream *stream, CulvertSecretBuffer *buffer, GError **error)
{
    gssize n;

    do {
        char *end = culvert_secret_buffer_reserve(buffer, READ_SIZE);

        n = g_input_stream_read(stream, end, READ_SIZE, NULL, error);
        if (n < 0)
            return FALSE;
        end[n] = '\0';
        buffer->length += n;
        if (buffer->length > FILE_SIZE_MAX) {
            g_set_error(error, CULVERT_PROFILE_ERROR, CULVERT_PROFILE_ERROR_NOT_CONF,
                        _("this is not a WireGuard .conf file: it is larger than %u bytes"),
                        FILE_SIZE_MAX);
            return FALSE;
        }
    } while (n > 0);
    return TRUE;
}

static gboolean read_file(const char *path, CulvertSecretBuffer *buffer, GError **error)
{
    g_autoptr(GFile) file = g_file_new_for_path(path);
    g_autoptr(GError) fault = NULL;
    g_autoptr(GFileInputStream) stream = g_file_read(file, NULL, &fault);
    g_autofree char *shown = g_filename_display_basename(path);

    if (stream && read_stream(G_INPUT_STREAM(stream), buffer, &fault))
        return TRUE;
    g_set_error(error, CULVERT_PROFILE_ERROR,
                fault->domain == CULVERT_PROFILE_ERROR ? fault->code : CULVERT_PROFILE_ERROR_READ,
                _("%s could not be read: %s"), shown, fault->message);
    return FALSE;
}

/* The name of the file without folder and suffix, if it has that; else NULL. */
static char *stem(const char *path)
{
    g_autofree char *base = g_path_get_basename(path);
    gsize length = strlen(base);
    gsize suffix = strlen(SUFFIX);

    if (length <= suffix || g_ascii_strcasecmp(base + length - suffix, SUFFIX) != 0)
        return NULL;
    return g_strndup(base, length - suffix);
}

/* A name for people: valid, of one line, never empty. */
static char *make_id(const char *path)
{
    g_autofree char *name = stem(path);
    g_autofree char *base = g_path_get_basename(path);
    g_autofree char *valid = g_utf8_make_valid(name ? name : base, -1);
    g_autoptr(GString) id = g_string_new(NULL);

    for (const char *p = valid; *p; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);

        g_string_append_unichar(id, g_unichar_iscntrl(c) ? '_' : c);
    }
    return g_string_free(g_steal_pointer(&id), FALSE);
}

CulvertConf *culvert_conf_read_file(const char *path, GError **error)
{
    g_auto(CulvertSecretBuffer) buffer = {0};
    g_autofree char *shown = g_filename_display_basename(path);

    if (!read_file(path, &buffer, error))
        return NULL;
    return culvert_conf_parse(buffer.text, buffer.length, shown, error);
}

NMConnection *culvert_import_file(const char *path, GPtrArray **warnings, GError **error)
{
    g_autofree char *id = make_id(path);
    g_autoptr(CulvertConf) conf = culvert_conf_read_file(path, error);
    g_autoptr(NMConnection) connection = NULL;

    if (!conf)
        return NULL;
    connection = culvert_import_conf(conf, id, error);
    if (connection && warnings)
        *warnings = g_ptr_array_ref(conf->warnings);
    return g_steal_pointer(&connection);
}

/* Replacing, say, /dev/stdout by a file would be a bad surprise. */
static gboolean may_replace(const char *path, GError **error)
{
    g_autofree char *shown = g_filename_display_name(path);
    GStatBuf info;

    if (g_stat(path, &info) != 0 || S_ISREG(info.st_mode))
        return TRUE;
    g_set_error(error, CULVERT_PROFILE_ERROR, CULVERT_PROFILE_ERROR_READ,
                _("%s is not a file that could be replaced: give the name of a file"), shown);
    return FALSE;
}

gboolean culvert_export_file(NMConnection *connection, const char *path, GPtrArray **warnings,
                             GError **error)
{
    g_autoptr(CulvertConf) conf = culvert_export_conf(connection, error);
    g_autoptr(GBytes) text = NULL;
    gconstpointer data;
    gsize length;

    if (!conf || !may_replace(path, error))
        return FALSE;
    text = culvert_conf_format(conf);
    data = g_bytes_get_data(text, &length);
    if (!g_file_set_contents_full(path, data, length,
                                  G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE,
                                  0600, error))
        return FALSE;
    if (warnings)
        *warnings = g_ptr_array_ref(conf->warnings);
    return TRUE;
}

char *culvert_export_suggest_name(NMConnection *connection)
{
    g_autofree char *name = g_strdup(nm_connection_get_id(connection));

    if (!name || !name[0])
        return g_strdup("culvert" SUFFIX);
    g_strdelimit(name, G_DIR_SEPARATOR_S, '_');
    return g_strconcat(name, SUFFIX, NULL);
}
