/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * service-names.c: which name servers are asked beside the tunnel.
 *
 * Those of the interface on the way to the gateway, as NetworkManager got them from there, say by
 * DHCP, or from that connection's profile; also where they are not the ones that programs ask,
 * because the tunnel's own have taken their place. They are read when there is a question: a
 * roaming computer has others by then.
 */
#include "config.h"

#include "service-names.h"

#include <NetworkManager.h>
#include <net/if.h>
#include <string.h>

#include "sandbox/culvert-resolver.h"

#define DNS_PORT 53

/* How newer versions of NetworkManager write a server of the common kind; others are encrypted. */
#define UDP_SCHEME "dns+udp://"

struct _CulvertNames {
    GResolver parent;
    GDBusConnection *bus;
    CulvertTunnel *tunnel; /* weak */
};

G_DEFINE_FINAL_TYPE(CulvertNames, culvert_names, G_TYPE_RESOLVER)

/* ---- What NetworkManager says --------------------------------------------------------------- */

/* NULL: it is none that can be asked. Nobody who wants a server to be asked in secret ("#" and the
 * name in its certificate, or another scheme) is to find it asked in the clear; and one on this
 * computer itself would be asked through its loopback interface. */
static GSocketAddress *read_server(const char *text, guint ifindex)
{
    g_autofree char *literal =
        g_strdup(g_str_has_prefix(text, UDP_SCHEME) ? text + strlen(UDP_SCHEME) : text);
    g_autoptr(GInetAddress) address = NULL;
    guint scope = 0;

    /* The interface of a link-local address is known. */
    literal[strcspn(literal, "%")] = '\0';
    address = g_inet_address_new_from_string(literal);
    if (!address || g_inet_address_get_is_loopback(address) || g_inet_address_get_is_any(address))
        return NULL;
    if (g_inet_address_get_is_link_local(address))
        scope = ifindex;
    return g_object_new(G_TYPE_INET_SOCKET_ADDRESS, "address", address, "port", DNS_PORT,
                        "scope-id", scope, NULL);
}

GPtrArray *culvert_names_read_servers(GVariant *configuration, const char *ifname, guint ifindex)
{
    GPtrArray *servers = g_ptr_array_new_with_free_func(g_object_unref);
    GVariantIter iter;
    GVariant *entry;

    g_variant_iter_init(&iter, configuration);
    while ((entry = g_variant_iter_next_value(&iter))) {
        g_autofree const char **addresses = NULL;
        const char *of = NULL;

        if (g_variant_lookup(entry, "interface", "&s", &of) && g_str_equal(of, ifname) &&
            g_variant_lookup(entry, "nameservers", "^a&s", &addresses)) {
            for (guint i = 0; addresses[i]; i++) {
                GSocketAddress *server = read_server(addresses[i], ifindex);

                if (server)
                    g_ptr_array_add(servers, server);
            }
        }
        g_variant_unref(entry);
    }
    return servers;
}

/* ---- Asking --------------------------------------------------------------------------------- */

static void free_addresses(gpointer addresses)
{
    g_resolver_free_addresses(addresses);
}

/* Takes `error`, which is in the log alone: what the system's resolver said matters to people. */
static void fail(GTask *task, GError *error)
{
    if (!g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        g_info("No address of “%s” from beside the tunnel: %s",
               (const char *) g_task_get_task_data(task), error->message);
    g_task_return_error(task, error);
}

static void on_addresses(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    GError *error = NULL;
    GList *addresses = culvert_resolver_ask_servers_finish(result, &error);

    if (error)
        fail(task, error);
    else
        g_task_return_pointer(task, addresses, free_addresses);
}

static char *list_servers(GPtrArray *servers)
{
    GString *list = g_string_new(NULL);

    for (guint i = 0; i < servers->len; i++) {
        g_autofree char *text = g_inet_address_to_string(
            g_inet_socket_address_get_address(g_ptr_array_index(servers, i)));

        g_string_append_printf(list, "%s%s", i > 0 ? ", " : "", text);
    }
    return g_string_free(list, FALSE);
}

static void ask(GTask *task, GVariant *configuration)
{
    CulvertNames *self = g_task_get_source_object(task);
    const char *name = g_task_get_task_data(task);
    guint ifindex = self->tunnel ? culvert_tunnel_get_uplink(self->tunnel) : 0;
    g_autoptr(GPtrArray) servers = NULL;
    g_autofree char *list = NULL;
    char ifname[IF_NAMESIZE];

    if (ifindex == 0 || !if_indextoname(ifindex, ifname)) {
        fail(task, g_error_new_literal(G_RESOLVER_ERROR, G_RESOLVER_ERROR_NOT_FOUND,
                                       "there is no way to the gateway"));
        return;
    }
    servers = culvert_names_read_servers(configuration, ifname, ifindex);
    list = list_servers(servers);
    g_info("Asking beside the tunnel for “%s”: interface %s, name servers: %s", name, ifname,
           servers->len > 0 ? list : "none");
    culvert_resolver_ask_servers_async(
        name, servers, ifindex, culvert_tunnel_get_fwmark(self->tunnel),
        g_task_get_cancellable(task), on_addresses, g_object_ref(task));
}

static void on_configuration(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    GError *error = NULL;
    g_autoptr(GVariant) reply =
        g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &error);
    g_autoptr(GVariant) configuration = NULL;

    if (!reply) {
        fail(task, error);
        return;
    }
    g_variant_get(reply, "(v)", &configuration);
    if (g_variant_is_of_type(configuration, G_VARIANT_TYPE("aa{sv}")))
        ask(task, configuration);
    else
        fail(task, g_error_new_literal(G_RESOLVER_ERROR, G_RESOLVER_ERROR_INTERNAL,
                                       "NetworkManager's list of name servers has another type"));
}

static void lookup_async(GResolver *resolver, const char *name, GCancellable *cancellable,
                         GAsyncReadyCallback callback, gpointer user_data)
{
    CulvertNames *self = CULVERT_NAMES(resolver);
    GTask *task = g_task_new(self, cancellable, callback, user_data);

    g_task_set_task_data(task, g_strdup(name), g_free);
    g_dbus_connection_call(self->bus, NM_DBUS_SERVICE, NM_DBUS_PATH_DNS_MANAGER,
                           "org.freedesktop.DBus.Properties", "Get",
                           g_variant_new("(ss)", NM_DBUS_INTERFACE_DNS_MANAGER, "Configuration"),
                           G_VARIANT_TYPE("(v)"), G_DBUS_CALL_FLAGS_NO_AUTO_START, -1, cancellable,
                           on_configuration, task);
}

static GList *lookup_finish(GResolver *resolver, GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}

/* ---- Object --------------------------------------------------------------------------------- */

static void culvert_names_init(CulvertNames *self)
{
}

static void culvert_names_finalize(GObject *object)
{
    CulvertNames *self = CULVERT_NAMES(object);

    g_clear_weak_pointer(&self->tunnel);
    g_object_unref(self->bus);
    G_OBJECT_CLASS(culvert_names_parent_class)->finalize(object);
}

static void culvert_names_class_init(CulvertNamesClass *klass)
{
    GResolverClass *resolver_class = G_RESOLVER_CLASS(klass);

    G_OBJECT_CLASS(klass)->finalize = culvert_names_finalize;
    resolver_class->lookup_by_name_async = lookup_async;
    resolver_class->lookup_by_name_finish = lookup_finish;
}

CulvertNames *culvert_names_new(GDBusConnection *bus)
{
    CulvertNames *self = g_object_new(CULVERT_TYPE_NAMES, NULL);

    self->bus = g_object_ref(bus);
    return self;
}

void culvert_names_follow(CulvertNames *self, CulvertTunnel *tunnel)
{
    g_set_weak_pointer(&self->tunnel, tunnel);
}
