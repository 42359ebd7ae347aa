/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * editor-model.c: the form, how it is filled and saved. See editor-model.h. The checks are in
 * editor-check.c.
 */
#include "config.h"

#include "editor-model.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "editor-model-private.h"
#include "profile/culvert-import.h"
#include "wireguard/wg-crypto.h"

#define FLAGS_SUFFIX "-flags"

/* What "all traffic" is in the allowed IPs. */
#define ALL_TRAFFIC "0.0.0.0/0, ::/0"

/* The search domain that means all names. */
#define ALL_DOMAINS "~"

/* ---- Sections ------------------------------------------------------------------------------- */

static void section_set(CulvertSection *section, CulvertField field, const char *text)
{
    gsize start = strspn(text, " \t\r\n");
    gsize length = strlen(text + start);
    char **place = &section->texts[field];

    while (length > 0 && g_ascii_isspace(text[start + length - 1]))
        length--;
    if (!culvert_field_is_secret(field)) {
        g_free(*place);
        *place = g_strndup(text + start, length);
        return;
    }
    if (*place)
        wg_secret_free(*place, strlen(*place) + 1);
    *place = wg_secret_alloc0(length + 1);
    memcpy(*place, text + start, length);
}

static CulvertSection *section_new(void)
{
    CulvertSection *section = g_new0(CulvertSection, 1);

    section->unknown = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    section->flags = NM_SETTING_SECRET_FLAG_NOT_REQUIRED;
    return section;
}

static void section_free(gpointer data)
{
    CulvertSection *section = data;

    for (guint i = 0; i < CULVERT_N_FIELDS; i++) {
        if (section->texts[i] && culvert_field_is_secret(i))
            wg_secret_free(section->texts[i], strlen(section->texts[i]) + 1);
        else
            g_free(section->texts[i]);
    }
    g_hash_table_unref(section->unknown);
    g_free(section);
}

const char *culvert_section_get(const CulvertSection *section, CulvertField field)
{
    return section->texts[field] ? section->texts[field] : "";
}

CulvertSection *culvert_editor_model_section(CulvertEditorModel *model, CulvertField field,
                                             guint peer)
{
    if (!culvert_field_is_peer(field))
        return model->own;
    g_return_val_if_fail(peer < model->peers->len, g_ptr_array_index(model->peers, 0));
    return g_ptr_array_index(model->peers, peer);
}

static void clear(CulvertEditorModel *model)
{
    g_clear_pointer(&model->own, section_free);
    g_clear_pointer(&model->peers, g_ptr_array_unref);
    model->own = section_new();
    model->own->flags = NM_SETTING_SECRET_FLAG_AGENT_OWNED;
    model->peers = g_ptr_array_new_with_free_func(section_free);
}

CulvertEditorModel *culvert_editor_model_new(void)
{
    CulvertEditorModel *model = g_new0(CulvertEditorModel, 1);

    clear(model);
    culvert_editor_model_add_peer(model);
    return model;
}

void culvert_editor_model_free(CulvertEditorModel *model)
{
    if (!model)
        return;
    section_free(model->own);
    g_ptr_array_unref(model->peers);
    g_free(model);
}

/* ---- From a connection ---------------------------------------------------------------------- */

/* The section of a key of the vpn setting, and in `rest` the key without "peerN-". Peers are kept
 * by their number until all are known: their keys come in no order. */
static CulvertSection *find_section(CulvertEditorModel *model, GTree *peers, const char *key,
                                    const char **rest)
{
    char *end = NULL;
    guint64 number = 1;
    CulvertField field;
    CulvertSection *section;

    *rest = key;
    if (g_str_has_prefix(key, "peer") && g_ascii_isdigit(key[strlen("peer")])) {
        number = g_ascii_strtoull(key + strlen("peer"), &end, 10);
        if (end[0] != '-' || number < 2 || number > G_MAXINT)
            return NULL;
        *rest = end + 1;
    } else {
        g_autofree char *base = g_str_has_suffix(key, FLAGS_SUFFIX)
                                    ? g_strndup(key, strlen(key) - strlen(FLAGS_SUFFIX))
                                    : g_strdup(key);

        if (!culvert_field_of_option(base, &field))
            return NULL;
        if (!culvert_field_is_peer(field))
            return model->own;
    }
    section = g_tree_lookup(peers, GUINT_TO_POINTER(number));
    if (!section) {
        section = section_new();
        g_tree_insert(peers, GUINT_TO_POINTER(number), section);
    }
    return section;
}

static char *spaced_list(const char *const *items)
{
    g_autoptr(GString) out = g_string_new(NULL);

    for (guint i = 0; items[i]; i++) {
        if (items[i][0])
            g_string_append_printf(out, "%s%s", out->len ? ", " : "", items[i]);
    }
    return g_string_free(g_steal_pointer(&out), FALSE);
}

static gboolean is_all_traffic(const char *const *items)
{
    gboolean has4 = FALSE;
    gboolean has6 = FALSE;

    for (guint i = 0; items[i]; i++) {
        if (g_str_equal(items[i], "0.0.0.0/0"))
            has4 = TRUE;
        else if (g_str_equal(items[i], "::/0"))
            has6 = TRUE;
        else if (items[i][0])
            return FALSE;
    }
    return has4 && has6;
}

static void load_list(CulvertSection *section, CulvertField field, const char *value)
{
    g_auto(GStrv) items = g_strsplit_set(value, ",; ", -1);
    const char *const *rest = (const char *const *) items;
    g_autofree char *text = NULL;

    if (field == CULVERT_FIELD_ALLOWED_IPS && is_all_traffic(rest)) {
        section->all_traffic = TRUE;
        return;
    }
    while (field == CULVERT_FIELD_ENDPOINT && *rest) {
        const char *first = *rest++;

        section_set(section, field, first);
        if (first[0])
            field = CULVERT_FIELD_FURTHER_ENDPOINTS;
    }
    text = spaced_list(rest);
    section_set(section, field, text);
}

/* Flags of secrets that this version does not know are no field's. */
static gboolean is_flags_of_field(const char *key)
{
    return g_str_equal(key, "private-key" FLAGS_SUFFIX) ||
           g_str_equal(key, "preshared-key" FLAGS_SUFFIX);
}

static void load_item(CulvertSection *section, const char *key, const char *value)
{
    CulvertField field;

    if (is_flags_of_field(key)) {
        section->has_flags = TRUE;
        section->flags = g_ascii_strtoull(value, NULL, 10);
    } else if (!culvert_field_of_option(key, &field)) {
        g_hash_table_insert(section->unknown, g_strdup(key), g_strdup(value));
    } else if (culvert_field_option(field)->flags & CULVERT_OPTION_LIST) {
        load_list(section, field, value);
    } else {
        section_set(section, field, value);
    }
}

static void load_data(CulvertEditorModel *model, GTree *peers, NMSettingVpn *setting)
{
    g_autofree const char **keys = nm_setting_vpn_get_data_keys(setting, NULL);
    const char *rest;

    for (guint i = 0; keys && keys[i]; i++) {
        CulvertSection *section = find_section(model, peers, keys[i], &rest);

        if (section)
            load_item(section, rest, nm_setting_vpn_get_data_item(setting, keys[i]));
    }
}

/* A secret without "-flags" is kept by NetworkManager. */
static void load_secrets(CulvertEditorModel *model, GTree *peers, NMSettingVpn *setting)
{
    g_autofree const char **keys = nm_setting_vpn_get_secret_keys(setting, NULL);
    const char *rest;
    CulvertField field;

    for (guint i = 0; keys && keys[i]; i++) {
        const char *value = nm_setting_vpn_get_secret(setting, keys[i]);
        CulvertSection *section = find_section(model, peers, keys[i], &rest);

        if (!section || !value || !value[0] || !culvert_field_of_option(rest, &field) ||
            !culvert_field_is_secret(field))
            continue;
        section_set(section, field, value);
        section->had_secret = TRUE;
        if (!section->has_flags)
            section->flags = NM_SETTING_SECRET_FLAG_NONE;
        section->has_flags = TRUE;
    }
}

static gboolean take_peer(gpointer number, gpointer section, gpointer model)
{
    g_ptr_array_add(((CulvertEditorModel *) model)->peers, section);
    return FALSE;
}

static int compare_numbers(gconstpointer a, gconstpointer b)
{
    return GPOINTER_TO_INT(a) - GPOINTER_TO_INT(b);
}

static gboolean is_new(NMSettingVpn *setting)
{
    return nm_setting_vpn_get_num_data_items(setting) == 0 &&
           nm_setting_vpn_get_num_secrets(setting) == 0;
}

static void load_setting(CulvertEditorModel *model, NMSettingVpn *setting)
{
    g_autoptr(GTree) peers = g_tree_new(compare_numbers);

    clear(model);
    if (setting && !is_new(setting)) {
        model->own->flags = NM_SETTING_SECRET_FLAG_NONE;
        load_data(model, peers, setting);
        load_secrets(model, peers, setting);
    }
    g_tree_foreach(peers, take_peer, model);
    if (model->peers->len == 0)
        culvert_editor_model_add_peer(model);
}

void culvert_editor_model_load(CulvertEditorModel *model, NMConnection *connection)
{
    const char *name = nm_connection_get_interface_name(connection);

    load_setting(model, nm_connection_get_setting_vpn(connection));
    section_set(model->own, CULVERT_FIELD_INTERFACE_NAME, name ? name : "");
}

/* ---- From a .conf --------------------------------------------------------------------------- */

/* What a .conf says and this form has no field for: import would have put it into the pages for
 * IPv4 and IPv6, which are not in our hands. */
static void warn_left_out(const CulvertConf *conf, GPtrArray *warnings)
{
    g_autoptr(NMConnection) connection = culvert_import_conf(conf, "conf", NULL);
    NMSettingIPConfig *ip4;
    NMSettingIPConfig *ip6;

    if (!connection)
        return;
    ip4 = nm_connection_get_setting_ip4_config(connection);
    ip6 = nm_connection_get_setting_ip6_config(connection);
    if (nm_setting_ip_config_get_num_addresses(ip4) > 0)
        g_ptr_array_add(warnings, g_strdup(_("Only the first IPv4 address was taken: enter the "
                                             "others on the page for IPv4.")));
    if (nm_setting_ip_config_get_num_addresses(ip6) > 0)
        g_ptr_array_add(warnings, g_strdup(_("Only the first IPv6 address was taken: enter the "
                                             "others on the page for IPv6.")));
    if (conf->table != CULVERT_CONF_TABLE_AUTO)
        g_ptr_array_add(warnings, g_strdup(_("Table was left out: choose the routes on the pages "
                                             "for IPv4 and IPv6.")));
}

static void take_profile(CulvertEditorModel *model, CulvertProfile *profile)
{
    g_autoptr(NMSettingVpn) setting = NM_SETTING_VPN(nm_setting_vpn_new());
    g_autofree char *name = g_strdup(culvert_section_get(model->own, CULVERT_FIELD_INTERFACE_NAME));
    NMSettingSecretFlags kept = model->own->flags & NM_SETTING_SECRET_FLAG_AGENT_OWNED;

    if (profile->private_key_flags == NM_SETTING_SECRET_FLAG_NONE)
        profile->private_key_flags = kept;
    for (guint i = 0; i < profile->peers->len; i++) {
        CulvertProfilePeer *peer = g_ptr_array_index(profile->peers, i);

        if (peer->preshared_key && peer->preshared_key_flags == NM_SETTING_SECRET_FLAG_NONE)
            peer->preshared_key_flags = kept;
    }
    /* Else NetworkManager would ask these servers nothing, unless all traffic goes there. */
    if (profile->dns->len > 0 && profile->search->len == 0)
        g_ptr_array_add(profile->search, g_strdup(ALL_DOMAINS));
    culvert_profile_to_setting(profile, setting);
    load_setting(model, setting);
    section_set(model->own, CULVERT_FIELD_INTERFACE_NAME, name);
}

/* NULL: it was not to be read. */
static gboolean take_conf(CulvertEditorModel *model, const CulvertConf *conf, GPtrArray **warnings)
{
    if (!conf)
        return FALSE;
    warn_left_out(conf, conf->warnings);
    take_profile(model, conf->profile);
    if (warnings)
        *warnings = g_ptr_array_ref(conf->warnings);
    return TRUE;
}

gboolean culvert_editor_model_load_conf(CulvertEditorModel *model, const char *text, gsize length,
                                        const char *name, GPtrArray **warnings, GError **error)
{
    g_autoptr(CulvertConf) conf = culvert_conf_parse(text, length, name, error);

    return take_conf(model, conf, warnings);
}

gboolean culvert_editor_model_load_file(CulvertEditorModel *model, const char *path,
                                        GPtrArray **warnings, GError **error)
{
    g_autoptr(CulvertConf) conf = culvert_conf_read_file(path, error);

    return take_conf(model, conf, warnings);
}

/* ---- To a connection ------------------------------------------------------------------------ */

static void remove_unknown_of_peers(NMSettingVpn *setting)
{
    g_autofree const char **keys = nm_setting_vpn_get_data_keys(setting, NULL);

    for (guint i = 0; keys && keys[i]; i++) {
        if (g_str_has_prefix(keys[i], "peer") && g_ascii_isdigit(keys[i][strlen("peer")]))
            nm_setting_vpn_remove_data_item(setting, keys[i]);
    }
}

static void add_unknown(NMSettingVpn *setting, const CulvertSection *section, guint peer)
{
    GHashTableIter iter;
    gpointer key;
    gpointer value;

    g_hash_table_iter_init(&iter, section->unknown);
    while (g_hash_table_iter_next(&iter, &key, &value)) {
        g_autofree char *full =
            peer == 0 ? g_strdup(key) : g_strdup_printf("peer%u-%s", peer + 1, (char *) key);

        nm_setting_vpn_add_data_item(setting, full, value);
    }
}

static void save_interface_name(CulvertEditorModel *model, NMConnection *connection)
{
    NMSettingConnection *general = nm_connection_get_setting_connection(connection);
    const char *name = culvert_section_get(model->own, CULVERT_FIELD_INTERFACE_NAME);

    if (general)
        g_object_set(general, NM_SETTING_CONNECTION_INTERFACE_NAME, name[0] ? name : NULL, NULL);
}

gboolean culvert_editor_model_save(CulvertEditorModel *model, NMConnection *connection,
                                   GError **error)
{
    g_autoptr(CulvertProfile) profile = culvert_editor_model_check(model, error);
    NMSettingVpn *setting = nm_connection_get_setting_vpn(connection);

    if (!profile)
        return FALSE;
    if (!setting) {
        setting = NM_SETTING_VPN(nm_setting_vpn_new());
        nm_connection_add_setting(connection, NM_SETTING(setting));
    }
    g_object_set(setting, NM_SETTING_VPN_SERVICE_TYPE, CULVERT_VPN_SERVICE, NULL);
    remove_unknown_of_peers(setting);
    culvert_profile_to_setting(profile, setting);
    for (guint i = 0; i < model->peers->len; i++)
        add_unknown(setting, g_ptr_array_index(model->peers, i), i);
    save_interface_name(model, connection);
    return TRUE;
}

/* ---- Fields --------------------------------------------------------------------------------- */

const char *culvert_editor_model_get(CulvertEditorModel *model, CulvertField field, guint peer)
{
    return culvert_section_get(culvert_editor_model_section(model, field, peer), field);
}

void culvert_editor_model_set(CulvertEditorModel *model, CulvertField field, guint peer,
                              const char *text)
{
    section_set(culvert_editor_model_section(model, field, peer), field, text);
}

/* Before somebody has chosen, a preshared key is kept where the private key is. */
NMSettingSecretFlags culvert_editor_model_get_flags(CulvertEditorModel *model, CulvertField field,
                                                    guint peer)
{
    const CulvertSection *section = culvert_editor_model_section(model, field, peer);

    if (field == CULVERT_FIELD_PRESHARED_KEY && !section->has_flags)
        return model->own->flags & NM_SETTING_SECRET_FLAG_AGENT_OWNED;
    return section->flags;
}

void culvert_editor_model_set_flags(CulvertEditorModel *model, CulvertField field, guint peer,
                                    NMSettingSecretFlags flags)
{
    CulvertSection *section = culvert_editor_model_section(model, field, peer);

    if (culvert_editor_model_get_flags(model, field, peer) == flags)
        return;
    section->flags = flags;
    section->has_flags = TRUE;
}

gboolean culvert_editor_model_get_all_traffic(CulvertEditorModel *model, guint peer)
{
    return culvert_editor_model_section(model, CULVERT_FIELD_ALLOWED_IPS, peer)->all_traffic;
}

void culvert_editor_model_set_all_traffic(CulvertEditorModel *model, guint peer, gboolean all)
{
    culvert_editor_model_section(model, CULVERT_FIELD_ALLOWED_IPS, peer)->all_traffic = all;
}

gboolean culvert_editor_model_is_ethernet(CulvertEditorModel *model)
{
    return g_ascii_strcasecmp(culvert_section_get(model->own, CULVERT_FIELD_DEVICE_TYPE), "tap") ==
           0;
}

const char *culvert_section_get_networks(const CulvertSection *section)
{
    return section->all_traffic ? ALL_TRAFFIC
                                : culvert_section_get(section, CULVERT_FIELD_ALLOWED_IPS);
}

/* ---- Peers and keys ------------------------------------------------------------------------- */

guint culvert_editor_model_get_n_peers(CulvertEditorModel *model)
{
    return model->peers->len;
}

void culvert_editor_model_add_peer(CulvertEditorModel *model)
{
    g_ptr_array_add(model->peers, section_new());
}

void culvert_editor_model_remove_peer(CulvertEditorModel *model, guint peer)
{
    g_return_if_fail(peer < model->peers->len && model->peers->len > 1);
    g_ptr_array_remove_index(model->peers, peer);
}

void culvert_editor_model_generate_key(CulvertEditorModel *model)
{
    WgKey *key = wg_secret_new0(WgKey);
    char *text = wg_secret_alloc0(WG_KEY_BASE64_SIZE);

    wg_key_generate(key);
    wg_key_to_base64(key, text);
    section_set(model->own, CULVERT_FIELD_PRIVATE_KEY, text);
    wg_secret_free(text, WG_KEY_BASE64_SIZE);
    wg_secret_key_free(key);
}

char *culvert_editor_model_get_public_key(CulvertEditorModel *model)
{
    WgKey *key = wg_secret_new0(WgKey);
    char text[WG_KEY_BASE64_SIZE];
    gboolean is_key =
        wg_key_from_base64(key, culvert_section_get(model->own, CULVERT_FIELD_PRIVATE_KEY)) &&
        !wg_key_is_zero(key);
    WgKey public_key;

    if (is_key) {
        wg_key_public(&public_key, key);
        wg_key_to_base64(&public_key, text);
    }
    wg_secret_key_free(key);
    return is_key ? g_strdup(text) : NULL;
}
