/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tunnel-narrow.c: peers to which large datagrams get lost, over IPv6 and without a word.
 *
 * That a segment is sent again and again (tunnel-blackhole.c) is a sign of it; but so it is to a
 * peer that is away. So the peer is asked for a handshake, whose messages are small: if it answers
 * at once, and the segment is sent again nevertheless, the way is there, and swallows what is
 * large. Then a route has the kernel cut what is sent to the peer's address to what every IPv6 path
 * carries. The route ends by itself unless the peer has a new session at that address, as it has
 * every two minutes while there is traffic.
 *
 * Nothing is kept of peers whose segments arrive, and one entry of each other one.
 */
#include "tunnel-private.h"

#include <string.h>

/* Waiting for the control thread; more will be sent in vain again. */
#define SUSPECTS_MAX 16

/* To look at one costs two handshake messages, and if it answers a look through all routes. */
#define LOOKS_PER_SECOND 10

/* How long a peer has to answer, until the next initiation would leave; and how long it is not
 * suspected anew. */
#define ANSWER_TIME WG_REKEY_TIMEOUT
#define REST        (2 * WG_REKEY_TIMEOUT)

/* How long a path is believed to be narrow without a new session: as long as the kernel believes a
 * router (net.ipv6.route.mtu_expires). */
#define LIMIT_SECONDS 600

typedef struct {
    WgKey peer;
    guint32 flow, sequence; /* of a segment that is sent in vain */
} Suspect;

typedef struct {
    Suspect suspect; /* first: it is found by its peer */
    WgEndpoint endpoint;
    gint64 suspected_at;
    gboolean asked;    /* since then */
    gboolean answered; /* at once */
    gboolean narrow;   /* that is known */
    gboolean limited;  /* and large datagrams are cut */
} Entry;

struct _TunnelNarrow {
    CulvertTunnel *tunnel;
    GHashTable *entries; /* set of Entry */
    gint64 second;
    guint looks; /* in that second */

    pthread_mutex_t lock;
    Suspect suspects[SUSPECTS_MAX];
    guint n_suspects;
};

/* ---- Entries -------------------------------------------------------------------------------- */

/* Public keys are as good as random. */
static guint hash_entry(gconstpointer data)
{
    const Entry *entry = data;
    guint hash;

    memcpy(&hash, entry->suspect.peer.bytes, sizeof hash);
    return hash;
}

static gboolean equal_entries(gconstpointer a, gconstpointer b)
{
    const Entry *first = a, *second = b;

    return memcmp(&first->suspect.peer, &second->suspect.peer, sizeof first->suspect.peer) == 0;
}

static Entry *find(TunnelNarrow *self, const WgKey *peer)
{
    const Entry wanted = {.suspect.peer = *peer};

    return g_hash_table_lookup(self->entries, &wanted);
}

static gboolean same_address(const WgEndpoint *a, const WgEndpoint *b)
{
    return a->remote.any.sa_family == AF_INET6 && b->remote.any.sa_family == AF_INET6 &&
           memcmp(&a->remote.in6.sin6_addr, &b->remote.in6.sin6_addr, 16) == 0;
}

static void free_entry(gpointer data)
{
    Entry *entry = data;

    if (entry->limited)
        tunnel_uplink_unlimit(&entry->endpoint);
    g_free(entry);
}

static gboolean is_of_nobody(gpointer key, gpointer value, gpointer data)
{
    const Entry *entry = key;

    return wg_device_find_peer(data, &entry->suspect.peer) == NULL;
}

/* Entries of peers that were removed since are taken away when there are more than peers. */
static Entry *add(TunnelNarrow *self, const WgKey *peer)
{
    Entry *entry = g_new0(Entry, 1);

    entry->suspect.peer = *peer;
    g_hash_table_add(self->entries, entry);
    if (g_hash_table_size(self->entries) > wg_device_get_peers(self->tunnel->device)->len)
        g_hash_table_foreach_remove(self->entries, is_of_nobody, self->tunnel->device);
    return entry;
}

/* ---- Making it narrow ----------------------------------------------------------------------- */

/* The device may have been moved to another network namespace, where numbers mean other ones. */
static int tun_ifindex_here(const TunnelNarrow *self)
{
    CulvertTun *tun = culvert_tunnel_get_tun(self->tunnel);

    return tun && culvert_tun_is_here(tun) ? culvert_tun_get_ifindex(tun) : -1;
}

/* Rules may have what carries our mark take another route. */
static gboolean limit(TunnelNarrow *self, const Entry *entry)
{
    if (!tunnel_uplink_limit(&entry->endpoint, tun_ifindex_here(self), TUNNEL_IPV6_MTU_LEAST,
                             LIMIT_SECONDS))
        return FALSE;
    if (tunnel_path_find_mtu(self->tunnel, &entry->endpoint) <= TUNNEL_IPV6_MTU_LEAST)
        return TRUE;
    tunnel_uplink_unlimit(&entry->endpoint);
    return FALSE;
}

static void tell(const Entry *entry)
{
    g_autoptr(GInetSocketAddress) address = tunnel_endpoint_to_address(&entry->endpoint);
    g_autofree char *where = g_socket_connectable_to_string(G_SOCKET_CONNECTABLE(address));
    char key[WG_KEY_BASE64_SIZE];

    wg_key_to_base64(&entry->suspect.peer, key);
    if (entry->limited)
        g_message("The path to peer %.8s… at %s swallows large datagrams: sending none over %u "
                  "bytes, until it is at another address",
                  key, where, TUNNEL_IPV6_MTU_LEAST);
    else
        g_message("The path to peer %.8s… at %s swallows large datagrams, and no route can make "
                  "them smaller: large packets will get lost",
                  key, where);
}

/* ---- Suspicion ------------------------------------------------------------------------------ */

static gboolean same_suspect(const Suspect *a, const Suspect *b)
{
    return a->flow == b->flow && a->sequence == b->sequence &&
           memcmp(&a->peer, &b->peer, sizeof a->peer) == 0;
}

void tunnel_narrow_suspect(TunnelNarrow *self, const WgKey *peer,
                           const TunnelBlackholeFlow *segment)
{
    const Suspect suspect = {*peer, segment->flow, segment->sequence};
    gboolean is_new;

    pthread_mutex_lock(&self->lock);
    is_new = self->n_suspects < SUSPECTS_MAX;
    for (guint i = 0; i < self->n_suspects && is_new; i++)
        is_new = !same_suspect(&self->suspects[i], &suspect);
    if (is_new)
        self->suspects[self->n_suspects++] = suspect;
    pthread_mutex_unlock(&self->lock);
    /* For those that wait there, it has been woken. */
    if (is_new)
        tunnel_wake(self->tunnel);
}

static gboolean may_look(TunnelNarrow *self, gint64 now)
{
    if (now / WG_SECOND != self->second) {
        self->second = now / WG_SECOND;
        self->looks = 0;
    }
    return self->looks++ < LOOKS_PER_SECOND;
}

static void ask(TunnelNarrow *self, WgPeer *peer, Entry *entry, const Suspect *suspect, gint64 now)
{
    WgEndpoint endpoint;
    WgPeerStats stats;

    wg_peer_get_endpoint(peer, &endpoint);
    wg_peer_get_stats(peer, &stats);
    if (endpoint.remote.any.sa_family != AF_INET6 || stats.initiations_unanswered > 0 ||
        !may_look(self, now))
        return;
    if (!entry)
        entry = add(self, &suspect->peer);
    *entry = (Entry){.suspect = *suspect, .endpoint = endpoint, .suspected_at = now};
    /* Who has left none unanswered may be asked before the five seconds between two are over: TCP
     * waits twice as long each time. */
    wg_peer_initiate(peer, TRUE);
}

/* TRUE: its path is known to be narrow now. */
static gboolean look(TunnelNarrow *self, const Suspect *suspect, gint64 now)
{
    WgPeer *peer = wg_device_find_peer(self->tunnel->device, &suspect->peer);
    Entry *entry = find(self, &suspect->peer);

    if (!peer || (entry && entry->narrow))
        return FALSE;
    if (entry && entry->answered && same_suspect(&entry->suspect, suspect)) {
        entry->narrow = TRUE;
        entry->limited = limit(self, entry);
        tell(entry);
        return entry->limited;
    }
    if (!entry || now - entry->suspected_at >= REST)
        ask(self, peer, entry, suspect, now);
    return FALSE;
}

gboolean tunnel_narrow_run(TunnelNarrow *self, gint64 now)
{
    Suspect suspects[SUSPECTS_MAX];
    gboolean found = FALSE;
    guint n;

    pthread_mutex_lock(&self->lock);
    n = self->n_suspects;
    memcpy(suspects, self->suspects, n * sizeof *suspects);
    self->n_suspects = 0;
    pthread_mutex_unlock(&self->lock);
    for (guint i = 0; i < n; i++)
        found |= look(self, &suspects[i], now);
    return found;
}

/* ---- What becomes of it --------------------------------------------------------------------- */

/* A second time: the first was not answered, as the peer is away, or was lost. */
void tunnel_narrow_asked(TunnelNarrow *self, const WgKey *peer)
{
    Entry *entry = find(self, peer);

    if (!entry || entry->answered)
        return;
    if (entry->asked)
        g_hash_table_remove(self->entries, entry);
    else
        entry->asked = TRUE;
}

void tunnel_narrow_session(TunnelNarrow *self, const WgKey *peer, const WgEndpoint *endpoint)
{
    Entry *entry = find(self, peer);

    if (!entry)
        return;
    if (!same_address(&entry->endpoint, endpoint) ||
        (!entry->narrow && tunnel_now() - entry->suspected_at > ANSWER_TIME))
        g_hash_table_remove(self->entries, entry);
    else if (entry->narrow)
        entry->limited = limit(self, entry);
    else
        entry->answered = TRUE;
}

gboolean tunnel_narrow_is(TunnelNarrow *self, const WgKey *peer, const WgEndpoint *endpoint)
{
    const Entry *entry = find(self, peer);

    return entry && entry->limited && same_address(&entry->endpoint, endpoint);
}

void tunnel_narrow_moved(TunnelNarrow *self, const WgKey *peer, const WgEndpoint *endpoint)
{
    Entry *entry = find(self, peer);

    if (entry && !same_address(&entry->endpoint, endpoint))
        g_hash_table_remove(self->entries, entry);
}

void tunnel_narrow_forget(TunnelNarrow *self)
{
    g_hash_table_remove_all(self->entries);
}

/* ---- Life ----------------------------------------------------------------------------------- */

TunnelNarrow *tunnel_narrow_new(CulvertTunnel *tunnel)
{
    TunnelNarrow *self = g_new0(TunnelNarrow, 1);

    self->tunnel = tunnel;
    self->entries = g_hash_table_new_full(hash_entry, equal_entries, free_entry, NULL);
    pthread_mutex_init(&self->lock, NULL);
    return self;
}

void tunnel_narrow_free(TunnelNarrow *self)
{
    g_hash_table_unref(self->entries);
    pthread_mutex_destroy(&self->lock);
    g_free(self);
}
