/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-service.c: CulvertService, NMVpnServicePlugin for Culvert.
 *
 * What NMVpnServicePlugin wants, and its header does not say (nm-vpn-service-plugin.c of libnm
 * 1.42): the state becomes STARTING only when connect() has returned, so that nothing may be
 * emitted in it; STARTED follows from set_config(), set_ip4_config() and set_ip6_config(), in that
 * order; a call that fails must set its error.
 */
#include "config.h"

#include "culvert-service.h"

#include <glib/gi18n-lib.h>

#include "culvert-connection.h"
#include "log/culvert-log.h"
#include "service-config.h"
#include "service-names.h"
#include "service-reason.h"
#include "service-overwrite.h"
#include "service-status.h"

struct _CulvertService {
    NMVpnServicePlugin parent;

    CulvertConnection *connection; /* the one that runs, or NULL */
    CulvertReason *reason;         /* why it ends, while it runs */
    CulvertStatus *status;         /* what everybody may know of it */
    guint ask_id;                  /* about to ask for `ask_secret` */
    char *ask_secret;
    char *ask_message;
    char *missing;    /* a secret that NetworkManager was told to get, or NULL */
    char *missing_id; /* of which connection */
};

G_DEFINE_FINAL_TYPE(CulvertService, culvert_service, NM_TYPE_VPN_SERVICE_PLUGIN)

static void set_state(CulvertService *self, NMVpnServiceState state)
{
    g_object_set(self, NM_VPN_SERVICE_PLUGIN_STATE, state, NULL);
}

static void stop(CulvertService *self)
{
    g_clear_handle_id(&self->ask_id, g_source_remove);
    g_clear_pointer(&self->ask_secret, g_free);
    g_clear_pointer(&self->ask_message, g_free);
    if (!self->connection)
        return;
    g_signal_handlers_disconnect_by_data(self->connection, self);
    culvert_status_unfollow(self->status);
    culvert_connection_stop(self->connection);
    g_clear_object(&self->connection);
    g_clear_pointer(&self->reason, culvert_reason_free);
}

/* ---- What the connection reports ------------------------------------------------------------ */

static void send_config(CulvertService *self)
{
    g_autoptr(GVariant) config = culvert_connection_build_config(self->connection);

    nm_vpn_service_plugin_set_config(NM_VPN_SERVICE_PLUGIN(self), config);
}

static void on_ready(CulvertConnection *connection, gpointer user_data)
{
    CulvertService *self = user_data;
    NMVpnServicePlugin *plugin = NM_VPN_SERVICE_PLUGIN(self);
    g_autoptr(GVariant) ip4 = culvert_connection_build_ip4_config(connection);
    g_autoptr(GVariant) ip6 = culvert_connection_build_ip6_config(connection);

    send_config(self);
    if (ip4)
        nm_vpn_service_plugin_set_ip4_config(plugin, ip4);
    if (ip6)
        nm_vpn_service_plugin_set_ip6_config(plugin, ip6);
    /* So it is already, unless this process had another connection before (--persist), of which
     * the plugin remembers the families. */
    set_state(self, NM_VPN_SERVICE_STATE_STARTED);
}

static void on_config_changed(CulvertConnection *connection, gpointer user_data)
{
    send_config(user_data);
}

/* STOPPING comes first: from STARTING, nm_vpn_service_plugin_failure() would stop the plugin, which
 * emits a second failure. */
static void on_failed(CulvertConnection *connection, const GError *error, gpointer user_data)
{
    CulvertService *self = user_data;

    set_state(self, NM_VPN_SERVICE_STATE_STOPPING);
    nm_vpn_service_plugin_failure(NM_VPN_SERVICE_PLUGIN(self),
                                  NM_VPN_PLUGIN_FAILURE_CONNECT_FAILED);
    stop(self);
    set_state(self, NM_VPN_SERVICE_STATE_STOPPED);
}

/* ---- A secret that is missing --------------------------------------------------------------- */

static void forget_missing(CulvertService *self)
{
    g_clear_pointer(&self->missing, g_free);
    g_clear_pointer(&self->missing_id, g_free);
}

/* NetworkManager comes back several times: it looks for the secret in several places. */
static void note_missing(CulvertService *self, const char *id, const char *secret)
{
    if (g_strcmp0(secret, self->missing) == 0)
        return;
    forget_missing(self);
    self->missing = g_strdup(secret);
    self->missing_id = g_strdup(id);
    g_message("Connection “%s” needs the secret “%s”: NetworkManager gets it from the profile or "
              "from a secret agent",
              id, secret);
}

/* NetworkManager does not say so when nobody gave it: it ends the service. */
static void culvert_service_quit(NMVpnServicePlugin *plugin)
{
    CulvertService *self = CULVERT_SERVICE(plugin);

    if (!self->missing)
        return;
    g_warning("Connection “%s” failed: nobody gave the secret “%s”. To be asked for it, connect "
              "from the desktop or with “nmcli --ask connection up”; to store it: “nmcli "
              "connection edit”, “set vpn.secrets %s=KEY”, “save”",
              self->missing_id, self->missing, self->missing);
    forget_missing(self);
}

/* ---- NetworkManager's calls ----------------------------------------------------------------- */

static const char *get_id(NMConnection *connection)
{
    const char *id = nm_connection_get_id(connection);

    return id ? id : "?";
}

/* Gives the caller of a D-Bus method `cause` (transfer full) as a refusal of `connection`. */
static gboolean refuse(NMConnection *connection, GError *cause, GError **error)
{
    int code =
        cause->domain == NM_VPN_PLUGIN_ERROR ? cause->code : NM_VPN_PLUGIN_ERROR_BAD_ARGUMENTS;

    g_warning("Connection “%s” refused: %s", get_id(connection), cause->message);
    g_set_error_literal(error, NM_VPN_PLUGIN_ERROR, code, cause->message);
    g_error_free(cause);
    return FALSE;
}

static NMSettingVpn *get_setting(NMConnection *connection, GError **error)
{
    NMSettingVpn *setting = nm_connection_get_setting_vpn(connection);

    if (!setting)
        g_set_error_literal(error, NM_VPN_PLUGIN_ERROR, NM_VPN_PLUGIN_ERROR_INVALID_CONNECTION,
                            _("The connection has no VPN settings"));
    return setting;
}

static CulvertProfile *read_profile(NMConnection *connection, gboolean need_secrets, GError **error)
{
    NMSettingVpn *setting = get_setting(connection, error);
    g_autoptr(GError) cause = NULL;
    CulvertProfile *profile;

    culvert_log_set_connection(nm_connection_get_uuid(connection));
    if (!setting)
        return NULL;
    profile = culvert_profile_from_setting(setting, need_secrets, &cause);
    if (profile)
        return profile;
    if (g_error_matches(cause, CULVERT_PROFILE_ERROR, CULVERT_PROFILE_ERROR_MISSING_SECRET))
        g_set_error(error, NM_VPN_PLUGIN_ERROR, NM_VPN_PLUGIN_ERROR_BAD_ARGUMENTS,
                    _("%s: it is not in the profile, and no secret agent gave it. “nmcli --ask "
                      "connection up” asks for it, “nmcli connection edit” can store it"),
                    cause->message);
    else
        g_propagate_error(error, g_steal_pointer(&cause));
    return NULL;
}

static gboolean start(CulvertService *self, NMConnection *connection, GError **error)
{
    GError *cause = NULL;
    g_autoptr(CulvertProfile) profile = read_profile(connection, TRUE, &cause);
    CulvertServiceFirewall *firewall;
    g_autofree char *advice = NULL;
    g_autoptr(GDBusConnection) bus =
        nm_vpn_service_plugin_get_connection(NM_VPN_SERVICE_PLUGIN(self));
    g_autoptr(CulvertNames) names = culvert_names_new(bus);
    NMSettingVpn *setting;

    stop(self);
    forget_missing(self);
    if (!profile || !culvert_service_config_check(profile, connection, &cause))
        return refuse(connection, cause, error);
    setting = nm_connection_get_setting_vpn(connection);
    advice = culvert_service_config_advise_dns(profile, connection);
    firewall = culvert_service_firewall_new(profile, connection);
    self->connection = culvert_connection_new(
        g_steal_pointer(&profile), get_id(connection), nm_connection_get_uuid(connection),
        nm_connection_get_interface_name(connection), nm_setting_vpn_get_timeout(setting),
        nm_setting_vpn_get_persistent(setting));
    culvert_connection_set_firewall(self->connection, firewall);
    culvert_connection_set_names(self->connection, names);
    self->reason = culvert_reason_watch(bus, nm_connection_get_uuid(connection));
    g_signal_connect(self->connection, "ready", G_CALLBACK(on_ready), self);
    g_signal_connect(self->connection, "config-changed", G_CALLBACK(on_config_changed), self);
    g_signal_connect(self->connection, "failed", G_CALLBACK(on_failed), self);
    if (!culvert_connection_start(self->connection, &cause)) {
        stop(self);
        return refuse(connection, cause, error);
    }
    if (advice)
        g_message("%s", advice);
    culvert_status_follow(self->status, culvert_connection_get_tunnel(self->connection),
                          get_id(connection), nm_connection_get_uuid(connection));
    return TRUE;
}

static gboolean culvert_service_connect(NMVpnServicePlugin *plugin, NMConnection *connection,
                                        GError **error)
{
    return start(CULVERT_SERVICE(plugin), connection, error);
}

static gboolean on_ask(gpointer user_data)
{
    CulvertService *self = user_data;
    const char *hints[] = {self->ask_secret, NULL};

    self->ask_id = 0;
    nm_vpn_service_plugin_secrets_required(NM_VPN_SERVICE_PLUGIN(self), self->ask_message, hints);
    return G_SOURCE_REMOVE;
}

/* NetworkManager takes the question only in the state STARTING, hence later. Takes `secret`. */
static void ask(CulvertService *self, NMConnection *connection, char *secret)
{
    stop(self);
    note_missing(self, get_id(connection), secret);
    self->ask_secret = secret;
    self->ask_message =
        g_strdup_printf(_("The VPN “%s” needs the secret “%s”"), get_id(connection), secret);
    self->ask_id = g_idle_add(on_ask, self);
}

static gboolean culvert_service_connect_interactive(NMVpnServicePlugin *plugin,
                                                    NMConnection *connection, GVariant *details,
                                                    GError **error)
{
    CulvertService *self = CULVERT_SERVICE(plugin);
    GError *cause = NULL;
    g_autoptr(CulvertProfile) profile = read_profile(connection, FALSE, &cause);
    char *missing;

    if (!profile)
        return refuse(connection, cause, error);
    missing = culvert_profile_missing_secret(nm_connection_get_setting_vpn(connection));
    if (!missing)
        return start(self, connection, error);
    ask(self, connection, missing);
    return TRUE;
}

static gboolean culvert_service_new_secrets(NMVpnServicePlugin *plugin, NMConnection *connection,
                                            GError **error)
{
    return start(CULVERT_SERVICE(plugin), connection, error);
}

static gboolean culvert_service_need_secrets(NMVpnServicePlugin *plugin, NMConnection *connection,
                                             const char **setting_name, GError **error)
{
    CulvertService *self = CULVERT_SERVICE(plugin);
    NMSettingVpn *setting = get_setting(connection, error);
    g_autofree char *missing = setting ? culvert_profile_missing_secret(setting) : NULL;

    culvert_log_set_connection(nm_connection_get_uuid(connection));
    /* libnm 1.42 forgets to free the connection after this call. */
    nm_connection_clear_secrets(connection);
    if (!missing)
        return FALSE;
    note_missing(self, get_id(connection), missing);
    *setting_name = NM_SETTING_VPN_SETTING_NAME;
    return TRUE;
}

static gboolean culvert_service_disconnect(NMVpnServicePlugin *plugin, GError **error)
{
    CulvertService *self = CULVERT_SERVICE(plugin);

    if (self->connection)
        culvert_connection_disconnect(self->connection, culvert_reason_is_wanted(self->reason));
    stop(self);
    return TRUE;
}

/* ---- Object --------------------------------------------------------------------------------- */

static void culvert_service_init(CulvertService *self)
{
}

static void culvert_service_dispose(GObject *object)
{
    stop(CULVERT_SERVICE(object));
    g_clear_object(&CULVERT_SERVICE(object)->status);
    forget_missing(CULVERT_SERVICE(object));
    G_OBJECT_CLASS(culvert_service_parent_class)->dispose(object);
}

static void culvert_service_class_init(CulvertServiceClass *klass)
{
    NMVpnServicePluginClass *plugin_class = NM_VPN_SERVICE_PLUGIN_CLASS(klass);

    G_OBJECT_CLASS(klass)->dispose = culvert_service_dispose;
    plugin_class->connect = culvert_service_connect;
    plugin_class->connect_interactive = culvert_service_connect_interactive;
    plugin_class->need_secrets = culvert_service_need_secrets;
    plugin_class->new_secrets = culvert_service_new_secrets;
    plugin_class->disconnect = culvert_service_disconnect;
    plugin_class->quit = culvert_service_quit;
}

/* The status first: who sees the service's name on the bus may ask at once. libnm takes the same
 * connection to the bus, of which GIO has one in a process. */
CulvertService *culvert_service_new(const char *bus_name, gboolean persist, GError **error)
{
    g_autoptr(GDBusConnection) bus = g_bus_get_sync(G_BUS_TYPE_SYSTEM, NULL, error);
    g_autoptr(CulvertStatus) status = bus ? culvert_status_new(bus, error) : NULL;
    CulvertService *self;

    if (!status)
        return NULL;
    culvert_service_overwrite_watch(bus);
    self =
        g_initable_new(CULVERT_TYPE_SERVICE, NULL, error, NM_VPN_SERVICE_PLUGIN_DBUS_SERVICE_NAME,
                       bus_name, NM_VPN_SERVICE_PLUGIN_DBUS_WATCH_PEER, !persist, NULL);
    if (self)
        self->status = g_steal_pointer(&status);
    return self;
}
