/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * auth-keyring.c: looking into the keyring through libsecret. See auth-keyring.h.
 *
 * nm-applet and GNOME Shell store the secrets of a VPN, but leave it to programs like this one to
 * find them again.
 */
#include "config.h"

#include "auth-keyring.h"

#include <libsecret/secret.h>

/* How agents name what they store: applet-agent.c of nm-applet, shell-network-agent.c of GNOME
 * Shell. */
static const SecretSchema SCHEMA = {
    .name = "org.freedesktop.NetworkManager.Connection",
    .flags = SECRET_SCHEMA_DONT_MATCH_NAME,
    .attributes = {{"connection-uuid", SECRET_SCHEMA_ATTRIBUTE_STRING},
                   {"setting-name", SECRET_SCHEMA_ATTRIBUTE_STRING},
                   {"setting-key", SECRET_SCHEMA_ATTRIBUTE_STRING}},
};

typedef struct {
    GList *items; /* of SecretRetrievable */
    gboolean done;
} Search;

static void on_found(GObject *source, GAsyncResult *result, gpointer data)
{
    Search *search = data;
    g_autoptr(GError) error = NULL;

    search->items = secret_password_search_finish(result, &error);
    search->done = TRUE;
    /* Not for people: on a machine without a keyring it would come each time. */
    if (error)
        g_debug("The keyring does not answer: %s", error->message);
}

static void take(AuthField *field, GList *items, GCancellable *cancellable)
{
    g_autoptr(SecretValue) value = NULL;

    if (!items)
        return;
    value = secret_retrievable_retrieve_secret_sync(items->data, cancellable, NULL);
    if (value)
        auth_field_set_value(field, secret_value_get_text(value));
}

static void look_up(const AuthQuestion *question, AuthField *field, GCancellable *cancellable)
{
    SecretSearchFlags flags = SECRET_SEARCH_LOAD_SECRETS;
    Search search = {0};

    if (question->may_ask)
        flags |= SECRET_SEARCH_UNLOCK;
    secret_password_search(&SCHEMA, flags, cancellable, on_found, &search, "connection-uuid",
                           question->uuid, "setting-name", NM_SETTING_VPN_SETTING_NAME,
                           "setting-key", field->key, NULL);
    while (!search.done)
        g_main_context_iteration(NULL, TRUE);
    take(field, search.items, cancellable);
    g_list_free_full(search.items, g_object_unref);
}

/* "Not saved" is the stronger of the two, as for NetworkManager. */
static gboolean is_kept_by_agents(const AuthQuestion *question, const char *key)
{
    NMSettingSecretFlags flags = NM_SETTING_SECRET_FLAG_NONE;

    nm_setting_get_secret_flags(NM_SETTING(question->setting), key, &flags, NULL);
    return (flags & NM_SETTING_SECRET_FLAG_AGENT_OWNED) &&
           !(flags & NM_SETTING_SECRET_FLAG_NOT_SAVED);
}

void auth_keyring_look_up(const AuthQuestion *question, GPtrArray *fields,
                          GCancellable *cancellable)
{
    for (guint i = 0; i < fields->len; i++) {
        AuthField *field = g_ptr_array_index(fields, i);

        if (!field->value && is_kept_by_agents(question, field->key))
            look_up(question, field, cancellable);
    }
}
