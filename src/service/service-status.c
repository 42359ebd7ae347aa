/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * service-status.c: the status on the bus. Properties are what changes rarely, and each change is
 * signalled; counters are asked for with GetStatus, so that nobody is woken for nothing.
 */
#include "service-status.h"

#include "service-counters.h"
#include "service-status-dbus.h"

typedef enum {
    STATE_IDLE,
    STATE_CONNECTING,
    STATE_CONNECTED,
    STATE_SILENT,
} State;

static const char *const state_names[] = {"idle", "connecting", "connected", "silent"};

/* What is known of a peer besides what the tunnel can tell. */
typedef struct {
    State state;
    gint64 since_us; /* wall clock */
    char *name;      /* the endpoint as the profile has it, that was tried last; or NULL */
    char *trying;    /* the address, or the name, that is tried now; or NULL */
    gint64 unanswered_since_us; /* wall clock; 0: nothing is left unanswered */
} PeerState;

struct _CulvertStatus {
    GObject parent_instance;

    CulvertDBusStatus *skeleton;

    /* set while there is a tunnel */
    CulvertTunnel *tunnel;
    GHashTable *peers; /* public key in base64 -> PeerState */
    char *current;     /* public key of the peer that answered first; until then the one tried */
    gboolean answered; /* `current` is final */
    State state;
    gint64 since_us;
};

G_DEFINE_FINAL_TYPE(CulvertStatus, culvert_status, G_TYPE_OBJECT)

static void peer_state_free(gpointer data)
{
    PeerState *peer = data;

    g_free(peer->name);
    g_free(peer->trying);
    g_free(peer);
}

static guint64 seconds(gint64 us)
{
    return MAX(us, 0) / G_USEC_PER_SEC;
}

/* ---- Building ------------------------------------------------------------------------------- */

static PeerState *get_peer(CulvertStatus *self, const char *key)
{
    PeerState *peer = g_hash_table_lookup(self->peers, key);

    if (peer)
        return peer;
    peer = g_new0(PeerState, 1);
    peer->state = STATE_CONNECTING;
    peer->since_us = g_get_real_time();
    g_hash_table_insert(self->peers, g_strdup(key), peer);
    return peer;
}

static GVariant *build_peer(CulvertStatus *self, WgPeer *peer, gboolean counters)
{
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
    char key[WG_KEY_BASE64_SIZE];
    const PeerState *state;

    wg_key_to_base64(wg_peer_get_public_key(peer), key);
    state = get_peer(self, key);
    g_variant_dict_insert(&dict, "state", "s", state_names[state->state]);
    g_variant_dict_insert(&dict, "since", "t", seconds(state->since_us));
    g_variant_dict_insert(&dict, "endpoint-name", "s", state->name ? state->name : "");
    g_variant_dict_insert(&dict, "trying", "s", state->trying ? state->trying : "");
    g_variant_dict_insert(&dict, "unanswered-since", "t", seconds(state->unanswered_since_us));
    culvert_counters_add_peer_settings(&dict, self->tunnel, peer);
    if (counters)
        culvert_counters_add_peer(&dict, peer);
    return g_variant_dict_end(&dict);
}

/* (transfer floating) */
static GVariant *build_peers(CulvertStatus *self, gboolean counters)
{
    GVariantBuilder builder;
    GPtrArray *peers;

    g_variant_builder_init(&builder, G_VARIANT_TYPE("aa{sv}"));
    if (self->tunnel) {
        peers = wg_device_get_peers(culvert_tunnel_get_device(self->tunnel));
        for (guint i = 0; i < peers->len; i++)
            g_variant_builder_add_value(&builder,
                                        build_peer(self, g_ptr_array_index(peers, i), counters));
    }
    return g_variant_builder_end(&builder);
}

/* (transfer full) */
static char *build_endpoint(CulvertStatus *self)
{
    g_autoptr(GInetSocketAddress) endpoint = NULL;
    WgKey key;

    if (self->current && wg_key_from_base64(&key, self->current))
        endpoint = culvert_tunnel_get_endpoint(self->tunnel, &key);
    return endpoint ? g_socket_connectable_to_string(G_SOCKET_CONNECTABLE(endpoint)) : g_strdup("");
}

static char *build_public_key(CulvertStatus *self)
{
    char key[WG_KEY_BASE64_SIZE];

    wg_key_to_base64(wg_device_get_public_key(culvert_tunnel_get_device(self->tunnel)), key);
    return g_strdup(key);
}

/* ---- Telling -------------------------------------------------------------------------------- */

/* Sets all properties; the skeleton signals those that changed, together, from the main loop. */
static void refresh(CulvertStatus *self)
{
    CulvertTun *tun = self->tunnel ? culvert_tunnel_get_tun(self->tunnel) : NULL;
    g_autofree char *endpoint = self->tunnel ? build_endpoint(self) : g_strdup("");
    g_autofree char *public_key = self->tunnel ? build_public_key(self) : g_strdup("");
    const PeerState *peer = self->current ? get_peer(self, self->current) : NULL;

    g_object_set(self->skeleton, "trying", peer && peer->trying ? peer->trying : "",
                 "unanswered-since", peer ? seconds(peer->unanswered_since_us) : 0, NULL);
    g_object_set(self->skeleton, "state", state_names[self->state], "since",
                 seconds(self->since_us), "device", tun ? culvert_tun_get_name(tun) : "",
                 "endpoint", endpoint, "public-key", public_key, "peers", build_peers(self, FALSE),
                 NULL);
}

static void set_state(CulvertStatus *self, State state, gint64 since_us)
{
    if (self->state != state) {
        self->state = state;
        self->since_us = since_us;
    }
}

static void set_peer_state(CulvertStatus *self, const char *key, State state, gint64 since_us)
{
    PeerState *peer = get_peer(self, key);

    if (peer->state != state) {
        peer->state = state;
        peer->since_us = since_us;
    }
    /* The connection is as the peer that it is made of, from the moment that it has a device. */
    if (self->answered && culvert_tunnel_get_tun(self->tunnel) &&
        g_strcmp0(key, self->current) == 0)
        set_state(self, state, since_us);
    refresh(self);
}

static gboolean on_get_status(CulvertDBusStatus *skeleton, GDBusMethodInvocation *invocation,
                              gpointer user_data)
{
    CulvertStatus *self = user_data;
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);

    refresh(self);
    g_variant_dict_insert(&dict, "id", "s", culvert_dbus_status_get_id(skeleton));
    g_variant_dict_insert(&dict, "uuid", "s", culvert_dbus_status_get_uuid(skeleton));
    g_variant_dict_insert(&dict, "state", "s", culvert_dbus_status_get_state(skeleton));
    g_variant_dict_insert(&dict, "since", "t", culvert_dbus_status_get_since(skeleton));
    g_variant_dict_insert(&dict, "device", "s", culvert_dbus_status_get_device(skeleton));
    g_variant_dict_insert(&dict, "public-key", "s", culvert_dbus_status_get_public_key(skeleton));
    g_variant_dict_insert(&dict, "endpoint", "s", culvert_dbus_status_get_endpoint(skeleton));
    g_variant_dict_insert(&dict, "trying", "s", culvert_dbus_status_get_trying(skeleton));
    g_variant_dict_insert(&dict, "unanswered-since", "t",
                          culvert_dbus_status_get_unanswered_since(skeleton));
    if (self->tunnel)
        culvert_counters_add_tunnel(&dict, self->tunnel);
    culvert_dbus_status_complete_get_status(skeleton, invocation, g_variant_dict_end(&dict),
                                            build_peers(self, TRUE));
    return G_DBUS_METHOD_INVOCATION_HANDLED;
}

/* ---- What the tunnel reports ---------------------------------------------------------------- */

static void set_current(CulvertStatus *self, const char *key)
{
    if (self->answered)
        return;
    g_free(self->current);
    self->current = g_strdup(key);
}

static void on_attempt(CulvertTunnel *tunnel, const char *peer, const char *name,
                       GInetSocketAddress *endpoint, const GError *error, gpointer user_data)
{
    CulvertStatus *self = user_data;
    PeerState *state = get_peer(self, peer);

    g_free(state->name);
    state->name = g_strdup(name);
    g_free(state->trying);
    state->trying =
        endpoint ? g_socket_connectable_to_string(G_SOCKET_CONNECTABLE(endpoint)) : g_strdup(name);
    set_current(self, peer);
    refresh(self);
}

static void on_handshake(CulvertTunnel *tunnel, const char *peer, GInetSocketAddress *endpoint,
                         gpointer user_data)
{
    CulvertStatus *self = user_data;

    PeerState *state = get_peer(self, peer);

    g_clear_pointer(&state->trying, g_free);
    state->unanswered_since_us = 0;
    set_current(self, peer);
    self->answered = TRUE;
    set_peer_state(self, peer, STATE_CONNECTED, g_get_real_time());
}

/* The tunnel's clock runs on when the wall clock is set: what it tells is how long ago; `age` if
 * it tells nothing. */
static gint64 find_unanswered_since(CulvertStatus *self, const char *key, gint64 age)
{
    WgPeerStats stats;
    WgPeer *peer;
    WgKey public_key;

    if (wg_key_from_base64(&public_key, key) &&
        (peer = wg_device_find_peer(culvert_tunnel_get_device(self->tunnel), &public_key))) {
        wg_peer_get_stats(peer, &stats);
        if (stats.initiations_unanswered > 0)
            age = culvert_tunnel_now() - stats.unanswered_since_us;
    }
    return g_get_real_time() - age;
}

static void on_unanswered(CulvertTunnel *tunnel, const char *peer, guint count, gpointer user_data)
{
    CulvertStatus *self = user_data;
    PeerState *state = get_peer(self, peer);

    if (state->unanswered_since_us == 0)
        state->unanswered_since_us = find_unanswered_since(self, peer, 0);
    refresh(self);
}

/* Since the first of the initiations that were left unanswered. */
static void on_silent(CulvertTunnel *tunnel, const char *peer, gpointer user_data)
{
    set_peer_state(user_data, peer, STATE_SILENT,
                   find_unanswered_since(user_data, peer, WG_REKEY_ATTEMPT_TIME));
}

static void on_endpoint_changed(CulvertTunnel *tunnel, const char *peer,
                                GInetSocketAddress *endpoint, gpointer user_data)
{
    refresh(user_data);
}

void culvert_status_follow(CulvertStatus *self, CulvertTunnel *tunnel, const char *id,
                           const char *uuid)
{
    culvert_status_unfollow(self);
    self->tunnel = g_object_ref(tunnel);
    g_signal_connect(tunnel, "attempt", G_CALLBACK(on_attempt), self);
    g_signal_connect(tunnel, "handshake", G_CALLBACK(on_handshake), self);
    g_signal_connect(tunnel, "unanswered", G_CALLBACK(on_unanswered), self);
    g_signal_connect(tunnel, "silent", G_CALLBACK(on_silent), self);
    g_signal_connect(tunnel, "endpoint-changed", G_CALLBACK(on_endpoint_changed), self);
    g_object_set(self->skeleton, "id", id, "uuid", uuid ? uuid : "", NULL);
    set_state(self, STATE_CONNECTING, g_get_real_time());
    refresh(self);
}

static void forget(CulvertStatus *self)
{
    if (self->tunnel)
        g_signal_handlers_disconnect_by_data(self->tunnel, self);
    g_clear_object(&self->tunnel);
    g_clear_pointer(&self->current, g_free);
    g_hash_table_remove_all(self->peers);
    self->answered = FALSE;
}

void culvert_status_unfollow(CulvertStatus *self)
{
    if (!self->tunnel)
        return;
    forget(self);
    g_object_set(self->skeleton, "id", "", "uuid", "", NULL);
    set_state(self, STATE_IDLE, 0);
    refresh(self);
    /* The program may end before the main loop turns again. */
    g_dbus_interface_skeleton_flush(G_DBUS_INTERFACE_SKELETON(self->skeleton));
}

/* ---- Object --------------------------------------------------------------------------------- */

static void culvert_status_init(CulvertStatus *self)
{
    self->peers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, peer_state_free);
    self->skeleton = culvert_dbus_status_skeleton_new();
    g_signal_connect(self->skeleton, "handle-get-status", G_CALLBACK(on_get_status), self);
    g_object_set(self->skeleton, "id", "", "uuid", "", NULL);
    refresh(self);
}

static void culvert_status_finalize(GObject *object)
{
    CulvertStatus *self = CULVERT_STATUS(object);

    forget(self);
    g_signal_handlers_disconnect_by_data(self->skeleton, self);
    g_dbus_interface_skeleton_unexport(G_DBUS_INTERFACE_SKELETON(self->skeleton));
    g_object_unref(self->skeleton);
    g_hash_table_unref(self->peers);
    G_OBJECT_CLASS(culvert_status_parent_class)->finalize(object);
}

static void culvert_status_class_init(CulvertStatusClass *klass)
{
    G_OBJECT_CLASS(klass)->finalize = culvert_status_finalize;
}

CulvertStatus *culvert_status_new(GDBusConnection *bus, GError **error)
{
    g_autoptr(CulvertStatus) self = g_object_new(CULVERT_TYPE_STATUS, NULL);

    if (!g_dbus_interface_skeleton_export(G_DBUS_INTERFACE_SKELETON(self->skeleton), bus,
                                          CULVERT_STATUS_PATH, error))
        return NULL;
    return g_steal_pointer(&self);
}
