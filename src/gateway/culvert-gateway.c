/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-gateway.c: joins tunnel, device, link and configuration socket, and logs what happens.
 */
#include "config.h"

#include "culvert-gateway.h"

#include <glib/gi18n-lib.h>
#include <sys/socket.h>

#include "tun/culvert-link.h"
#include "tunnel/culvert-tunnel.h"
#include "uapi/culvert-uapi.h"

/* What a WireGuard interface has until somebody sets another: Ethernet's 1500 bytes less IPv6,
 * UDP and the message's own 32 (kernel: device.c, wg_setup). */
#define DEFAULT_MTU 1420

struct _CulvertGateway {
    GObject parent_instance;
    char *name;
    CulvertTunnel *tunnel;
    CulvertUapi *uapi;
    CulvertLink *link;
    gboolean up;
};

G_DEFINE_TYPE(CulvertGateway, culvert_gateway, G_TYPE_OBJECT)

static guint ended_signal;

/* ---- What happens --------------------------------------------------------------------------- */

/* Enough of a key to tell peers apart. */
#define PEER_FORMAT "%.8s…"

static void on_handshake(CulvertTunnel *tunnel, const char *peer, GInetSocketAddress *endpoint,
                         gpointer data)
{
    g_autofree char *address =
        endpoint ? g_socket_connectable_to_string(G_SOCKET_CONNECTABLE(endpoint)) : NULL;

    g_info("Peer " PEER_FORMAT ": session with %s", peer, address);
}

static void on_silent(CulvertTunnel *tunnel, const char *peer, gpointer data)
{
    g_info("Peer " PEER_FORMAT ": does not answer", peer);
}

static void on_endpoint_changed(CulvertTunnel *tunnel, const char *peer,
                                GInetSocketAddress *endpoint, gpointer data)
{
    g_autofree char *address = g_socket_connectable_to_string(G_SOCKET_CONNECTABLE(endpoint));

    g_info("Peer " PEER_FORMAT ": moved to %s", peer, address);
}

static void tell_of_removal(CulvertGateway *self)
{
    g_message("Interface “%s” was removed: ending", self->name);
    g_signal_emit(self, ended_signal, 0);
}

/* A packet thread may see the end of the device before its link's watch does. */
static void on_failed(CulvertTunnel *tunnel, const GError *error, gpointer data)
{
    g_info("%s", error->message);
    tell_of_removal(data);
}

static void on_socket_removed(CulvertUapi *uapi, gpointer data)
{
    g_message("The configuration socket was removed: ending");
    g_signal_emit(data, ended_signal, 0);
}

/* What the switch has dropped so far. */
static void log_drops(CulvertGateway *self)
{
    CulvertTunnelStats stats;

    if (culvert_tunnel_get_overhead(self->tunnel) == 0)
        return;
    culvert_tunnel_get_stats(self->tunnel, &stats);
    g_debug("Dropped: %" G_GUINT64_FORMAT " packets that are no frames of this VXLAN, "
            "%" G_GUINT64_FORMAT " frames that are malformed, %" G_GUINT64_FORMAT
            " for neighbours only, %" G_GUINT64_FORMAT " from stations that are elsewhere, "
            "%" G_GUINT64_FORMAT " beyond the limit for copies, "
            "%" G_GUINT64_FORMAT " that cannot be sent",
            stats.not_vxlan, stats.switched.malformed, stats.switched.reserved,
            stats.switched.moved, stats.switched.flooded, stats.frames_not_sent);
}

static void go_up(CulvertGateway *self)
{
    g_autoptr(GError) error = NULL;
    guint16 port = culvert_tunnel_get_listen_port(self->tunnel);

    if (!culvert_tunnel_listen(self->tunnel, port, culvert_tunnel_get_fwmark(self->tunnel),
                               &error)) {
        /* As the kernel would refuse to set the interface up; here it is already. */
        g_warning("Interface “%s” is up but carries nothing until its port is changed: %s",
                  self->name, error->message);
        culvert_tunnel_hang_up(self->tunnel);
        return;
    }
    g_message("Interface “%s” is up, listening on UDP port %u", self->name,
              culvert_tunnel_get_listen_port(self->tunnel));
}

/* Another port may be free where the last one was not. */
static void on_configured(CulvertUapi *uapi, gpointer data)
{
    CulvertGateway *self = data;

    if (self->up && !culvert_tunnel_is_listening(self->tunnel))
        go_up(self);
}

static void on_link(const CulvertLinkState *state, gpointer data)
{
    CulvertGateway *self = data;

    if (!state->exists) {
        tell_of_removal(self);
        return;
    }
    culvert_tunnel_set_own_macs(self->tunnel, state->mac, state->bridge_mac);
    wg_device_set_mtu(culvert_tunnel_get_device(self->tunnel),
                      state->mtu + culvert_tunnel_get_overhead(self->tunnel));
    if (state->up == self->up)
        return;
    self->up = state->up;
    if (state->up) {
        go_up(self);
    } else {
        culvert_tunnel_hang_up(self->tunnel);
        g_message("Interface “%s” is down", self->name);
        log_drops(self);
    }
}

/* ---- Life ----------------------------------------------------------------------------------- */

static gboolean create_device(CulvertGateway *self, const CulvertTunOptions *options,
                              GError **error)
{
    g_autoptr(CulvertTun) tun = culvert_tunnel_open_device(self->tunnel, options, error);
    guint overhead = culvert_tunnel_get_overhead(self->tunnel);

    if (!tun || !culvert_tun_set_mtu(tun, DEFAULT_MTU - overhead, error))
        return FALSE;
    self->link = culvert_link_watch(tun, TRUE, on_link, self, error);
    if (!self->link)
        return FALSE;
    culvert_tunnel_attach(self->tunnel, g_steal_pointer(&tun));
    return TRUE;
}

CulvertGateway *culvert_gateway_new(const CulvertTunOptions *device,
                                    const GatewayEthernet *ethernet, GError **error)
{
    g_autoptr(CulvertGateway) self = g_object_new(CULVERT_TYPE_GATEWAY, NULL);

    self->name = g_strdup(device->name);
    if (ethernet->vtep.family != AF_UNSPEC)
        culvert_tunnel_set_ethernet(self->tunnel, ethernet->vxlan_id, &ethernet->vtep);
    /* First the socket, which tells a second instance better than the device does. */
    self->uapi = culvert_uapi_new(self->tunnel, self->name, FALSE, error);
    if (!self->uapi || !create_device(self, device, error))
        return NULL;
    culvert_tunnel_log_ethernet(self->tunnel);
    g_signal_connect(self->uapi, "removed", G_CALLBACK(on_socket_removed), self);
    g_signal_connect(self->uapi, "configured", G_CALLBACK(on_configured), self);
    g_signal_connect(self->tunnel, "handshake", G_CALLBACK(on_handshake), self);
    g_signal_connect(self->tunnel, "silent", G_CALLBACK(on_silent), self);
    g_signal_connect(self->tunnel, "endpoint-changed", G_CALLBACK(on_endpoint_changed), self);
    g_signal_connect(self->tunnel, "failed", G_CALLBACK(on_failed), self);
    return g_steal_pointer(&self);
}

static void culvert_gateway_init(CulvertGateway *self)
{
    self->tunnel = culvert_tunnel_new();
}

static void culvert_gateway_finalize(GObject *object)
{
    CulvertGateway *self = CULVERT_GATEWAY(object);

    if (self->uapi) {
        g_signal_handlers_disconnect_by_data(self->uapi, self);
        culvert_uapi_close(self->uapi);
    }
    g_clear_object(&self->uapi);
    g_clear_pointer(&self->link, culvert_link_free);
    g_signal_handlers_disconnect_by_data(self->tunnel, self);
    log_drops(self);
    culvert_tunnel_stop(self->tunnel);
    g_clear_object(&self->tunnel);
    g_free(self->name);
    G_OBJECT_CLASS(culvert_gateway_parent_class)->finalize(object);
}

static void culvert_gateway_class_init(CulvertGatewayClass *klass)
{
    G_OBJECT_CLASS(klass)->finalize = culvert_gateway_finalize;
    ended_signal = g_signal_new("ended", G_TYPE_FROM_CLASS(klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                NULL, G_TYPE_NONE, 0);
}
