/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tunnel-signals.c: the signals of CulvertTunnel, which culvert-tunnel.h describes, and emitting
 * them: how peers, addresses and errors are put for the owner.
 */
#include "config.h"

#include "tunnel-private.h"

enum {
    SIGNAL_HANDSHAKE,
    SIGNAL_UNANSWERED,
    SIGNAL_SILENT,
    SIGNAL_NETWORK_CHANGED,
    SIGNAL_PATH_MTU,
    SIGNAL_RESUMED,
    SIGNAL_ENDPOINT_CHANGED,
    SIGNAL_ATTEMPT,
    SIGNAL_UNSENT,
    SIGNAL_FAILED,
    N_SIGNALS
};

static guint signals[N_SIGNALS];

void tunnel_signals_install(GType type)
{
    signals[SIGNAL_HANDSHAKE] =
        g_signal_new("handshake", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 2,
                     G_TYPE_STRING, G_TYPE_INET_SOCKET_ADDRESS);
    signals[SIGNAL_UNANSWERED] = g_signal_new("unanswered", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                              NULL, G_TYPE_NONE, 2, G_TYPE_STRING, G_TYPE_UINT);
    signals[SIGNAL_NETWORK_CHANGED] = g_signal_new("network-changed", type, G_SIGNAL_RUN_LAST, 0,
                                                   NULL, NULL, NULL, G_TYPE_NONE, 0);
    signals[SIGNAL_PATH_MTU] = g_signal_new("path-mtu", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                            NULL, G_TYPE_NONE, 1, G_TYPE_UINT);
    signals[SIGNAL_RESUMED] =
        g_signal_new("resumed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
    signals[SIGNAL_SILENT] = g_signal_new("silent", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                          G_TYPE_NONE, 1, G_TYPE_STRING);
    signals[SIGNAL_ENDPOINT_CHANGED] =
        g_signal_new("endpoint-changed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE,
                     2, G_TYPE_STRING, G_TYPE_INET_SOCKET_ADDRESS);
    signals[SIGNAL_ATTEMPT] =
        g_signal_new("attempt", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 4,
                     G_TYPE_STRING, G_TYPE_STRING, G_TYPE_INET_SOCKET_ADDRESS, G_TYPE_ERROR);
    signals[SIGNAL_UNSENT] =
        g_signal_new("unsent", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 3,
                     G_TYPE_STRING, G_TYPE_INET_SOCKET_ADDRESS, G_TYPE_ERROR);
    signals[SIGNAL_FAILED] = g_signal_new("failed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                          G_TYPE_NONE, 1, G_TYPE_ERROR);
}

static void emit_with_endpoint(CulvertTunnel *self, guint signal, const WgOutput *output)
{
    g_autoptr(GInetSocketAddress) address = tunnel_endpoint_to_address(&output->endpoint);
    char peer[WG_KEY_BASE64_SIZE];

    wg_key_to_base64(wg_peer_get_public_key(output->peer), peer);
    g_signal_emit(self, signals[signal], 0, peer, address);
}

void tunnel_announce_handshake(CulvertTunnel *self, const WgOutput *output)
{
    emit_with_endpoint(self, SIGNAL_HANDSHAKE, output);
}

void tunnel_announce_moved(CulvertTunnel *self, const WgOutput *output)
{
    emit_with_endpoint(self, SIGNAL_ENDPOINT_CHANGED, output);
}

void tunnel_announce_unanswered(CulvertTunnel *self, const char *peer, guint count)
{
    g_signal_emit(self, signals[SIGNAL_UNANSWERED], 0, peer, count);
}

void tunnel_announce_silent(CulvertTunnel *self, const char *peer)
{
    g_signal_emit(self, signals[SIGNAL_SILENT], 0, peer);
}

void tunnel_announce_attempt(CulvertTunnel *self, const WgKey *public_key, const char *name,
                             GSocketAddress *address, const GError *error)
{
    char key[WG_KEY_BASE64_SIZE];

    tunnel_detours_update(self->detours, self);
    wg_key_to_base64(public_key, key);
    g_signal_emit(self, signals[SIGNAL_ATTEMPT], 0, key, name, address, error);
}

void tunnel_announce_unsent(CulvertTunnel *self, const WgKey *public_key, const WgEndpoint *to,
                            int errsv)
{
    g_autoptr(GInetSocketAddress) address = tunnel_endpoint_to_address(to);
    g_autoptr(GError) error =
        g_error_new_literal(G_IO_ERROR, g_io_error_from_errno(errsv), g_strerror(errsv));
    char peer[WG_KEY_BASE64_SIZE];

    wg_key_to_base64(public_key, peer);
    g_signal_emit(self, signals[SIGNAL_UNSENT], 0, peer, address, error);
}

void tunnel_announce_network_changed(CulvertTunnel *self)
{
    tunnel_narrow_forget(self->narrow);
    g_signal_emit(self, signals[SIGNAL_NETWORK_CHANGED], 0);
}

void tunnel_announce_path_mtu(CulvertTunnel *self, guint mtu)
{
    g_signal_emit(self, signals[SIGNAL_PATH_MTU], 0, mtu);
}

void tunnel_announce_resumed(CulvertTunnel *self)
{
    g_signal_emit(self, signals[SIGNAL_RESUMED], 0);
}

void tunnel_announce_failed(CulvertTunnel *self, const GError *error)
{
    g_signal_emit(self, signals[SIGNAL_FAILED], 0, error);
}
