/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wg-device.c: the interface of the protocol: identity, peers, receiver indices, and what is done
 * when: wg_device_run().
 */
#include "wg-private.h"

#include <stddef.h>
#include <string.h>

/* Before an owner says otherwise: Ethernet's 1500 bytes less the largest overhead, IPv6, UDP and
 * WG_DATA_OVERHEAD, as wg-quick(8) assumes. */
#define DEFAULT_MTU 1420

/* Keys come from everywhere: a gateway's customers must not be able to pick some that meet. */
static guint8 hash_salt[WG_HASH_SIZE];

static void make_hash_salt(void)
{
    wg_random(hash_salt, sizeof hash_salt);
}

guint wg_device_key_hash(gconstpointer key)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    guint8 mac[WG_MAC_SIZE];
    guint hash;

    pthread_once(&once, make_hash_salt);
    wg_mac(mac, hash_salt, sizeof hash_salt, key, WG_KEY_SIZE, NULL, 0);
    memcpy(&hash, mac, sizeof hash);
    return hash;
}

static gboolean key_equal(gconstpointer a, gconstpointer b)
{
    return memcmp(a, b, WG_KEY_SIZE) == 0;
}

WgDevice *wg_device_new(WgWakeFunc wake, gpointer user_data)
{
    WgDevice *device = g_new0(WgDevice, 1);

    device->wake = wake;
    device->wake_data = user_data;
    device->limiter = wg_ratelimiter_new();
    device->peers = g_ptr_array_new();
    device->peers_by_key = g_hash_table_new(wg_device_key_hash, key_equal);
    g_queue_init(&device->output);
    device->aead = wg_aead_new();
    pthread_mutex_init(&device->lock, NULL);
    pthread_cond_init(&device->flushed, NULL);
    device->flushing = g_ptr_array_new_with_free_func((GDestroyNotify) wg_peer_unref);
    device->allowed_ips = wg_allowed_ips_new();
    device->indices = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, g_free);
    device->next_run = G_MAXINT64;
    device->mtus.device = DEFAULT_MTU;
    return device;
}

static void free_output(gpointer data)
{
    WgOutput *output = data;

    if (output->peer)
        wg_peer_unref(output->peer);
    g_free(output->data);
    g_free(output);
}

void wg_device_free(WgDevice *device)
{
    if (!device)
        return;
    while (device->peers->len > 0)
        wg_device_remove_peer(device, g_ptr_array_index(device->peers, device->peers->len - 1));
    wg_secret_key_free(device->private_key);
    wg_cookie_checker_clear(&device->checker);
    wg_ratelimiter_free(device->limiter);
    g_ptr_array_unref(device->peers);
    g_hash_table_unref(device->peers_by_key);
    g_queue_clear_full(&device->output, free_output);
    wg_aead_free(device->aead);
    wg_allowed_ips_free(device->allowed_ips);
    wg_agenda_clear(&device->agenda);
    g_hash_table_unref(device->indices);
    g_ptr_array_unref(device->flushing);
    pthread_cond_destroy(&device->flushed);
    pthread_mutex_destroy(&device->lock);
    g_free(device);
}

void wg_device_wake(WgDevice *device)
{
    if (device->wake)
        device->wake(device->wake_data);
}

/* ---- Identity ------------------------------------------------------------------------------- */

static void forget_identity(WgDevice *device)
{
    wg_secret_key_free(g_steal_pointer(&device->private_key));
    memset(&device->public_key, 0, sizeof device->public_key);
    wg_cookie_checker_clear(&device->checker);
}

void wg_device_set_private_key(WgDevice *device, const WgKey *key)
{
    WgPeer *self;

    if (key && device->private_key && wg_equal(key, device->private_key, sizeof *key))
        return;
    forget_identity(device);
    if (key && !wg_key_is_zero(key)) {
        device->private_key = wg_secret_key_copy(key);
        wg_key_clamp(device->private_key);
        wg_key_public(&device->public_key, device->private_key);
        wg_cookie_checker_init(&device->checker, &device->public_key);
        self = wg_device_find_peer(device, &device->public_key);
        if (self)
            wg_device_remove_peer(device, self);
    }
    for (guint i = 0; i < device->peers->len; i++) {
        WgPeer *peer = g_ptr_array_index(device->peers, i);

        wg_peer_clear_handshake(peer);
        wg_peer_update_static_shared(peer);
        /* As somebody new we may ask at once (kernel: noise.c,
         * wg_noise_expire_current_peer_keypairs). */
        peer->handshake_sent = G_MININT64;
        pthread_mutex_lock(&device->lock);
        wg_timers_handshake_dropped(&peer->timers);
        wg_keypairs_expire_locked(peer);
        if (device->up && device->private_key) {
            /* What waited for our key can leave now; so can a keepalive (kernel: netlink.c). */
            if (peer->timers.keepalive_interval > 0)
                wg_peer_need_locked(peer, WG_WORK_KEEPALIVE);
            else if (peer->staged.length > 0)
                wg_peer_need_locked(peer, WG_WORK_FLUSH);
        }
        pthread_mutex_unlock(&device->lock);
    }
    wg_device_wake(device);
}

const WgKey *wg_device_get_private_key(WgDevice *device)
{
    return device->private_key;
}

const WgKey *wg_device_get_public_key(WgDevice *device)
{
    return &device->public_key;
}

void wg_device_set_mtu(WgDevice *device, guint mtu)
{
    pthread_mutex_lock(&device->lock);
    device->mtus.device = mtu;
    pthread_mutex_unlock(&device->lock);
}

void wg_device_add_route_mtu(WgDevice *device, guint mtu)
{
    guint *routes = device->mtus.routes;
    guint i = 0;

    pthread_mutex_lock(&device->lock);
    while (i < WG_ROUTE_MTUS_MAX && routes[i] != 0 && routes[i] < mtu)
        i++;
    if (mtu > 0 && i < WG_ROUTE_MTUS_MAX && routes[i] != mtu) {
        memmove(&routes[i + 1], &routes[i], (WG_ROUTE_MTUS_MAX - 1 - i) * sizeof routes[0]);
        routes[i] = mtu;
    }
    pthread_mutex_unlock(&device->lock);
}

guint wg_padding_bound(const WgMtus *mtus, gsize len)
{
    /* Which route a packet took we do not see; but one with a smaller MTU it cannot be. */
    for (guint i = 0; i < WG_ROUTE_MTUS_MAX && mtus->routes[i] != 0; i++) {
        if (len <= mtus->routes[i])
            return MIN(mtus->routes[i], MAX(mtus->device, len));
    }
    return mtus->device;
}

/* ---- Peers ---------------------------------------------------------------------------------- */

WgPeer *wg_device_add_peer(WgDevice *device, const WgKey *public_key)
{
    WgPeer *peer = wg_device_find_peer(device, public_key);

    if (peer)
        return peer;
    if (device->private_key && key_equal(public_key, &device->public_key))
        return NULL;
    peer = wg_peer_new(device, public_key);
    wg_peer_update_static_shared(peer);
    g_ptr_array_add(device->peers, peer);
    g_hash_table_insert(device->peers_by_key, &peer->public_key, peer);
    if (device->up)
        wg_timers_start(&peer->timers, device->last_now);
    return peer;
}

WgPeer *wg_device_find_peer(WgDevice *device, const WgKey *public_key)
{
    return g_hash_table_lookup(device->peers_by_key, public_key);
}

void wg_device_remove_peer(WgDevice *device, WgPeer *peer)
{
    wg_peer_clear_handshake(peer);
    g_hash_table_remove(device->peers_by_key, &peer->public_key);
    g_ptr_array_remove(device->peers, peer);
    pthread_mutex_lock(&device->lock);
    peer->removed = TRUE;
    wg_allowed_ips_remove_owner(device->allowed_ips, peer);
    wg_keypairs_clear_locked(peer);
    wg_peer_purge_staged_locked(peer);
    wg_timers_stop(&peer->timers);
    wg_agenda_set(&device->agenda, &peer->item, WG_AGENDA_NEVER);
    pthread_mutex_unlock(&device->lock);
    wg_device_keys_gone(device, NULL);
    wg_peer_unref(peer);
    wg_device_wake(device);
}

GPtrArray *wg_device_get_peers(WgDevice *device)
{
    return device->peers;
}

void wg_device_clear_local_addresses(WgDevice *device)
{
    pthread_mutex_lock(&device->lock);
    for (guint i = 0; i < device->peers->len; i++) {
        WgPeer *peer = g_ptr_array_index(device->peers, i);

        memset(&peer->endpoint.local, 0, sizeof peer->endpoint.local);
        peer->endpoint.local_ifindex = 0;
    }
    pthread_mutex_unlock(&device->lock);
}

void wg_device_set_up(WgDevice *device, gboolean up)
{
    if (device->up == up)
        return;
    device->up = up;
    for (guint i = 0; i < device->peers->len; i++) {
        WgPeer *peer = g_ptr_array_index(device->peers, i);

        pthread_mutex_lock(&device->lock);
        if (up)
            wg_timers_start(&peer->timers, device->last_now);
        else
            wg_timers_stop(&peer->timers);
        wg_peer_reschedule_locked(peer);
        pthread_mutex_unlock(&device->lock);
        if (!up) {
            wg_peer_drop_sessions(peer);
            peer->handshake_sent = G_MININT64; /* up again, we may ask at once */
        }
    }
    wg_device_wake(device);
}

void wg_device_get_stats(WgDevice *device, WgDeviceStats *stats)
{
    pthread_mutex_lock(&device->lock);
    *stats = device->stats;
    pthread_mutex_unlock(&device->lock);
}

/* ---- Receiver indices ----------------------------------------------------------------------- */

guint32 wg_index_new_locked(WgDevice *device, WgPeer *peer)
{
    WgIndexEntry *entry = g_new0(WgIndexEntry, 1);

    do
        wg_random(&entry->index, sizeof entry->index);
    while (wg_index_find_locked(device, entry->index));
    entry->peer = peer;
    g_hash_table_insert(device->indices, GUINT_TO_POINTER(entry->index), entry);
    return entry->index;
}

WgIndexEntry *wg_index_find_locked(WgDevice *device, guint32 index)
{
    return g_hash_table_lookup(device->indices, GUINT_TO_POINTER(index));
}

void wg_index_remove_locked(WgDevice *device, guint32 index)
{
    g_hash_table_remove(device->indices, GUINT_TO_POINTER(index));
}

/* ---- Output --------------------------------------------------------------------------------- */

void wg_device_keys_gone(WgDevice *device, WgPeer *peer)
{
    wg_aead_forget(device->aead);
    wg_device_push(device, WG_OUTPUT_KEYS_GONE, peer, NULL, NULL, 0, 0);
}

void wg_device_push(WgDevice *device, WgOutputType type, WgPeer *peer, const WgEndpoint *endpoint,
                    const guint8 *data, gsize len, guint8 tos)
{
    WgOutput *output = g_new0(WgOutput, 1);

    output->type = type;
    output->peer = peer ? wg_peer_ref(peer) : NULL;
    if (endpoint)
        output->endpoint = *endpoint;
    output->data = len > 0 ? g_memdup2(data, len) : NULL;
    output->len = len;
    output->tos = tos;
    g_queue_push_tail(&device->output, output);
}

gboolean wg_device_pop(WgDevice *device, WgOutput *output)
{
    WgOutput *first;

    while ((first = g_queue_pop_head(&device->output))) {
        gboolean stale = first->peer && first->peer->removed;

        *output = *first;
        if (first->peer)
            wg_peer_unref(first->peer); /* while it is not removed, the device holds it */
        if (stale)
            g_free(first->data);
        g_free(first);
        if (!stale)
            return TRUE;
    }
    wg_device_release(device);
    return FALSE;
}

/* ---- Running -------------------------------------------------------------------------------- */

static void clear_local_address(WgPeer *peer)
{
    pthread_mutex_lock(&peer->device->lock);
    memset(&peer->endpoint.local, 0, sizeof peer->endpoint.local);
    peer->endpoint.local_ifindex = 0;
    pthread_mutex_unlock(&peer->device->lock);
}

static void give_up(WgPeer *peer)
{
    pthread_mutex_lock(&peer->device->lock);
    wg_peer_purge_staged_locked(peer);
    pthread_mutex_unlock(&peer->device->lock);
    wg_device_push(peer->device, WG_OUTPUT_SILENT, peer, NULL, NULL, 0, 0);
}

static void do_due(WgPeer *peer, WgDue due, gint64 now, gint64 real_us)
{
    if (due & WG_DUE_CLEAR_LOCAL)
        clear_local_address(peer);
    if (due & WG_DUE_GIVE_UP)
        give_up(peer);
    if (due & WG_DUE_ZERO_KEYS)
        wg_peer_wipe_keys(peer);
    if (due & WG_DUE_INITIATION)
        wg_handshake_initiate(peer, WG_INITIATE_AGAIN, now, real_us);
    if (due & WG_DUE_KEEPALIVE)
        wg_transport_keepalive(peer, now);
}

static void do_work(WgPeer *peer, guint work, gint64 now, gint64 real_us)
{
    WgEndpoint endpoint;

    wg_peer_get_endpoint(peer, &endpoint);
    if (work & WG_WORK_MOVED)
        wg_device_push(peer->device, WG_OUTPUT_MOVED, peer, &endpoint, NULL, 0, 0);
    if (work & WG_WORK_SESSION)
        wg_device_push(peer->device, WG_OUTPUT_SESSION, peer, &endpoint, NULL, 0, 0);
    if (work & WG_WORK_KEEPALIVE)
        wg_transport_keepalive(peer, now);
    else if (work & WG_WORK_FLUSH)
        wg_transport_flush(peer, now);
    if (work & (WG_WORK_INITIATE | WG_WORK_INITIATE_NOW))
        wg_handshake_initiate(
            peer, work & WG_WORK_INITIATE_NOW ? WG_INITIATE_NOW : WG_INITIATE_WANTED, now, real_us);
}

/* Takes what is due and wanted of one peer; the doing itself may want more of it. */
static void run_peer(WgPeer *peer, gint64 now, gint64 real_us)
{
    WgDevice *device = peer->device;
    WgDue due;
    guint work;

    pthread_mutex_lock(&device->lock);
    due = wg_timers_expire(&peer->timers, now);
    work = peer->work;
    peer->work = 0;
    wg_agenda_set(&device->agenda, &peer->item, wg_timers_next(&peer->timers));
    pthread_mutex_unlock(&device->lock);
    do_due(peer, due, now, real_us);
    do_work(peer, work, now, real_us);
}

static void begin_run(WgDevice *device, gint64 now, gint64 real_us)
{
    pthread_mutex_lock(&device->lock);
    device->last_now = now;
    device->real_offset = real_us - now;
    pthread_mutex_unlock(&device->lock);
}

/* Some peer that has something to do. NULL: none has, and `next` is when one will have; a data
 * thread that wants something from now on wakes the owner. */
static WgPeer *next_peer(WgDevice *device, gint64 now, gint64 *next)
{
    WgAgendaItem *first;
    WgPeer *peer = NULL;

    pthread_mutex_lock(&device->lock);
    first = wg_agenda_first(&device->agenda);
    if (first && first->due <= now) {
        peer = (WgPeer *) ((guint8 *) first - offsetof(WgPeer, item));
    } else {
        device->has_work = FALSE;
        device->next_run = *next = first ? first->due : G_MAXINT64;
    }
    pthread_mutex_unlock(&device->lock);
    return peer;
}

gint64 wg_device_run(WgDevice *device, gint64 now, gint64 real_us)
{
    gint64 next = G_MAXINT64;
    WgPeer *peer;

    begin_run(device, now, real_us);
    while ((peer = next_peer(device, now, &next)))
        run_peer(peer, now, real_us);
    return next;
}
