/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * auth-question.c: reading the question, and which secrets to ask for.
 */
#include "config.h"

#include "auth-question.h"

#include <gio/gio.h>
#include <glib/gi18n.h>
#include <string.h>

#include "wireguard/wg-crypto.h"

/* NetworkManager hands on the message of the signal SecretsRequired as a hint of this form. */
#define MESSAGE_HINT "x-vpn-message:"

static void field_free(gpointer data)
{
    AuthField *field = data;

    auth_field_set_value(field, NULL);
    g_free(field->key);
    g_free(field->label);
    g_free(field);
}

gboolean auth_question_read(AuthQuestion *question, int fd, GError **error)
{
    g_autoptr(GHashTable) data = NULL;
    g_autoptr(GHashTable) secrets = NULL;
    GHashTableIter iter;
    gpointer key, value;

    if (!nm_vpn_service_plugin_read_vpn_details(fd, &data, &secrets)) {
        g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_PARTIAL_INPUT,
                            _("No connection came on standard input. A secret agent starts this "
                              "program, such as “nmcli --ask connection up”"));
        return FALSE;
    }
    question->setting = NM_SETTING_VPN(nm_setting_vpn_new());
    g_hash_table_iter_init(&iter, data);
    while (g_hash_table_iter_next(&iter, &key, &value))
        nm_setting_vpn_add_data_item(question->setting, key, value);
    g_hash_table_iter_init(&iter, secrets);
    while (g_hash_table_iter_next(&iter, &key, &value))
        nm_setting_vpn_add_secret(question->setting, key, value);
    return TRUE;
}

void auth_question_clear(AuthQuestion *question)
{
    g_free(question->uuid);
    g_free(question->name);
    g_free(question->service);
    g_strfreev(question->hints);
    g_clear_object(&question->setting);
}

static char *describe(const CulvertProfileSecret *secret)
{
    if (secret->peer == 0)
        return g_strdup(_("Private key"));
    if (secret->peer == 1)
        return g_strdup(_("Preshared key"));
    return g_strdup_printf(_("Preshared key of peer %u"), secret->peer);
}

void auth_field_set_value(AuthField *field, const char *value)
{
    gsize size = value ? strlen(value) + 1 : 0;
    char *copy = NULL;

    if (size > 1) {
        copy = wg_secret_alloc0(size);
        memcpy(copy, value, size);
    }
    if (field->value)
        wg_secret_free(field->value, strlen(field->value) + 1);
    field->value = copy;
}

GPtrArray *auth_question_fields(const AuthQuestion *question)
{
    g_autoptr(GPtrArray) secrets = culvert_profile_list_secrets(question->setting);
    GPtrArray *fields = g_ptr_array_new_with_free_func(field_free);

    for (guint i = 0; i < secrets->len; i++) {
        const CulvertProfileSecret *secret = g_ptr_array_index(secrets, i);
        AuthField *field = g_new0(AuthField, 1);

        field->key = g_strdup(secret->key);
        field->label = describe(secret);
        field->option = culvert_options_find(secret->peer == 0 ? "private-key" : "preshared-key");
        auth_field_set_value(field, nm_setting_vpn_get_secret(question->setting, secret->key));
        g_ptr_array_add(fields, field);
    }
    return fields;
}

static gboolean is_hinted(const AuthQuestion *question, const char *key)
{
    return question->hints && g_strv_contains((const char *const *) question->hints, key);
}

gboolean auth_question_choose(const AuthQuestion *question, GPtrArray *fields)
{
    gboolean some_missing = FALSE;
    gboolean some_asked = FALSE;

    for (guint i = 0; i < fields->len; i++)
        some_missing |= !((AuthField *) g_ptr_array_index(fields, i))->value;
    for (guint i = 0; i < fields->len; i++) {
        AuthField *field = g_ptr_array_index(fields, i);

        field->ask = question->may_ask && (!field->value || is_hinted(question, field->key) ||
                                           (question->again && !some_missing));
        some_asked |= field->ask;
    }
    return some_asked;
}

char *auth_question_text(const AuthQuestion *question)
{
    for (guint i = 0; question->hints && question->hints[i]; i++) {
        if (g_str_has_prefix(question->hints[i], MESSAGE_HINT))
            return g_strdup(question->hints[i] + strlen(MESSAGE_HINT));
    }
    return g_strdup_printf(_("The VPN “%s” needs a key that is not stored"), question->name);
}
