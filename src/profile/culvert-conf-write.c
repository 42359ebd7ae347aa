/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-conf-write.c: writes a .conf that wg-quick takes, and culvert_conf_parse() reads as the
 * same. See culvert-conf.h.
 */
#include "config.h"

#include "culvert-conf.h"

#include "culvert-options.h"
#include "culvert-secret-buffer.h"

#define EXTENSION "# Culvert: "

static void append_line(CulvertSecretBuffer *out, const char *mark, const char *key,
                        const char *value)
{
    culvert_secret_buffer_append(out, mark);
    culvert_secret_buffer_append(out, key);
    culvert_secret_buffer_append(out, " = ");
    culvert_secret_buffer_append(out, value);
    culvert_secret_buffer_append(out, "\n");
}

/* The flags that the key's presence does not say by itself. */
static NMSettingSecretFlags implied_flags(const CulvertOption *option, const WgKey *secret)
{
    if (secret || (option->flags & CULVERT_OPTION_REQUIRED))
        return NM_SETTING_SECRET_FLAG_NONE;
    return NM_SETTING_SECRET_FLAG_NOT_REQUIRED;
}

static void append_secret(CulvertSecretBuffer *out, const CulvertOption *option, gpointer object)
{
    const WgKey *secret = culvert_option_secret(option, object);
    NMSettingSecretFlags flags = *culvert_option_secret_flags(option, object);
    char text[WG_KEY_BASE64_SIZE];

    if (secret) {
        wg_key_to_base64(secret, text);
        append_line(out, "", option->conf_key, text);
        wg_wipe(text, sizeof(text));
    }
    if (flags != implied_flags(option, secret)) {
        g_autofree char *key = g_strconcat(option->conf_key, "Flags", NULL);
        g_autofree char *number = g_strdup_printf("%u", flags);

        append_line(out, EXTENSION, key, number);
    }
}

/* wg knows one endpoint a peer: it gets the first. */
static void append_endpoints(CulvertSecretBuffer *out, const CulvertOption *option,
                             gconstpointer object)
{
    g_autoptr(GPtrArray) items = culvert_option_format_items(option, object);

    for (guint i = 0; i < items->len; i++)
        append_line(out, i == 0 ? "" : EXTENSION, option->conf_key, g_ptr_array_index(items, i));
}

static void append_option(CulvertSecretBuffer *out, const CulvertOption *option, gpointer object)
{
    g_autofree char *value = NULL;

    if (option->flags & CULVERT_OPTION_SECRET) {
        append_secret(out, option, object);
        return;
    }
    if (option->type == CULVERT_TYPE_ENDPOINT) {
        append_endpoints(out, option, object);
        return;
    }
    value = culvert_option_format(option, object, ", ");
    if (value)
        append_line(out, option->flags & CULVERT_OPTION_EXTENSION ? EXTENSION : "",
                    option->conf_key, value);
}

static void append_options(CulvertSecretBuffer *out, CulvertScope scope, gpointer object)
{
    guint n;
    const CulvertOption *options = culvert_options(&n);

    for (guint i = 0; i < n; i++) {
        if (options[i].scope == scope)
            append_option(out, &options[i], object);
    }
}

static void append_table(CulvertSecretBuffer *out, gint64 table)
{
    g_autofree char *number = g_strdup_printf("%" G_GINT64_FORMAT, table);

    if (table != CULVERT_CONF_TABLE_AUTO)
        append_line(out, "", "Table", table == CULVERT_CONF_TABLE_OFF ? "off" : number);
}

GBytes *culvert_conf_format(const CulvertConf *conf)
{
    g_auto(CulvertSecretBuffer) out = {0};

    culvert_secret_buffer_append(&out, "[Interface]\n");
    append_options(&out, CULVERT_SCOPE_INTERFACE, conf->profile);
    append_table(&out, conf->table);
    for (guint i = 0; i < conf->profile->peers->len; i++) {
        culvert_secret_buffer_append(&out, "\n[Peer]\n");
        append_options(&out, CULVERT_SCOPE_PEER, g_ptr_array_index(conf->profile->peers, i));
    }
    return culvert_secret_buffer_to_bytes(&out);
}
