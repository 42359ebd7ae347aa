/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * service-watch.c: the gateway is looked for anew, its names resolved again, when it leaves some
 * initiations unanswered, when the network has become another one, and after a suspend.
 *
 * WireGuard asks for an answer 15 seconds after data that got none, and then for 90 seconds. With
 * the grace after these a connection whose gateway is gone ends two and a half minutes after the
 * first packet that was in vain: within the three minutes that were promised, and later than a
 * gateway takes to start anew. One that is to persist is never ended.
 */
#include "config.h"

#include "service-watch.h"

#include <glib/gi18n-lib.h>

/* A single initiation may have been lost; three are ten seconds without an answer. */
#define UNANSWERED_BEFORE_DIAL 3

guint culvert_watch_grace_seconds = 45;

struct _CulvertWatch {
    GObject parent_instance;

    CulvertTunnel *tunnel;         /* borrowed: whoever has it has us */
    const CulvertProfile *profile; /* borrowed */
    char *gateway;
    gboolean persistent;
    GNetworkMonitor *monitor;
    GHashTable *silent; /* a set: public keys in base64 of peers that are */
    guint grace_id;
};

enum {
    SIGNAL_GONE,
    N_SIGNALS,
};

static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE(CulvertWatch, culvert_watch, G_TYPE_OBJECT)

/* ---- Looking for a peer --------------------------------------------------------------------- */

void culvert_watch_dial(CulvertTunnel *tunnel, const CulvertProfilePeer *peer)
{
    g_autoptr(GPtrArray) endpoints = g_ptr_array_new();

    if (peer->endpoints->len == 0)
        return;
    for (guint i = 0; i < peer->endpoints->len; i++)
        g_ptr_array_add(endpoints, g_ptr_array_index(peer->endpoints, i));
    g_ptr_array_add(endpoints, NULL);
    culvert_tunnel_dial(tunnel, &peer->public_key, (const char *const *) endpoints->pdata);
}

/* `key` NULL: all of them. */
static void dial(CulvertWatch *self, const char *key)
{
    for (guint i = 0; i < self->profile->peers->len; i++) {
        const CulvertProfilePeer *peer = g_ptr_array_index(self->profile->peers, i);
        char peer_key[WG_KEY_BASE64_SIZE];

        wg_key_to_base64(&peer->public_key, peer_key);
        if (!key || g_str_equal(key, peer_key))
            culvert_watch_dial(self->tunnel, peer);
    }
}

/* ---- What the tunnel reports ---------------------------------------------------------------- */

static void on_unanswered(CulvertTunnel *tunnel, const char *peer, guint count, gpointer user_data)
{
    CulvertWatch *self = user_data;

    if (count != UNANSWERED_BEFORE_DIAL)
        return;
    g_message("Peer %.8s… leaves initiations unanswered: looking for it anew", peer);
    dial(self, peer);
}

static gboolean on_grace_over(gpointer user_data)
{
    g_autoptr(CulvertWatch) self = g_object_ref(user_data);
    g_autoptr(GError) error = NULL;

    self->grace_id = 0;
    error = g_error_new(G_IO_ERROR, G_IO_ERROR_TIMED_OUT,
                        _("The gateway has not answered for %u seconds. To have the connection "
                          "wait for it instead, set vpn.persistent=yes in the profile"),
                        (guint) (WG_REKEY_ATTEMPT_TIME / WG_SECOND) + culvert_watch_grace_seconds);
    g_signal_emit(self, signals[SIGNAL_GONE], 0, error);
    return G_SOURCE_REMOVE;
}

static void on_silent(CulvertTunnel *tunnel, const char *peer, gpointer user_data)
{
    CulvertWatch *self = user_data;
    gboolean ends = !self->persistent && g_str_equal(peer, self->gateway);

    g_hash_table_add(self->silent, g_strdup(peer));
    if (!ends) {
        g_warning("Peer %.8s… has not answered for 90 seconds; still trying", peer);
    } else {
        g_warning("Peer %.8s… has not answered for 90 seconds; if it does not within another %u "
                  "seconds, the connection ends",
                  peer, culvert_watch_grace_seconds);
        g_clear_handle_id(&self->grace_id, g_source_remove);
        self->grace_id = g_timeout_add_seconds(culvert_watch_grace_seconds, on_grace_over, self);
    }
    dial(self, peer);
}

static void on_handshake(CulvertTunnel *tunnel, const char *peer, GInetSocketAddress *endpoint,
                         gpointer user_data)
{
    CulvertWatch *self = user_data;

    if (g_hash_table_remove(self->silent, peer))
        g_message("Peer %.8s… answers again", peer);
    if (g_str_equal(peer, self->gateway))
        g_clear_handle_id(&self->grace_id, g_source_remove);
}

static void on_network_changed(CulvertTunnel *tunnel, gpointer user_data)
{
    CulvertWatch *self = user_data;

    g_message("The way to the gateway has changed: asking it anew");
    wg_device_clear_local_addresses(culvert_tunnel_get_device(tunnel));
    dial(self, NULL);
}

static void on_resumed(CulvertTunnel *tunnel, gpointer user_data)
{
    dial(user_data, NULL);
}

/* Tells more than routes do where NetworkManager or a portal is behind it, and of less. */
static void on_monitor_changed(GNetworkMonitor *monitor, gboolean available, gpointer user_data)
{
    CulvertWatch *self = user_data;

    culvert_tunnel_check_network(self->tunnel);
}

/* ---- Object --------------------------------------------------------------------------------- */

static void culvert_watch_init(CulvertWatch *self)
{
    self->silent = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

static void culvert_watch_finalize(GObject *object)
{
    CulvertWatch *self = CULVERT_WATCH(object);

    g_clear_handle_id(&self->grace_id, g_source_remove);
    g_signal_handlers_disconnect_by_data(self->tunnel, self);
    g_signal_handlers_disconnect_by_data(self->monitor, self);
    g_hash_table_unref(self->silent);
    g_free(self->gateway);
    G_OBJECT_CLASS(culvert_watch_parent_class)->finalize(object);
}

static void culvert_watch_class_init(CulvertWatchClass *klass)
{
    G_OBJECT_CLASS(klass)->finalize = culvert_watch_finalize;
    signals[SIGNAL_GONE] = g_signal_new("gone", CULVERT_TYPE_WATCH, G_SIGNAL_RUN_LAST, 0, NULL,
                                        NULL, NULL, G_TYPE_NONE, 1, G_TYPE_ERROR);
}

CulvertWatch *culvert_watch_new(CulvertTunnel *tunnel, const CulvertProfile *profile,
                                const char *gateway)
{
    CulvertWatch *self = g_object_new(CULVERT_TYPE_WATCH, NULL);
    WgKey key;

    self->tunnel = tunnel;
    self->profile = profile;
    self->gateway = g_strdup(gateway);
    self->monitor = g_network_monitor_get_default(); /* GIO's own */
    g_signal_connect(self->monitor, "network-changed", G_CALLBACK(on_monitor_changed), self);
    g_signal_connect(tunnel, "unanswered", G_CALLBACK(on_unanswered), self);
    g_signal_connect(tunnel, "silent", G_CALLBACK(on_silent), self);
    g_signal_connect(tunnel, "handshake", G_CALLBACK(on_handshake), self);
    g_signal_connect(tunnel, "network-changed", G_CALLBACK(on_network_changed), self);
    g_signal_connect(tunnel, "resumed", G_CALLBACK(on_resumed), self);
    if (wg_key_from_base64(&key, gateway)) {
        culvert_tunnel_watch_network(tunnel, &key);
        culvert_tunnel_watch_path(tunnel, &key);
    }
    return self;
}

void culvert_watch_set_persistent(CulvertWatch *self, gboolean persistent)
{
    self->persistent = persistent;
}

gboolean culvert_watch_is_ending(const CulvertWatch *self)
{
    return self->grace_id != 0;
}
