/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz-vpn-data.c: what NetworkManager may hand over: lines of "key=value", with "secret:" before a
 * key of vpn.secrets. It is read, or refused with a message that names a key; what was read,
 * written and read again is the same; and what asks for secrets takes profiles with faults as well.
 */
#include "fuzz.h"

#include <string.h>

#include "profile/culvert-profile.h"

#define SECRET "secret:"

/* NetworkManager keeps keys and values as text: what is not valid UTF-8 never gets here. */
static NMSettingVpn *to_setting(const guint8 *data, gsize len)
{
    NMSettingVpn *setting = NM_SETTING_VPN(nm_setting_vpn_new());
    g_autofree char *bytes = g_strndup((const char *) data, len);
    g_autofree char *text = g_utf8_make_valid(bytes, -1);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    for (guint i = 0; lines[i]; i++) {
        char *equals = strchr(lines[i], '=');
        gboolean is_secret = g_str_has_prefix(lines[i], SECRET);
        const char *key = lines[i] + (is_secret ? strlen(SECRET) : 0);

        if (!equals || equals == key || !equals[1])
            continue;
        *equals = '\0';
        if (is_secret)
            nm_setting_vpn_add_secret(setting, key, equals + 1);
        else
            nm_setting_vpn_add_data_item(setting, key, equals + 1);
    }
    return setting;
}

static void add_line(const char *key, const char *value, gpointer lines)
{
    g_ptr_array_add(lines, g_strdup_printf("%s=%s", key, value));
}

static gint compare(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static char *to_text(NMSettingVpn *setting)
{
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);

    nm_setting_vpn_foreach_data_item(setting, add_line, lines);
    nm_setting_vpn_foreach_secret(setting, add_line, lines);
    g_ptr_array_sort(lines, compare);
    g_ptr_array_add(lines, NULL);
    return g_strjoinv("\n", (GStrv) lines->pdata);
}

/* "KEY: what is wrong"; control characters of a key are quoted. */
static void check_error(const GError *error)
{
    g_assert_true(g_utf8_validate(error->message, -1, NULL));
    g_assert_nonnull(strstr(error->message, ": "));
    g_assert_null(strchr(error->message, '\n'));
}

static void check_round_trip(const CulvertProfile *profile)
{
    g_autoptr(NMSettingVpn) once = NM_SETTING_VPN(nm_setting_vpn_new());
    g_autoptr(NMSettingVpn) twice = NM_SETTING_VPN(nm_setting_vpn_new());
    g_autoptr(GError) error = NULL;
    g_autoptr(CulvertProfile) again = NULL;
    g_autofree char *first = NULL;
    g_autofree char *second = NULL;

    culvert_profile_to_setting(profile, once);
    again = culvert_profile_from_setting(once, FALSE, &error);
    g_assert_no_error(error);
    culvert_profile_to_setting(again, twice);
    first = to_text(once);
    second = to_text(twice);
    g_assert_cmpstr(first, ==, second);
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize len)
{
    g_autoptr(NMSettingVpn) setting = to_setting(data, len);
    g_autofree char *missing = culvert_profile_missing_secret(setting);

    for (guint need_secrets = 0; need_secrets < 2; need_secrets++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(CulvertProfile) profile =
            culvert_profile_from_setting(setting, need_secrets != 0, &error);

        g_assert_true((profile != NULL) == (error == NULL));
        if (!profile)
            check_error(error);
        else
            check_round_trip(profile);
        g_assert_true(!profile || !need_secrets || !missing);
    }
    return 0;
}
