/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tunnel-detours.c: ways around the tunnel, for the tunnel's own datagrams.
 *
 * NetworkManager keeps one address out of a VPN that is the default route, and a tunnel may have
 * many peers. What we send to the others would come back to us. A detour is an interface to send
 * through: the kernel then takes the best of the routes that lead there. Detours are rare, looked
 * for when routes or endpoints change, and looked up at each run of datagrams.
 */
#include "config.h"

#include "tunnel-private.h"

#include <pthread.h>

typedef struct {
    WgEndpoint endpoint;
    int ifindex;
} Detour;

struct _TunnelDetours {
    atomic_uint n; /* as list->len: without any, nobody has to wait for the lock */
    pthread_mutex_t lock;
    GArray *list; /* of Detour */
};

TunnelDetours *tunnel_detours_new(void)
{
    TunnelDetours *self = g_new0(TunnelDetours, 1);

    pthread_mutex_init(&self->lock, NULL);
    self->list = g_array_new(FALSE, FALSE, sizeof(Detour));
    return self;
}

void tunnel_detours_free(TunnelDetours *self)
{
    g_array_unref(self->list);
    pthread_mutex_destroy(&self->lock);
    g_free(self);
}

static GArray *look(CulvertTunnel *tunnel, int tun_ifindex)
{
    GPtrArray *peers = wg_device_get_peers(culvert_tunnel_get_device(tunnel));
    GArray *list = g_array_new(FALSE, FALSE, sizeof(Detour));

    for (guint i = 0; i < peers->len; i++) {
        Detour detour;

        wg_peer_get_endpoint(g_ptr_array_index(peers, i), &detour.endpoint);
        if (detour.endpoint.remote.any.sa_family == AF_UNSPEC)
            continue;
        detour.ifindex = tunnel_uplink_find(&detour.endpoint, tun_ifindex);
        if (detour.ifindex > 0)
            g_array_append_val(list, detour);
    }
    return list;
}

void tunnel_detours_update(TunnelDetours *self, CulvertTunnel *tunnel)
{
    CulvertTun *tun = culvert_tunnel_get_tun(tunnel);
    GArray *list = self && tun ? look(tunnel, culvert_tun_get_ifindex(tun)) : NULL;
    GArray *old;

    if (!list)
        return;
    pthread_mutex_lock(&self->lock);
    old = self->list;
    self->list = list;
    atomic_store(&self->n, list->len);
    pthread_mutex_unlock(&self->lock);
    g_array_unref(old);
}

int tunnel_detours_find(TunnelDetours *self, const WgEndpoint *endpoint)
{
    int ifindex = 0;

    if (atomic_load_explicit(&self->n, memory_order_relaxed) == 0)
        return 0;
    pthread_mutex_lock(&self->lock);
    for (guint i = 0; i < self->list->len && ifindex == 0; i++) {
        const Detour *detour = &g_array_index(self->list, Detour, i);

        if (wg_endpoint_equal(&detour->endpoint, endpoint))
            ifindex = detour->ifindex;
    }
    pthread_mutex_unlock(&self->lock);
    return ifindex;
}
