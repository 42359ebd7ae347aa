/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wg-peer.c: a peer's settings, life, staged packets and statistics.
 */
#include "wg-private.h"

#include <string.h>

WgPeer *wg_peer_new(WgDevice *device, const WgKey *public_key)
{
    WgPeer *peer = g_new0(WgPeer, 1);

    atomic_init(&peer->refs, 1);
    peer->device = device;
    peer->public_key = *public_key;
    peer->secrets = wg_secret_new0(WgPeerSecrets);
    peer->initiation_received = G_MININT64;
    peer->handshake_sent = G_MININT64;
    g_queue_init(&peer->staged);
    wg_cookie_maker_init(&peer->cookie, public_key);
    wg_timers_init(&peer->timers);
    peer->item = (WgAgendaItem) WG_AGENDA_ITEM_INIT;
    return peer;
}

WgPeer *wg_peer_ref(WgPeer *peer)
{
    atomic_fetch_add_explicit(&peer->refs, 1, memory_order_relaxed);
    return peer;
}

void wg_peer_unref(WgPeer *peer)
{
    if (atomic_fetch_sub_explicit(&peer->refs, 1, memory_order_acq_rel) != 1)
        return;
    /* A data thread can be last: by then all that needs the device has been taken away. */
    g_queue_clear_full(&peer->staged, g_free);
    wg_secret_free(peer->secrets, sizeof *peer->secrets);
    wg_cookie_maker_clear(&peer->cookie);
    g_free(peer);
}

const WgKey *wg_peer_get_public_key(const WgPeer *peer)
{
    return &peer->public_key;
}

void wg_peer_update_static_shared(WgPeer *peer)
{
    WgKey *shared = &peer->secrets->static_shared;

    wg_wipe(shared, sizeof *shared);
    if (peer->device->private_key)
        wg_dh(shared->bytes, peer->device->private_key, &peer->public_key);
}

void wg_peer_set_preshared_key(WgPeer *peer, const WgKey *key)
{
    if (key)
        peer->secrets->preshared = *key;
    else
        wg_wipe(&peer->secrets->preshared, sizeof peer->secrets->preshared);
}

const WgKey *wg_peer_get_preshared_key(const WgPeer *peer)
{
    return &peer->secrets->preshared;
}

/* ---- Endpoint ------------------------------------------------------------------------------- */

gboolean wg_endpoint_equal(const WgEndpoint *a, const WgEndpoint *b)
{
    if (a->remote.any.sa_family != b->remote.any.sa_family)
        return FALSE;
    switch (a->remote.any.sa_family) {
    case AF_INET:
        return a->remote.in4.sin_addr.s_addr == b->remote.in4.sin_addr.s_addr &&
               a->remote.in4.sin_port == b->remote.in4.sin_port;
    case AF_INET6:
        return memcmp(&a->remote.in6.sin6_addr, &b->remote.in6.sin6_addr,
                      sizeof a->remote.in6.sin6_addr) == 0 &&
               a->remote.in6.sin6_port == b->remote.in6.sin6_port &&
               a->remote.in6.sin6_scope_id == b->remote.in6.sin6_scope_id;
    default:
        return TRUE;
    }
}

void wg_peer_set_endpoint(WgPeer *peer, const WgEndpoint *endpoint)
{
    gboolean wake = FALSE, first;

    pthread_mutex_lock(&peer->device->lock);
    first = !wg_peer_has_endpoint_locked(peer);
    peer->endpoint = *endpoint;
    /* What asked for a handshake before there was an address gets it now. */
    if (peer->device->up && wg_peer_has_endpoint_locked(peer)) {
        if (first && peer->timers.keepalive_interval > 0)
            wake = wg_peer_need_locked(peer, WG_WORK_KEEPALIVE);
        else if (peer->staged.length > 0)
            wake = wg_peer_need_locked(peer, WG_WORK_FLUSH);
    }
    pthread_mutex_unlock(&peer->device->lock);
    if (wake)
        wg_device_wake(peer->device);
}

void wg_peer_get_endpoint(WgPeer *peer, WgEndpoint *endpoint)
{
    pthread_mutex_lock(&peer->device->lock);
    *endpoint = peer->endpoint;
    pthread_mutex_unlock(&peer->device->lock);
}

gboolean wg_peer_set_endpoint_locked(WgPeer *peer, const WgEndpoint *endpoint)
{
    gboolean moved = !wg_endpoint_equal(&peer->endpoint, endpoint);

    peer->endpoint = *endpoint;
    return moved && wg_peer_need_locked(peer, WG_WORK_MOVED);
}

void wg_peer_forget_local_address(WgPeer *peer, const WgEndpoint *seen)
{
    WgEndpoint *endpoint = &peer->endpoint;

    pthread_mutex_lock(&peer->device->lock);
    if (wg_endpoint_equal(endpoint, seen) && endpoint->local_ifindex == seen->local_ifindex &&
        memcmp(&endpoint->local, &seen->local, sizeof seen->local) == 0) {
        memset(&endpoint->local, 0, sizeof endpoint->local);
        endpoint->local_ifindex = 0;
    }
    pthread_mutex_unlock(&peer->device->lock);
}

gboolean wg_peer_has_endpoint_locked(const WgPeer *peer)
{
    return peer->endpoint.remote.any.sa_family != AF_UNSPEC;
}

/* ---- Allowed IPs ---------------------------------------------------------------------------- */

void wg_peer_add_allowed_ip(WgPeer *peer, const WgPrefix *prefix)
{
    pthread_mutex_lock(&peer->device->lock);
    wg_allowed_ips_insert(peer->device->allowed_ips, prefix, peer);
    pthread_mutex_unlock(&peer->device->lock);
}

void wg_peer_remove_allowed_ip(WgPeer *peer, const WgPrefix *prefix)
{
    pthread_mutex_lock(&peer->device->lock);
    wg_allowed_ips_remove(peer->device->allowed_ips, prefix, peer);
    pthread_mutex_unlock(&peer->device->lock);
}

void wg_peer_clear_allowed_ips(WgPeer *peer)
{
    pthread_mutex_lock(&peer->device->lock);
    wg_allowed_ips_remove_owner(peer->device->allowed_ips, peer);
    pthread_mutex_unlock(&peer->device->lock);
}

GArray *wg_peer_get_allowed_ips(WgPeer *peer)
{
    GArray *prefixes;

    pthread_mutex_lock(&peer->device->lock);
    prefixes = wg_allowed_ips_of(peer->device->allowed_ips, peer);
    pthread_mutex_unlock(&peer->device->lock);
    return prefixes;
}

/* ---- Keepalive and handshakes on request ---------------------------------------------------- */

void wg_peer_set_keepalive(WgPeer *peer, guint16 seconds)
{
    WgDevice *device = peer->device;
    gboolean wake = FALSE;

    pthread_mutex_lock(&device->lock);
    if (wg_timers_set_keepalive(&peer->timers, seconds, device->last_now))
        wake = wg_peer_need_locked(peer, WG_WORK_KEEPALIVE);
    else if (peer->timers.up)
        wake = wg_peer_reschedule_locked(peer);
    pthread_mutex_unlock(&device->lock);
    if (wake)
        wg_device_wake(device);
}

guint16 wg_peer_get_keepalive(const WgPeer *peer)
{
    return peer->timers.keepalive_interval;
}

void wg_peer_initiate(WgPeer *peer, gboolean now_please)
{
    gboolean wake;

    pthread_mutex_lock(&peer->device->lock);
    wake = wg_peer_need_locked(peer, now_please ? WG_WORK_INITIATE_NOW : WG_WORK_INITIATE);
    pthread_mutex_unlock(&peer->device->lock);
    if (wake)
        wg_device_wake(peer->device);
}

gboolean wg_peer_need_locked(WgPeer *peer, WgWork work)
{
    gboolean first = !peer->device->has_work;

    if (peer->removed)
        return FALSE;
    peer->work |= work;
    peer->device->has_work = TRUE;
    wg_agenda_set(&peer->device->agenda, &peer->item, WG_AT_ONCE);
    return first;
}

gboolean wg_peer_reschedule_locked(WgPeer *peer)
{
    gint64 next = wg_timers_next(&peer->timers);

    if (peer->removed)
        return FALSE;
    /* Deadlines move later with every packet: the agenda learns of that when the old one comes. */
    if (next < peer->item.due)
        wg_agenda_set(&peer->device->agenda, &peer->item, next);
    if (next >= peer->device->next_run)
        return FALSE;
    peer->device->next_run = next;
    return TRUE;
}

/* ---- Sessions and staged packets ------------------------------------------------------------ */

void wg_peer_clear_handshake(WgPeer *peer)
{
    WgHandshake *handshake = g_steal_pointer(&peer->handshake);

    if (!handshake)
        return;
    pthread_mutex_lock(&peer->device->lock);
    wg_index_remove_locked(peer->device, handshake->index);
    pthread_mutex_unlock(&peer->device->lock);
    wg_noise_clear(&handshake->noise);
    wg_secret_free(handshake, sizeof *handshake);
}

void wg_peer_wipe_keys(WgPeer *peer)
{
    wg_peer_clear_handshake(peer);
    pthread_mutex_lock(&peer->device->lock);
    wg_keypairs_clear_locked(peer);
    pthread_mutex_unlock(&peer->device->lock);
    wg_device_keys_gone(peer->device, peer);
}

void wg_peer_drop_sessions(WgPeer *peer)
{
    wg_peer_wipe_keys(peer);
    peer->handshake_sent = G_MININT64;
    pthread_mutex_lock(&peer->device->lock);
    wg_timers_handshake_dropped(&peer->timers);
    wg_peer_purge_staged_locked(peer);
    pthread_mutex_unlock(&peer->device->lock);
    wg_device_wake(peer->device);
}

void wg_peer_stage_locked(WgPeer *peer, const guint8 *packet, gsize len, gint64 now)
{
    WgStaged *staged = g_malloc(sizeof *staged + len);

    staged->staged_at = now;
    staged->len = len;
    if (len > 0)
        memcpy(staged->data, packet, len);
    while (peer->staged.length >= WG_MAX_STAGED_PACKETS) {
        g_free(g_queue_pop_head(&peer->staged));
        peer->stats.dropped_staged++;
    }
    g_queue_push_tail(&peer->staged, staged);
}

void wg_peer_forget_late_locked(WgPeer *peer, gint64 now)
{
    const WgStaged *oldest;

    while ((oldest = g_queue_peek_head(&peer->staged)) &&
           now - oldest->staged_at > WG_REKEY_ATTEMPT_TIME) {
        g_free(g_queue_pop_head(&peer->staged));
        peer->stats.dropped_staged++;
    }
}

void wg_peer_purge_staged_locked(WgPeer *peer)
{
    peer->stats.dropped_staged += peer->staged.length;
    g_queue_clear_full(&peer->staged, g_free);
}

void wg_peer_get_stats(WgPeer *peer, WgPeerStats *stats)
{
    pthread_mutex_lock(&peer->device->lock);
    *stats = peer->stats;
    pthread_mutex_unlock(&peer->device->lock);
}
