/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-connection.c: from a profile to a tunnel that carries packets, and why not.
 *
 * The order: check what can be known beforehand, open sockets, find out who is to own the device,
 * dial; at the first handshake make the device and report "ready". A gateway that never answers
 * runs into the deadline.
 */
#include "config.h"

#include "culvert-connection.h"

#include <glib/gi18n-lib.h>
#include <net/if.h>

#include "service-attempts.h"
#include "service-bridge.h"
#include "service-config.h"
#include "service-device.h"
#include "service-uapi.h"
#include "service-watch.h"
#include "tun/culvert-link.h"
#include "tunnel/culvert-tunnel.h"

/* How much sooner than NetworkManager we give up, so that it hears a reason. */
#define TIMEOUT_MARGIN_SECONDS 2

struct _CulvertConnection {
    GObject parent;

    CulvertProfile *profile;
    char *id;
    char *uuid;
    char *ifname;                     /* NULL: the default */
    CulvertServiceFirewall *firewall; /* or NULL: none */
    CulvertNames *names;              /* or NULL: nobody is asked beside the tunnel */
    gboolean end_wanted;

    CulvertTunnel *tunnel;
    GCancellable *finding; /* the owner of the device */
    uid_t owner;           /* -1: nobody */
    gid_t group;
    CulvertServiceBridge *bridge; /* or NULL: none */
    CulvertLink *link;            /* or NULL: no Ethernet */
    CulvertUapi *uapi;            /* or NULL: a connection does without */
    CulvertAttempts *attempts;
    CulvertWatch *watch; /* from "ready" on */
    gboolean persistent;
    gint64 started_us;
    gint64 ready_us;
    guint deadline_seconds;
    guint deadline_id;

    gboolean ready;
    char *gateway_peer;    /* who answered first: NetworkManager keeps a route to it */
    GInetAddress *gateway; /* where it is now */
    guint mtu;             /* the device's, unless somebody else has set another one */

    GError *failure;
    guint failure_id;
};

enum {
    SIGNAL_READY,
    SIGNAL_CONFIG_CHANGED,
    SIGNAL_FAILED,
    N_SIGNALS,
};

static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE(CulvertConnection, culvert_connection, G_TYPE_OBJECT)

/* ---- Failure -------------------------------------------------------------------------------- */

static gboolean on_failure_idle(gpointer user_data)
{
    CulvertConnection *self = user_data;

    self->failure_id = 0;
    g_signal_emit(self, signals[SIGNAL_FAILED], 0, self->failure);
    return G_SOURCE_REMOVE;
}

/* Takes `error`. Reported from the main loop, as whoever called may be in the middle of a signal
 * of the tunnel, which the report will end. */
static void fail(CulvertConnection *self, GError *error)
{
    if (self->failure) {
        g_error_free(error);
        return;
    }
    self->failure = error;
    self->failure_id = g_idle_add(on_failure_idle, self);
}

/* Says in the log what was tried in vain, and why that may be. */
static void log_unanswered(CulvertConnection *self)
{
    WgDevice *device = culvert_tunnel_get_device(self->tunnel);
    g_autoptr(GPtrArray) report = NULL;
    char key[WG_KEY_BASE64_SIZE];
    WgDeviceStats stats;

    wg_key_to_base64(wg_device_get_public_key(device), key);
    wg_device_get_stats(device, &stats);
    report =
        culvert_attempts_report(self->attempts, key, culvert_tunnel_get_listen_port(self->tunnel),
                                stats.dropped_handshake > 0);
    for (guint i = 0; i < report->len; i++)
        g_warning("%s", (const char *) g_ptr_array_index(report, i));
}

static gboolean on_deadline(gpointer user_data)
{
    CulvertConnection *self = user_data;

    self->deadline_id = 0;
    g_warning("Connection “%s” failed: no gateway answered within %u seconds", self->id,
              self->deadline_seconds);
    log_unanswered(self);
    fail(self, g_error_new(NM_VPN_PLUGIN_ERROR, NM_VPN_PLUGIN_ERROR_FAILED,
                           _("No gateway answered within %u seconds"), self->deadline_seconds));
    return G_SOURCE_REMOVE;
}

/* ---- The session is there ------------------------------------------------------------------- */

static void set_gateway(CulvertConnection *self, GInetSocketAddress *endpoint)
{
    g_set_object(&self->gateway, g_inet_socket_address_get_address(endpoint));
}

static void log_configuration(CulvertConnection *self)
{
    CulvertTun *tun = culvert_tunnel_get_tun(self->tunnel);
    const int families[] = {AF_INET, AF_INET6};

    g_message("Interface %s, MTU %u", culvert_tun_get_name(tun), self->mtu);
    culvert_tunnel_log_ethernet(self->tunnel);
    for (guint i = 0; i < G_N_ELEMENTS(families); i++) {
        g_autofree char *line =
            culvert_service_config_describe(self->profile, families[i], self->gateway);

        if (line)
            g_message("%s", line);
    }
}

static CulvertTun *create_device(CulvertConnection *self, GError **error)
{
    CulvertTunOptions options = CULVERT_TUN_OPTIONS_INIT;

    options.name = self->ifname;
    options.owner = self->owner;
    options.group = self->group;
    if (self->profile->device_type == CULVERT_DEVICE_TAP)
        culvert_service_device_mac(self->uuid, options.mac);
    return culvert_tunnel_open_device(self->tunnel, &options, error);
}

/* No peer is to speak in the name of this computer, nor in that of a bridge, which anybody may have
 * made the device a port of. */
static void on_link(const CulvertLinkState *state, gpointer user_data)
{
    CulvertConnection *self = user_data;

    if (state->exists)
        culvert_tunnel_set_own_macs(self->tunnel, state->mac, state->bridge_mac);
}

static void watch_macs(CulvertConnection *self, CulvertTun *tun)
{
    g_autoptr(GError) error = NULL;

    if (!culvert_tun_is_tap(tun))
        return;
    self->link = culvert_link_watch(tun, FALSE, on_link, self, &error);
    if (!self->link)
        g_warning("Peers may speak in this computer's name: %s", error->message);
}

static gboolean open_device(CulvertConnection *self, GError **error)
{
    g_autoptr(CulvertTun) tun = create_device(self, error);

    if (!tun)
        return FALSE;
    culvert_service_device_quieten(self->profile, culvert_tun_get_name(tun));
    if (!culvert_tun_set_mtu(tun, self->mtu, error))
        return FALSE;
    if (self->firewall &&
        !culvert_service_firewall_ready(self->firewall, culvert_tun_get_ifindex(tun), error))
        return FALSE;
    if (self->profile->bridge) {
        self->bridge = culvert_service_bridge_join(self->profile->bridge, tun, error);
        if (!self->bridge)
            return FALSE;
    }
    watch_macs(self, tun);
    culvert_tunnel_attach(self->tunnel, g_steal_pointer(&tun));
    return TRUE;
}

static void on_gone(CulvertWatch *watch, const GError *error, gpointer user_data)
{
    CulvertConnection *self = user_data;

    g_warning("Connection “%s” ends: %s", self->id, error->message);
    log_unanswered(self);
    fail(self, g_error_copy(error));
}

static void become_ready(CulvertConnection *self, const char *peer, GInetSocketAddress *endpoint)
{
    GError *error = NULL;

    g_clear_handle_id(&self->deadline_id, g_source_remove);
    self->mtu = culvert_service_config_mtu(self->profile,
                                           culvert_tunnel_get_path_mtu(self->tunnel, endpoint));
    if (!open_device(self, &error)) {
        g_warning("Connection “%s” failed: %s", self->id, error->message);
        fail(self, error);
        return;
    }
    self->uapi = culvert_service_uapi_open(
        self->tunnel, culvert_tun_get_name(culvert_tunnel_get_tun(self->tunnel)));
    self->ready = TRUE;
    self->ready_us = g_get_monotonic_time();
    self->gateway_peer = g_strdup(peer);
    set_gateway(self, endpoint);
    log_configuration(self);
    /* What was tried in vain until now explains no later silence. */
    culvert_attempts_free(self->attempts);
    self->attempts = culvert_attempts_new();
    self->watch = culvert_watch_new(self->tunnel, self->profile, peer);
    culvert_watch_set_persistent(self->watch, self->persistent);
    g_signal_connect(self->watch, "gone", G_CALLBACK(on_gone), self);
    if (self->names) {
        culvert_names_follow(self->names, self->tunnel);
        culvert_tunnel_set_resolver_beside(self->tunnel, G_RESOLVER(self->names));
    }
    g_signal_emit(self, signals[SIGNAL_READY], 0);
}

/* NetworkManager keeps the new address, too, out of the tunnel. Whoever looks for the gateway does
 * not need that, only who speaks with it: so it is not told of addresses that are tried. */
static void follow_gateway(CulvertConnection *self, const char *peer, GInetSocketAddress *endpoint)
{
    if (!self->ready || g_strcmp0(peer, self->gateway_peer) != 0)
        return;
    if (g_inet_address_equal(self->gateway, g_inet_socket_address_get_address(endpoint)))
        return;
    set_gateway(self, endpoint);
    g_signal_emit(self, signals[SIGNAL_CONFIG_CHANGED], 0);
}

/* ---- What the tunnel reports ---------------------------------------------------------------- */

static void on_attempt(CulvertTunnel *tunnel, const char *peer, const char *name,
                       GInetSocketAddress *endpoint, const GError *error, gpointer user_data)
{
    CulvertConnection *self = user_data;
    guint count = culvert_attempts_add(self->attempts, name, endpoint, error);
    GLogLevelFlags level = count == 1 ? G_LOG_LEVEL_MESSAGE : G_LOG_LEVEL_INFO;
    g_autofree char *where = NULL;

    if (!endpoint) {
        g_log(G_LOG_DOMAIN, level, "“%s” could not be resolved: %s", name,
              error ? error->message : "no reason given");
        return;
    }
    where = culvert_attempts_endpoint_to_string(endpoint);
    if (g_str_equal(name, where))
        g_log(G_LOG_DOMAIN, level, "Trying %s, peer %.8s…", where, peer);
    else
        g_log(G_LOG_DOMAIN, level, "Trying “%s” at %s, peer %.8s…", name, where, peer);
}

static void on_unsent(CulvertTunnel *tunnel, const char *peer, GInetSocketAddress *endpoint,
                      const GError *error, gpointer user_data)
{
    CulvertConnection *self = user_data;
    g_autofree char *where = culvert_attempts_endpoint_to_string(endpoint);

    culvert_attempts_unsent(self->attempts, endpoint, error);
    g_info("Nothing could be sent to %s: %s", where, error->message);
}

static void on_handshake(CulvertTunnel *tunnel, const char *peer, GInetSocketAddress *endpoint,
                         gpointer user_data)
{
    CulvertConnection *self = user_data;
    g_autofree char *where = culvert_attempts_endpoint_to_string(endpoint);

    if (self->failure)
        return;
    if (self->ready) {
        g_info("Session with peer %.8s… at %s", peer, where);
        follow_gateway(self, peer, endpoint);
        return;
    }
    g_message("Session with peer %.8s… at %s after %.1f seconds", peer, where,
              (g_get_monotonic_time() - self->started_us) / (double) G_USEC_PER_SEC);
    become_ready(self, peer, endpoint);
}

static void on_endpoint_changed(CulvertTunnel *tunnel, const char *peer,
                                GInetSocketAddress *endpoint, gpointer user_data)
{
    CulvertConnection *self = user_data;
    g_autofree char *where = culvert_attempts_endpoint_to_string(endpoint);

    g_message("Peer %.8s… is at %s now", peer, where);
    follow_gateway(self, peer, endpoint);
}

static void on_path_mtu(CulvertTunnel *tunnel, guint path_mtu, gpointer user_data)
{
    CulvertConnection *self = user_data;
    guint mtu = culvert_service_config_mtu(self->profile, path_mtu);
    g_autoptr(GError) error = NULL;

    g_info("The path to the gateway carries packets of %u bytes", path_mtu);
    if (mtu == self->mtu)
        return;
    g_message("The path to the gateway carries packets of %u bytes: the MTU is %u now, it was %u",
              path_mtu, mtu, self->mtu);
    self->mtu = mtu;
    if (!culvert_tun_set_mtu(culvert_tunnel_get_tun(tunnel), mtu, &error))
        g_warning("%s", error->message);
    g_signal_emit(self, signals[SIGNAL_CONFIG_CHANGED], 0);
}

static void on_tunnel_failed(CulvertTunnel *tunnel, const GError *error, gpointer user_data)
{
    CulvertConnection *self = user_data;

    g_warning("Connection “%s” failed: %s", self->id, error->message);
    fail(self, g_error_copy(error));
}

/* ---- Start and stop ------------------------------------------------------------------------- */

/* What the profile cannot know to be wrong. */
static gboolean check_ifname(const char *ifname, GError **error)
{
    g_autoptr(GError) local = NULL;

    if (!ifname || (nm_utils_is_valid_iface_name(ifname, &local) && if_nametoindex(ifname) == 0))
        return TRUE;
    g_set_error(error, NM_VPN_PLUGIN_ERROR, NM_VPN_PLUGIN_ERROR_BAD_ARGUMENTS,
                _("connection.interface-name: “%s”: %s"), ifname,
                local ? local->message
                      : _("there is such an interface already; choose another name, or remove "
                          "the setting"));
    return FALSE;
}

/* The tunnel keeps copies of the keys: those of the profile are wiped. */
static gboolean add_peers(CulvertConnection *self, GError **error)
{
    culvert_tunnel_set_private_key(self->tunnel, self->profile->private_key);
    g_clear_pointer(&self->profile->private_key, wg_secret_key_free);
    for (guint i = 0; i < self->profile->peers->len; i++) {
        CulvertProfilePeer *peer = g_ptr_array_index(self->profile->peers, i);
        gboolean added =
            culvert_tunnel_add_peer(self->tunnel, &peer->public_key, peer->preshared_key,
                                    (const WgPrefix *) peer->allowed_ips->data,
                                    peer->allowed_ips->len, peer->keepalive, error);

        g_clear_pointer(&peer->preshared_key, wg_secret_key_free);
        if (!added)
            return FALSE;
    }
    return TRUE;
}

static gboolean set_plugin_error(GError **error, NMVpnPluginError code, GError *cause)
{
    g_set_error_literal(error, NM_VPN_PLUGIN_ERROR, code, cause->message);
    g_error_free(cause);
    return FALSE;
}

static void make_tunnel(CulvertConnection *self)
{
    self->tunnel = culvert_tunnel_new();
    culvert_tunnel_avoid_loops(self->tunnel);
    g_signal_connect(self->tunnel, "attempt", G_CALLBACK(on_attempt), self);
    g_signal_connect(self->tunnel, "unsent", G_CALLBACK(on_unsent), self);
    g_signal_connect(self->tunnel, "handshake", G_CALLBACK(on_handshake), self);
    g_signal_connect(self->tunnel, "endpoint-changed", G_CALLBACK(on_endpoint_changed), self);
    g_signal_connect(self->tunnel, "path-mtu", G_CALLBACK(on_path_mtu), self);
    g_signal_connect(self->tunnel, "failed", G_CALLBACK(on_tunnel_failed), self);
}

/* The kill switch knows the tunnel's datagrams by their mark. */
static guint32 choose_mark(CulvertConnection *self)
{
    guint32 mark = self->firewall ? culvert_service_firewall_mark(self->firewall) : 0;

    return mark ? mark : self->profile->fwmark;
}

/* Frames go from our address in the tunnel to the peers'. */
static void set_ethernet(CulvertConnection *self)
{
    const CulvertProfile *profile = self->profile;
    const CulvertProfilePeer *first = g_ptr_array_index(profile->peers, 0);
    CulvertVtep local, remote;

    if (profile->device_type != CULVERT_DEVICE_TAP)
        return;
    local = culvert_service_config_vtep(culvert_profile_find_vtep(profile));
    culvert_tunnel_set_ethernet(self->tunnel, culvert_profile_get_vni(profile), &local);
    if (profile->vxlan_remote.family == AF_UNSPEC)
        return;
    remote = culvert_service_config_vtep(&profile->vxlan_remote);
    culvert_tunnel_set_vtep(self->tunnel, &first->public_key, &remote);
}

static void dial(CulvertConnection *self)
{
    for (guint i = 0; i < self->profile->peers->len; i++)
        culvert_watch_dial(self->tunnel, g_ptr_array_index(self->profile->peers, i));
}

/* Cancelled, there may be no connection any more. */
static void on_owner(GObject *source, GAsyncResult *result, gpointer user_data)
{
    CulvertConnection *self = user_data;
    g_autoptr(GError) error = NULL;
    uid_t owner;
    gid_t group;

    if (culvert_service_device_find_owner_finish(result, &owner, &group, &error)) {
        self->owner = owner;
        self->group = group;
        dial(self);
    } else if (!g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED)) {
        g_warning("Connection “%s” failed: %s", self->id, error->message);
        fail(self, g_steal_pointer(&error));
    }
}

static void find_owner(CulvertConnection *self)
{
    if (self->profile->tun_user || self->profile->tun_group)
        culvert_service_device_find_owner_async(self->profile, self->finding, on_owner, self);
    else
        dial(self);
}

static gboolean check_bridge(CulvertConnection *self, GError **error)
{
    return !self->profile->bridge || culvert_service_bridge_check(self->profile->bridge, error);
}

gboolean culvert_connection_start(CulvertConnection *self, GError **error)
{
    g_autoptr(GPtrArray) warnings = culvert_service_config_warnings(self->profile);
    GError *local = NULL;

    if (!check_ifname(self->ifname, error) || !check_bridge(self, error))
        return FALSE;
    if (self->firewall && !culvert_service_firewall_begin(self->firewall, error))
        return FALSE;
    make_tunnel(self);
    if (!add_peers(self, &local))
        return set_plugin_error(error, NM_VPN_PLUGIN_ERROR_BAD_ARGUMENTS, local);
    set_ethernet(self);
    if (!culvert_tunnel_listen(self->tunnel, self->profile->listen_port, choose_mark(self), &local))
        return set_plugin_error(error, NM_VPN_PLUGIN_ERROR_LAUNCH_FAILED, local);
    g_message("Connecting “%s”: peers: %u, local UDP port: %u", self->id, self->profile->peers->len,
              culvert_tunnel_get_listen_port(self->tunnel));
    for (guint i = 0; i < warnings->len; i++)
        g_warning("%s", (const char *) g_ptr_array_index(warnings, i));
    self->started_us = g_get_monotonic_time();
    self->deadline_id = g_timeout_add(self->deadline_seconds * 1000, on_deadline, self);
    find_owner(self);
    return TRUE;
}

/* "12 s", "3 min 12 s", "5 h 3 min", "2 d 5 h" */
static char *describe_duration(gint64 us)
{
    guint64 seconds = us / G_USEC_PER_SEC;
    guint minutes = seconds / 60 % 60;
    guint hours = seconds / 3600 % 24;
    guint days = seconds / 86400;

    if (days > 0)
        return g_strdup_printf("%u d %u h", days, hours);
    if (hours > 0)
        return g_strdup_printf("%u h %u min", hours, minutes);
    if (minutes > 0)
        return g_strdup_printf("%u min %u s", minutes, (guint) (seconds % 60));
    return g_strdup_printf("%u s", (guint) seconds);
}

static void log_statistics(CulvertConnection *self)
{
    GPtrArray *peers = wg_device_get_peers(culvert_tunnel_get_device(self->tunnel));
    g_autofree char *duration = describe_duration(g_get_monotonic_time() - self->ready_us);
    g_autofree char *received = NULL;
    g_autofree char *sent = NULL;
    guint64 rx_bytes = 0;
    guint64 tx_bytes = 0;

    for (guint i = 0; i < peers->len; i++) {
        WgPeerStats stats;

        wg_peer_get_stats(g_ptr_array_index(peers, i), &stats);
        rx_bytes += stats.rx_bytes;
        tx_bytes += stats.tx_bytes;
    }
    received = g_format_size(rx_bytes);
    sent = g_format_size(tx_bytes);
    g_message("Disconnected after %s, received %s, sent %s", duration, received, sent);
}

void culvert_connection_disconnect(CulvertConnection *self, gboolean wanted)
{
    self->end_wanted = wanted;
    if (self->ready && !self->failure) {
        log_statistics(self);
    } else if (self->tunnel && !self->failure) {
        g_warning("Connection “%s” was ended before a gateway answered, after %.1f seconds",
                  self->id, (g_get_monotonic_time() - self->started_us) / (double) G_USEC_PER_SEC);
        log_unanswered(self);
    }
    culvert_connection_stop(self);
}

void culvert_connection_stop(CulvertConnection *self)
{
    g_clear_handle_id(&self->deadline_id, g_source_remove);
    g_clear_handle_id(&self->failure_id, g_source_remove);
    g_cancellable_cancel(self->finding);
    g_clear_pointer(&self->bridge, culvert_service_bridge_free);
    g_clear_pointer(&self->link, culvert_link_free);
    g_clear_object(&self->uapi);
    g_clear_object(&self->watch);
    if (self->tunnel) {
        g_signal_handlers_disconnect_by_data(self->tunnel, self);
        culvert_tunnel_stop(self->tunnel);
        g_clear_object(&self->tunnel);
    }
    if (self->firewall)
        culvert_service_firewall_end(g_steal_pointer(&self->firewall), self->end_wanted);
}

void culvert_connection_set_firewall(CulvertConnection *self, CulvertServiceFirewall *firewall)
{
    self->firewall = firewall;
}

void culvert_connection_set_names(CulvertConnection *self, CulvertNames *names)
{
    g_set_object(&self->names, names);
}

CulvertTunnel *culvert_connection_get_tunnel(CulvertConnection *self)
{
    return self->tunnel;
}

GVariant *culvert_connection_build_config(CulvertConnection *self)
{
    CulvertTun *tun = culvert_tunnel_get_tun(self->tunnel);

    return culvert_service_config_build(self->profile, culvert_tun_get_name(tun), self->gateway,
                                        self->mtu);
}

GVariant *culvert_connection_build_ip4_config(CulvertConnection *self)
{
    return culvert_service_config_build_ip4(self->profile, self->gateway);
}

GVariant *culvert_connection_build_ip6_config(CulvertConnection *self)
{
    return culvert_service_config_build_ip6(self->profile, self->gateway);
}

/* ---- Object --------------------------------------------------------------------------------- */

static void culvert_connection_init(CulvertConnection *self)
{
    self->attempts = culvert_attempts_new();
    self->finding = g_cancellable_new();
    self->owner = (uid_t) -1;
    self->group = (gid_t) -1;
}

static void culvert_connection_dispose(GObject *object)
{
    culvert_connection_stop(CULVERT_CONNECTION(object));
    G_OBJECT_CLASS(culvert_connection_parent_class)->dispose(object);
}

static void culvert_connection_finalize(GObject *object)
{
    CulvertConnection *self = CULVERT_CONNECTION(object);

    culvert_profile_free(self->profile);
    culvert_attempts_free(self->attempts);
    g_clear_object(&self->gateway);
    g_clear_object(&self->names);
    g_clear_error(&self->failure);
    g_free(self->gateway_peer);
    g_clear_object(&self->finding);
    g_free(self->ifname);
    g_free(self->uuid);
    g_free(self->id);
    G_OBJECT_CLASS(culvert_connection_parent_class)->finalize(object);
}

static void culvert_connection_class_init(CulvertConnectionClass *klass)
{
    GObjectClass *object_class = G_OBJECT_CLASS(klass);

    object_class->dispose = culvert_connection_dispose;
    object_class->finalize = culvert_connection_finalize;
    signals[SIGNAL_READY] = g_signal_new("ready", CULVERT_TYPE_CONNECTION, G_SIGNAL_RUN_LAST, 0,
                                         NULL, NULL, NULL, G_TYPE_NONE, 0);
    signals[SIGNAL_CONFIG_CHANGED] =
        g_signal_new("config-changed", CULVERT_TYPE_CONNECTION, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                     NULL, G_TYPE_NONE, 0);
    signals[SIGNAL_FAILED] = g_signal_new("failed", CULVERT_TYPE_CONNECTION, G_SIGNAL_RUN_LAST, 0,
                                          NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_ERROR);
}

/* Early enough to be the first to give up. */
static guint choose_deadline(guint timeout)
{
    if (timeout == 0)
        return CULVERT_CONNECTION_DEADLINE_SECONDS;
    if (timeout <= TIMEOUT_MARGIN_SECONDS)
        return 1;
    return MIN(timeout - TIMEOUT_MARGIN_SECONDS, CULVERT_CONNECTION_DEADLINE_SECONDS);
}

CulvertConnection *culvert_connection_new(CulvertProfile *profile, const char *id, const char *uuid,
                                          const char *ifname, guint timeout, gboolean persistent)
{
    CulvertConnection *self = g_object_new(CULVERT_TYPE_CONNECTION, NULL);

    self->profile = profile;
    self->id = g_strdup(id);
    self->uuid = g_strdup(uuid ? uuid : "");
    self->ifname = g_strdup(ifname);
    self->persistent = persistent;
    self->deadline_seconds = choose_deadline(timeout);
    return self;
}
