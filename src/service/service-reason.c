/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * service-reason.c: NetworkManager's reasons for ending a connection.
 */
#include "config.h"

#include "service-reason.h"

#include <NetworkManager.h>

struct _CulvertReason {
    GDBusConnection *bus;
    GCancellable *cancellable;
    char *uuid;
    char *path;        /* of our active connection; NULL: not known yet */
    GHashTable *ended; /* path of an active connection: the reason for its end */
    guint subscription;
};

static void on_state_changed(GDBusConnection *bus, const char *sender, const char *path,
                             const char *interface, const char *signal, GVariant *parameters,
                             gpointer user_data)
{
    CulvertReason *self = user_data;
    guint state, reason;

    if (!g_variant_is_of_type(parameters, G_VARIANT_TYPE("(uu)")))
        return;
    g_variant_get(parameters, "(uu)", &state, &reason);
    if (state == NM_VPN_CONNECTION_STATE_DISCONNECTED || state == NM_VPN_CONNECTION_STATE_FAILED)
        g_hash_table_replace(self->ended, g_strdup(path), GUINT_TO_POINTER(reason));
}

/* Ours is the VPN with our UUID that is not over: those of former activations may still be there.
 */
static char *find_path(CulvertReason *self, GVariant *objects)
{
    g_autoptr(GVariantIter) iter = NULL;
    const char *path;
    GVariant *interfaces;
    char *found = NULL;

    g_variant_get(objects, "(a{oa{sa{sv}}})", &iter);
    while (g_variant_iter_next(iter, "{&o@a{sa{sv}}}", &path, &interfaces)) {
        g_autoptr(GVariant) active =
            g_variant_lookup_value(interfaces, NM_DBUS_INTERFACE_ACTIVE_CONNECTION, NULL);
        const char *uuid = NULL;
        guint state = NM_ACTIVE_CONNECTION_STATE_UNKNOWN;

        if (active && g_variant_lookup(active, "Uuid", "&s", &uuid) &&
            g_variant_lookup(active, "State", "u", &state) && g_strcmp0(uuid, self->uuid) == 0 &&
            state < NM_ACTIVE_CONNECTION_STATE_DEACTIVATING) {
            g_free(found);
            found = g_strdup(path);
        }
        g_variant_unref(interfaces);
    }
    return found;
}

static void on_objects(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) objects =
        g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &error);
    CulvertReason *self = user_data;

    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return; /* `self` is gone */
    if (objects)
        self->path = find_path(self, objects);
    else
        g_info("NetworkManager does not say what is active: %s", error->message);
}

CulvertReason *culvert_reason_watch(GDBusConnection *bus, const char *uuid)
{
    CulvertReason *self = g_new0(CulvertReason, 1);

    self->bus = g_object_ref(bus);
    self->cancellable = g_cancellable_new();
    self->uuid = g_strdup(uuid);
    self->ended = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    self->subscription = g_dbus_connection_signal_subscribe(
        bus, NM_DBUS_SERVICE, NM_DBUS_INTERFACE_VPN_CONNECTION, "VpnStateChanged", NULL, NULL,
        G_DBUS_SIGNAL_FLAGS_NONE, on_state_changed, self, NULL);
    g_dbus_connection_call(bus, NM_DBUS_SERVICE, "/org/freedesktop",
                           "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", NULL,
                           G_VARIANT_TYPE("(a{oa{sa{sv}}})"), G_DBUS_CALL_FLAGS_NO_AUTO_START, -1,
                           self->cancellable, on_objects, self);
    return self;
}

void culvert_reason_free(CulvertReason *self)
{
    if (!self)
        return;
    g_cancellable_cancel(self->cancellable);
    g_dbus_connection_signal_unsubscribe(self->bus, self->subscription);
    g_hash_table_unref(self->ended);
    g_object_unref(self->cancellable);
    g_object_unref(self->bus);
    g_free(self->path);
    g_free(self->uuid);
    g_free(self);
}

gboolean culvert_reason_is_wanted(const CulvertReason *self)
{
    guint reason;

    if (!self->path)
        return FALSE;
    reason = GPOINTER_TO_UINT(g_hash_table_lookup(self->ended, self->path));
    return reason == NM_ACTIVE_CONNECTION_STATE_REASON_USER_DISCONNECTED ||
           reason == NM_ACTIVE_CONNECTION_STATE_REASON_CONNECTION_REMOVED;
}
