/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * service-overwrite.c: answers each call that has arguments with a signal to ourselves, of zeros,
 * as long as the call and somewhat more, and swallows it when it arrives.
 */
#include "service-overwrite.h"

#define OVERWRITE_PATH      "/org/freedesktop/NetworkManager/culvert/Overwrite"
#define OVERWRITE_INTERFACE "org.freedesktop.NetworkManager.culvert.Overwrite"
#define OVERWRITE_SIGNAL    "Overwrite"

/* A call's header may be longer than the signal's, by names of at most 255 bytes each (the D-Bus
 * specification). */
#define HEADER_ROOM 2048

static gboolean is_ours(GDBusMessage *message)
{
    return g_dbus_message_get_message_type(message) == G_DBUS_MESSAGE_TYPE_SIGNAL &&
           g_strcmp0(g_dbus_message_get_interface(message), OVERWRITE_INTERFACE) == 0;
}

static void overwrite(GDBusConnection *bus, gsize size)
{
    g_autofree guint8 *zeros = g_malloc0(size);
    GVariant *body = g_variant_new_fixed_array(G_VARIANT_TYPE_BYTE, zeros, size, 1);
    const char *self = g_dbus_connection_get_unique_name(bus);
    g_autoptr(GError) error = NULL;

    if (!g_dbus_connection_emit_signal(bus, self, OVERWRITE_PATH, OVERWRITE_INTERFACE,
                                       OVERWRITE_SIGNAL, g_variant_new_tuple(&body, 1), &error))
        g_debug("Cannot overwrite what has been received: %s", error->message);
}

/* In GDBus's thread. Returns the message, or NULL for one that ends here. */
static GDBusMessage *filter(GDBusConnection *bus, GDBusMessage *message, gboolean incoming,
                            gpointer user_data)
{
    GVariant *body = g_dbus_message_get_body(message);

    if (!incoming)
        return message;
    if (is_ours(message)) {
        g_object_unref(message);
        return NULL;
    }
    if (body && g_dbus_message_get_message_type(message) == G_DBUS_MESSAGE_TYPE_METHOD_CALL)
        overwrite(bus, g_variant_get_size(body) + HEADER_ROOM);
    return message;
}

void culvert_service_overwrite_watch(GDBusConnection *bus)
{
    g_dbus_connection_add_filter(bus, filter, NULL, NULL);
}
