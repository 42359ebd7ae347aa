/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-setting.c: CulvertProfile from and to NetworkManager's vpn setting.
 *
 * The first peer's keys have no prefix, the others' begin with "peer2-", "peer3-" and so on,
 * without gaps. A secret has a key with "-flags" in vpn.data; for a preshared key its presence
 * says that the peer has one, so that it is asked for when it is missing.
 */
#include "config.h"

#include <glib/gi18n-lib.h>
#include <stdlib.h>
#include <string.h>

#include "culvert-check.h"
#include "culvert-options.h"
#include "culvert-text.h"

#define FLAGS_SUFFIX "-flags"

/* Auth dialogs of NetworkManager's family answer with this name when there is nothing to ask. */
#define NO_SECRET "no-secret"

/* WireGuard's own limit, MAX_PEERS_PER_DEVICE of drivers/net/wireguard/messages.h. */
#define MAX_PEERS (1u << 20)

#define ALL_SECRET_FLAGS                                                                           \
    (NM_SETTING_SECRET_FLAG_AGENT_OWNED | NM_SETTING_SECRET_FLAG_NOT_SAVED |                       \
     NM_SETTING_SECRET_FLAG_NOT_REQUIRED)

/* What a key of the vpn setting says. */
typedef struct {
    const CulvertOption *option;
    guint peer; /* index; 0 for settings of the interface too */
    gboolean is_flags;
} KeyInfo;

G_GNUC_PRINTF(4, 5)
static gboolean fail(GError **error, CulvertProfileError code, const char *key, const char *format,
                     ...)
{
    va_list args;
    g_autofree char *fault = NULL;
    g_autofree char *quoted = culvert_text_quote(key);

    va_start(args, format);
    fault = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, CULVERT_PROFILE_ERROR, code, "%s: %s", quoted, fault);
    return FALSE;
}

static char *peer_key(const char *key, guint peer)
{
    return peer == 0 ? g_strdup(key) : g_strdup_printf("peer%u-%s", peer + 1, key);
}

/* ---- Keys ----------------------------------------------------------------------------------- */

/* The row of a key without "peerN-", which may be that of a secret's flags. */
static gboolean find_option(const char *key, KeyInfo *info)
{
    g_autofree char *secret = NULL;

    info->is_flags = FALSE;
    info->option = culvert_options_find(key);
    if (info->option)
        return TRUE;
    if (!g_str_has_suffix(key, FLAGS_SUFFIX))
        return FALSE;
    secret = g_strndup(key, strlen(key) - strlen(FLAGS_SUFFIX));
    info->is_flags = TRUE;
    info->option = culvert_options_find(secret);
    return info->option && (info->option->flags & CULVERT_OPTION_SECRET);
}

static gboolean is_peer_key(const char *key)
{
    return g_str_has_prefix(key, "peer") && g_ascii_isdigit(key[strlen("peer")]);
}

static gboolean parse_peer_number(const char *key, KeyInfo *info, const char **rest, GError **error)
{
    const char *digits = key + strlen("peer");
    gsize n = strspn(digits, "0123456789");
    g_autofree char *number = g_strndup(digits, n);
    guint32 peer;

    if (digits[n] != '-')
        return fail(error, CULVERT_PROFILE_ERROR_INVALID, key, _("there is no such setting"));
    if (digits[0] == '0' || !culvert_text_parse_number(number, MAX_PEERS, &peer) || peer < 2)
        return fail(error, CULVERT_PROFILE_ERROR_INVALID, key,
                    _("“%s” is not the number of a peer: the first peer's settings have no prefix, "
                      "the others' begin with peer2-, peer3- and so on"),
                    number);
    info->peer = peer - 1;
    *rest = digits + n + 1;
    return TRUE;
}

static gboolean parse_key(const char *key, KeyInfo *info, GError **error)
{
    const char *rest = key;
    gboolean has_prefix = is_peer_key(key);

    memset(info, 0, sizeof(*info));
    if (has_prefix && !parse_peer_number(key, info, &rest, error))
        return FALSE;
    if (!find_option(rest, info))
        return fail(error, CULVERT_PROFILE_ERROR_INVALID, key, _("there is no such setting"));
    if (has_prefix && info->option->scope == CULVERT_SCOPE_INTERFACE)
        return fail(error, CULVERT_PROFILE_ERROR_INVALID, key,
                    _("this setting is not a peer's: its name is “%s”"), rest);
    return TRUE;
}

static gboolean parse_data_key(const char *key, KeyInfo *info, GError **error)
{
    if (!parse_key(key, info, error))
        return FALSE;
    if ((info->option->flags & CULVERT_OPTION_SECRET) && !info->is_flags)
        return fail(error, CULVERT_PROFILE_ERROR_INVALID, key,
                    _("this is a secret: it belongs in vpn.secrets, not in vpn.data"));
    return TRUE;
}

static gboolean parse_secret_key(const char *key, KeyInfo *info, GError **error)
{
    if (!parse_key(key, info, error))
        return FALSE;
    if (!(info->option->flags & CULVERT_OPTION_SECRET) || info->is_flags)
        return fail(error, CULVERT_PROFILE_ERROR_INVALID, key,
                    _("this is not a secret: it belongs in vpn.data, not in vpn.secrets"));
    return TRUE;
}

/* ---- Reading -------------------------------------------------------------------------------- */

/* Remembers a key of each peer, to find gaps. */
static void note_peer(GHashTable *peers, const char *key, const KeyInfo *info)
{
    if (info->option->scope == CULVERT_SCOPE_PEER)
        g_hash_table_insert(peers, GUINT_TO_POINTER(info->peer), (gpointer) key);
}

static gboolean collect_peers(NMSettingVpn *setting, GHashTable *peers, GError **error)
{
    g_autofree const char **data = nm_setting_vpn_get_data_keys(setting, NULL);
    g_autofree const char **secrets = nm_setting_vpn_get_secret_keys(setting, NULL);
    KeyInfo info;

    for (guint i = 0; data && data[i]; i++) {
        if (!parse_data_key(data[i], &info, error))
            return FALSE;
        note_peer(peers, data[i], &info);
    }
    for (guint i = 0; secrets && secrets[i]; i++) {
        if (g_str_equal(secrets[i], NO_SECRET))
            continue;
        if (!parse_secret_key(secrets[i], &info, error))
            return FALSE;
        note_peer(peers, secrets[i], &info);
    }
    return TRUE;
}

/* Peers must be numbered without a gap; the first that follows one is named. */
static gboolean check_numbers(GHashTable *peers, GError **error)
{
    guint n = g_hash_table_size(peers);
    guint missing = 0;
    guint after = G_MAXUINT;
    GHashTableIter iter;
    gpointer peer;

    while (g_hash_table_contains(peers, GUINT_TO_POINTER(missing)))
        missing++;
    if (missing == n)
        return TRUE;
    g_hash_table_iter_init(&iter, peers);
    while (g_hash_table_iter_next(&iter, &peer, NULL)) {
        if (GPOINTER_TO_UINT(peer) > missing)
            after = MIN(after, GPOINTER_TO_UINT(peer));
    }
    return fail(error, CULVERT_PROFILE_ERROR_INVALID,
                g_hash_table_lookup(peers, GUINT_TO_POINTER(after)),
                _("there is no peer %u: peers are numbered without gaps"), missing + 1);
}

static gpointer object_of(CulvertProfile *profile, const KeyInfo *info)
{
    if (info->option->scope == CULVERT_SCOPE_INTERFACE)
        return profile;
    return g_ptr_array_index(profile->peers, info->peer);
}

static gboolean parse_flags(const char *value, NMSettingSecretFlags *flags)
{
    guint32 number;

    if (!culvert_text_parse_number(value, ALL_SECRET_FLAGS, &number))
        return FALSE;
    *flags = number;
    return TRUE;
}

static gboolean read_value(CulvertProfile *profile, const char *key, const KeyInfo *info,
                           const char *value, GError **error)
{
    gpointer object = object_of(profile, info);
    g_autoptr(GError) fault = NULL;

    if (info->is_flags) {
        if (parse_flags(value, culvert_option_secret_flags(info->option, object)))
            return TRUE;
        return fail(error, CULVERT_PROFILE_ERROR_INVALID, key,
                    _("this is not a sum of 1 (asked by an agent), 2 (not saved) and 4 (not "
                      "required)"));
    }
    if (culvert_option_parse(info->option, value, object, &fault))
        return TRUE;
    return fail(error, CULVERT_PROFILE_ERROR_INVALID, key, "%s", fault->message);
}

static gboolean read_data(CulvertProfile *profile, NMSettingVpn *setting, GError **error)
{
    g_autofree const char **keys = nm_setting_vpn_get_data_keys(setting, NULL);

    for (guint i = 0; keys && keys[i]; i++) {
        KeyInfo info;

        if (!parse_data_key(keys[i], &info, error) ||
            !read_value(profile, keys[i], &info, nm_setting_vpn_get_data_item(setting, keys[i]),
                        error))
            return FALSE;
    }
    return TRUE;
}

/* A secret without "-flags" is owned by the system, as everywhere in NetworkManager. */
static gboolean read_secrets(CulvertProfile *profile, NMSettingVpn *setting, GError **error)
{
    g_autofree const char **keys = nm_setting_vpn_get_secret_keys(setting, NULL);

    for (guint i = 0; keys && keys[i]; i++) {
        g_autofree char *flags_key = g_strconcat(keys[i], FLAGS_SUFFIX, NULL);
        const char *value = nm_setting_vpn_get_secret(setting, keys[i]);
        KeyInfo info;

        if (g_str_equal(keys[i], NO_SECRET) || !value || !value[0])
            continue;
        if (!parse_secret_key(keys[i], &info, error) ||
            !read_value(profile, keys[i], &info, value, error))
            return FALSE;
        if (!nm_setting_vpn_get_data_item(setting, flags_key))
            *culvert_option_secret_flags(info.option, object_of(profile, &info)) =
                NM_SETTING_SECRET_FLAG_NONE;
    }
    return TRUE;
}

typedef gboolean (*Rules)(const CulvertProfile *profile, CulvertBlame *blame);

static gboolean check_rules(const CulvertProfile *profile, Rules rules, GError **error)
{
    g_autofree char *key = NULL;
    CulvertBlame blame;

    if (rules(profile, &blame))
        return TRUE;
    key = blame.option->scope == CULVERT_SCOPE_PEER ? peer_key(blame.option->key, blame.peer)
                                                    : g_strdup(blame.option->key);
    return fail(error, blame.code, key, "%s", blame.fault);
}

static gboolean check_secrets(const CulvertProfile *profile, NMSettingVpn *setting, GError **error)
{
    g_autofree char *missing = culvert_profile_missing_secret(setting);

    if (!missing && !profile->private_key)
        missing = g_strdup("private-key");
    if (!missing)
        return TRUE;
    return fail(error, CULVERT_PROFILE_ERROR_MISSING_SECRET, missing, _("this secret is missing"));
}

CulvertProfile *culvert_profile_from_setting(NMSettingVpn *setting, gboolean need_secrets,
                                             GError **error)
{
    g_autoptr(CulvertProfile) profile = culvert_profile_new();
    g_autoptr(GHashTable) peers = g_hash_table_new(NULL, NULL);

    if (!collect_peers(setting, peers, error) || !check_numbers(peers, error))
        return NULL;
    for (guint i = 0; i < g_hash_table_size(peers); i++)
        culvert_profile_add_peer(profile);

    if (!read_data(profile, setting, error) || !read_secrets(profile, setting, error) ||
        !check_rules(profile, culvert_profile_check_addresses, error) ||
        !check_rules(profile, culvert_profile_check, error))
        return NULL;
    if (need_secrets && (!check_rules(profile, culvert_profile_check_complete, error) ||
                         !check_secrets(profile, setting, error)))
        return NULL;
    return g_steal_pointer(&profile);
}

/* ---- Which secrets there are ---------------------------------------------------------------- */

static void secret_free(gpointer data)
{
    CulvertProfileSecret *secret = data;

    g_free(secret->key);
    g_free(secret);
}

static gboolean has_secret(NMSettingVpn *setting, const char *key)
{
    const char *value = nm_setting_vpn_get_secret(setting, key);

    return value && value[0];
}

static void add_secret(GPtrArray *secrets, const char *key, guint peer, gboolean is_set)
{
    CulvertProfileSecret *secret = g_new0(CulvertProfileSecret, 1);

    secret->key = g_strdup(key);
    secret->peer = peer;
    secret->is_set = is_set;
    g_ptr_array_add(secrets, secret);
}

/* By the flags of a preshared key that is not there; those of the private key do not matter. */
static void add_missing(GPtrArray *secrets, NMSettingVpn *setting, const char *flags_key)
{
    const char *value = nm_setting_vpn_get_data_item(setting, flags_key);
    g_autofree char *key = NULL;
    NMSettingSecretFlags flags;
    KeyInfo info;

    if (!parse_key(flags_key, &info, NULL) || !info.is_flags ||
        info.option->scope != CULVERT_SCOPE_PEER || !parse_flags(value, &flags))
        return;
    key = g_strndup(flags_key, strlen(flags_key) - strlen(FLAGS_SUFFIX));
    if (!has_secret(setting, key) && !(flags & NM_SETTING_SECRET_FLAG_NOT_REQUIRED))
        add_secret(secrets, key, info.peer + 1, FALSE);
}

static int compare_secrets(gconstpointer a, gconstpointer b)
{
    const CulvertProfileSecret *secret = *(CulvertProfileSecret *const *) a;
    const CulvertProfileSecret *other = *(CulvertProfileSecret *const *) b;

    return secret->peer < other->peer ? -1 : secret->peer > other->peer;
}

GPtrArray *culvert_profile_list_secrets(NMSettingVpn *setting)
{
    g_autofree const char **data = nm_setting_vpn_get_data_keys(setting, NULL);
    g_autofree const char **keys = nm_setting_vpn_get_secret_keys(setting, NULL);
    GPtrArray *secrets = g_ptr_array_new_with_free_func(secret_free);
    KeyInfo info;

    add_secret(secrets, "private-key", 0, has_secret(setting, "private-key"));
    for (guint i = 0; keys && keys[i]; i++) {
        if (has_secret(setting, keys[i]) && parse_secret_key(keys[i], &info, NULL) &&
            info.option->scope == CULVERT_SCOPE_PEER)
            add_secret(secrets, keys[i], info.peer + 1, TRUE);
    }
    for (guint i = 0; data && data[i]; i++)
        add_missing(secrets, setting, data[i]);
    g_ptr_array_sort(secrets, compare_secrets);
    return secrets;
}

char *culvert_profile_missing_secret(NMSettingVpn *setting)
{
    g_autoptr(GPtrArray) secrets = culvert_profile_list_secrets(setting);

    for (guint i = 0; i < secrets->len; i++) {
        CulvertProfileSecret *secret = g_ptr_array_index(secrets, i);

        if (!secret->is_set)
            return g_steal_pointer(&secret->key);
    }
    return NULL;
}

/* ---- Writing -------------------------------------------------------------------------------- */

/* Settings that are gone from the profile must go from the setting too; what is not ours stays. */
static void remove_known(NMSettingVpn *setting)
{
    g_autofree const char **data = nm_setting_vpn_get_data_keys(setting, NULL);
    g_autofree const char **secrets = nm_setting_vpn_get_secret_keys(setting, NULL);
    KeyInfo info;

    for (guint i = 0; data && data[i]; i++) {
        if (parse_key(data[i], &info, NULL))
            nm_setting_vpn_remove_data_item(setting, data[i]);
    }
    for (guint i = 0; secrets && secrets[i]; i++) {
        if (parse_key(secrets[i], &info, NULL))
            nm_setting_vpn_remove_secret(setting, secrets[i]);
    }
}

static void write_secret(NMSettingVpn *setting, const CulvertOption *option, gpointer object,
                         guint peer)
{
    g_autofree char *key = peer_key(option->key, peer);
    g_autofree char *flags_key = g_strconcat(key, FLAGS_SUFFIX, NULL);
    const WgKey *secret = culvert_option_secret(option, object);
    NMSettingSecretFlags flags = *culvert_option_secret_flags(option, object);
    NMSettingSecretFlags no_secret = option->flags & CULVERT_OPTION_REQUIRED
                                         ? NM_SETTING_SECRET_FLAG_NONE
                                         : NM_SETTING_SECRET_FLAG_NOT_REQUIRED;
    char text[WG_KEY_BASE64_SIZE];

    if (secret) {
        wg_key_to_base64(secret, text);
        nm_setting_vpn_add_secret(setting, key, text);
        wg_wipe(text, sizeof(text));
    }
    if (secret || flags != no_secret) {
        g_autofree char *number = g_strdup_printf("%u", flags);

        nm_setting_vpn_add_data_item(setting, flags_key, number);
    }
}

/* Only the first address of each family: NetworkManager wants the others in its own settings. */
static char *format_first_addresses(const GArray *addresses)
{
    g_autoptr(GString) out = g_string_new(NULL);
    gboolean seen[2] = {FALSE, FALSE};

    for (guint i = 0; i < addresses->len; i++) {
        const WgPrefix *prefix = &g_array_index(addresses, WgPrefix, i);
        gboolean *was_seen = &seen[prefix->family == AF_INET6];
        g_autofree char *text = culvert_text_format_prefix(prefix);

        if (!*was_seen)
            g_string_append_printf(out, "%s%s", out->len ? ";" : "", text);
        *was_seen = TRUE;
    }
    return out->len ? g_string_free(g_steal_pointer(&out), FALSE) : NULL;
}

static void write_option(NMSettingVpn *setting, const CulvertOption *option, gpointer object,
                         guint peer)
{
    g_autofree char *key = peer_key(option->key, peer);
    g_autofree char *value = NULL;

    if (option->flags & CULVERT_OPTION_SECRET) {
        write_secret(setting, option, object, peer);
        return;
    }
    value = option->type == CULVERT_TYPE_ADDRESS
                ? format_first_addresses(G_STRUCT_MEMBER(GArray *, object, option->offset))
                : culvert_option_format(option, object, ";");
    if (value)
        nm_setting_vpn_add_data_item(setting, key, value);
}

static void write_object(NMSettingVpn *setting, CulvertScope scope, gpointer object, guint peer)
{
    guint n;
    const CulvertOption *options = culvert_options(&n);

    for (guint i = 0; i < n; i++) {
        if (options[i].scope == scope)
            write_option(setting, &options[i], object, peer);
    }
}

void culvert_profile_to_setting(const CulvertProfile *profile, NMSettingVpn *setting)
{
    remove_known(setting);
    write_object(setting, CULVERT_SCOPE_INTERFACE, (gpointer) profile, 0);
    for (guint i = 0; i < profile->peers->len; i++)
        write_object(setting, CULVERT_SCOPE_PEER, g_ptr_array_index(profile->peers, i), i);
}
