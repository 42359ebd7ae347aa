/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tunnel-dialer.c: finds an endpoint of a peer that answers. Every endpoint in turn gets an
 * initiation and a while to answer, over and over, until the dialer is stopped.
 *
 * An endpoint that is a name may have many addresses, of both families. They race, as RFC 8305 has
 * it for connections: GLib puts the addresses in that order, the first one is asked at once, the
 * others a quarter of a second apart until somebody answers. All of them get the same initiation,
 * byte by byte: if several lead to one gateway, it answers the first to arrive and takes the others
 * for replays, which they are; so there is one session, and its endpoint is where the answer came
 * from. What is lost is that gateway's answer if only the way back from the first address is
 * broken; hence each round begins with another address.
 *
 * Names are resolved through GSocketConnectable, asynchronously, anew in each round: the answer
 * may change, or the network come up meanwhile. The first address is tried while others are still
 * looked for, and a look-up that takes too long is given up, so that no silent DNS server holds up
 * the endpoints behind it.
 *
 * Once the tunnel is up, the system's name servers may be behind it, or cut off, or remember where
 * the peer was: so a second resolver, which asks beside the tunnel, has its turn if the first finds
 * no address, and in each round after the first one, in which no address has answered.
 */
#include "config.h"

#include "tunnel-private.h"

#include <glib/gi18n-lib.h>
#include <string.h>

/* RFC 8305, 8: Connection Attempt Delay. */
#define RACE_MS 250

/* How long an endpoint has to answer when another one may be waiting for its turn, and when none
 * is: then WireGuard's own interval between initiations holds. */
#define TRY_MS      2500
#define TRY_ONLY_MS (WG_REKEY_TIMEOUT / G_TIME_SPAN_MILLISECOND)

/* What the last of many addresses has at least. */
#define TRY_LAST_MS 1000

/* Who has left this many tries unanswered is away for longer: the name is looked up less often.
 * Initiations go on as the core's timers have it. */
#define TRIES_BEFORE_REST 20
#define REST_MS           10000

/* How long a name may take. A resolver asks a second server after five seconds (resolv.conf(5),
 * timeout): so the first one has its chance, and half of the time that a connection has is left. */
#define LOOKUP_SECONDS 6

/* The pause before a round in which nothing could be resolved is repeated. */
#define RESOLVE_RETRY_MS 2000

struct _TunnelDialer {
    CulvertTunnel *tunnel; /* borrowed: it stops its dialers */
    WgKey public_key;      /* of a peer that may be removed meanwhile */
    GStrv endpoints;
    int endpoint;       /* index of the one in hand; -1: none yet */
    guint round;        /* of all endpoints */
    guint tries;        /* of endpoints, in all rounds */
    gboolean found_any; /* some address was tried in this round */
    gboolean proven;    /* the peer has an endpoint that answered once: it stays meanwhile */

    char *host; /* of the endpoint in hand; NULL: it has an address */
    guint16 port;
    GCancellable *lookup; /* of the endpoint in hand; NULL: it is done */
    GSource *lookup_timer;
    GError *lookup_error; /* of the system's resolver, while the other one is asked */
    gboolean asks_beside; /* the look-up is that */
    gboolean resolved;    /* the look-up found an address */
    GPtrArray *addresses; /* found so far, GSocketAddress */
    GSource *timer;       /* the running try, or pause; NULL: waiting for the look-up */
    gint64 try_until;     /* monotonic */
    gboolean extended;    /* the try was given more time: there is nothing else to try */

    GSource *race_timer; /* until the next address gets its copy; NULL: there is none, yet */
    guint raced;         /* addresses that had the initiation */
    guint8 initiation[WG_INITIATION_SIZE]; /* the one in the race */
    gsize initiation_len;                  /* 0: none yet */
    guint8 tos;
};

/* A look-up under way; it may end after it was given up, and after its dialer is gone. */
typedef struct {
    TunnelDialer *dialer; /* to be looked at only if not cancelled */
    GCancellable *cancellable;
} Lookup;

static void next_endpoint(TunnelDialer *self);
static void next_try(TunnelDialer *self);

/* ---- Time ----------------------------------------------------------------------------------- */

static void clear_source(GSource **source)
{
    if (*source)
        g_source_destroy(*source);
    g_clear_pointer(source, g_source_unref);
}

static void start_source(TunnelDialer *self, GSource **source, guint ms, GSourceFunc func)
{
    clear_source(source);
    *source = g_timeout_source_new(ms);
    g_source_set_callback(*source, func, self, NULL);
    g_source_attach(*source, self->tunnel->context);
}

static gboolean is_only_candidate(const TunnelDialer *self)
{
    return !self->lookup && self->addresses->len == 1 && g_strv_length(self->endpoints) == 1;
}

static gboolean timer_fired(gpointer data)
{
    TunnelDialer *self = data;
    gint64 left = (self->try_until - g_get_monotonic_time()) / G_TIME_SPAN_MILLISECOND;

    clear_source(&self->timer);
    if (left > 0) {
        start_source(self, &self->timer, (guint) left, timer_fired);
    } else if (self->raced > 0 && !self->extended && is_only_candidate(self)) {
        self->extended = TRUE;
        start_source(self, &self->timer, TRY_ONLY_MS - TRY_MS, timer_fired);
    } else {
        next_try(self);
    }
    return G_SOURCE_REMOVE;
}

/* ---- The race ------------------------------------------------------------------------------- */

static gboolean race_timer_fired(gpointer data);

/* Another address is the first in each round. Those that are found later stand behind it. */
static void choose_first(TunnelDialer *self)
{
    guint first = self->round % self->addresses->len;

    g_ptr_array_insert(self->addresses, 0, g_ptr_array_steal_index(self->addresses, first));
}

/* Nothing may touch `self` afterwards: whoever hears of it may stop us. */
static void ask_next_address(TunnelDialer *self)
{
    CulvertTunnel *tunnel = self->tunnel;
    g_autoptr(GSocketAddress) address =
        g_object_ref(g_ptr_array_index(self->addresses, self->raced));
    g_autofree char *name = g_strdup(self->endpoints[MAX(self->endpoint, 0)]);
    WgPeer *peer = wg_device_find_peer(tunnel->device, &self->public_key);
    WgKey public_key = self->public_key;
    WgEndpoint endpoint;
    int errsv;

    tunnel_endpoint_from_address(&endpoint, address);
    self->raced++;
    self->found_any = TRUE;
    self->try_until =
        MAX(self->try_until, g_get_monotonic_time() + TRY_LAST_MS * G_TIME_SPAN_MILLISECOND);
    if (self->raced < self->addresses->len)
        start_source(self, &self->race_timer, RACE_MS, race_timer_fired);
    if (peer && !self->proven)
        wg_peer_set_endpoint(peer, &endpoint);
    errsv =
        tunnel_send_handshake(tunnel, &endpoint, self->initiation, self->initiation_len, self->tos);
    g_object_ref(tunnel);
    tunnel_announce_attempt(tunnel, &public_key, name, address, NULL);
    if (errsv != 0 && !tunnel->stopped)
        tunnel_announce_unsent(tunnel, &public_key, &endpoint, errsv);
    g_object_unref(tunnel);
}

static gboolean race_timer_fired(gpointer data)
{
    TunnelDialer *self = data;

    clear_source(&self->race_timer);
    if (self->raced < self->addresses->len)
        ask_next_address(self);
    return G_SOURCE_REMOVE;
}

void tunnel_dialer_race(TunnelDialer *self, const WgOutput *initiation)
{
    clear_source(&self->race_timer);
    memcpy(self->initiation, initiation->data, MIN(initiation->len, sizeof self->initiation));
    self->initiation_len = initiation->len;
    self->tos = initiation->tos;
    self->raced = 0;
    if (self->addresses->len == 0)
        return;
    choose_first(self);
    ask_next_address(self);
}

/* Has the core make an initiation, which comes back in tunnel_dialer_race(). */
static void begin_try(TunnelDialer *self)
{
    WgPeer *peer = wg_device_find_peer(self->tunnel->device, &self->public_key);
    guint ms = TRY_MS + (self->tries >= TRIES_BEFORE_REST ? REST_MS : 0);
    WgEndpoint endpoint;

    if (!peer)
        return; /* removed: nothing is to be done any more */
    self->tries++;
    self->extended = FALSE;
    self->raced = 0;
    self->try_until = g_get_monotonic_time() + ms * G_TIME_SPAN_MILLISECOND;
    start_source(self, &self->timer, ms, timer_fired);
    if (!self->proven &&
        tunnel_endpoint_from_address(&endpoint, g_ptr_array_index(self->addresses, 0)))
        wg_peer_set_endpoint(peer, &endpoint);
    wg_peer_initiate(peer, TRUE);
}

/* The endpoint in hand has had its try, or a pause is over. */
static void next_try(TunnelDialer *self)
{
    clear_source(&self->race_timer);
    if (self->lookup)
        return; /* its first address, or its end, goes on */
    self->endpoint++;
    next_endpoint(self);
}

static gboolean same_address(gconstpointer a, gconstpointer b)
{
    WgEndpoint first, second;

    return tunnel_endpoint_from_address(&first, (GSocketAddress *) a) &&
           tunnel_endpoint_from_address(&second, (GSocketAddress *) b) &&
           wg_endpoint_equal(&first, &second);
}

/* Takes `address`. */
static void add_address(TunnelDialer *self, GSocketAddress *address)
{
    WgEndpoint endpoint;

    if (!tunnel_endpoint_from_address(&endpoint, address) ||
        g_ptr_array_find_with_equal_func(self->addresses, address, same_address, NULL)) {
        g_object_unref(address);
        return;
    }
    g_ptr_array_add(self->addresses, address);
    if (!self->timer)
        begin_try(self);
    else if (self->raced > 0 && !self->race_timer)
        start_source(self, &self->race_timer, RACE_MS, race_timer_fired);
}

/* ---- Names ---------------------------------------------------------------------------------- */

static void end_lookup(TunnelDialer *self, const GError *error);

static gboolean lookup_timed_out(gpointer data)
{
    TunnelDialer *self = data;
    g_autoptr(GError) error =
        g_error_new(G_IO_ERROR, G_IO_ERROR_TIMED_OUT, _("No DNS server answered within %d seconds"),
                    LOOKUP_SECONDS);

    g_cancellable_cancel(self->lookup);
    end_lookup(self, error);
    return G_SOURCE_REMOVE;
}

static Lookup *begin_lookup(TunnelDialer *self)
{
    Lookup *lookup = g_new(Lookup, 1);

    g_clear_object(&self->lookup);
    self->lookup = g_cancellable_new();
    start_source(self, &self->lookup_timer, LOOKUP_SECONDS * 1000, lookup_timed_out);
    *lookup = (Lookup){self, g_object_ref(self->lookup)};
    return lookup;
}

static void lookup_free(Lookup *lookup)
{
    g_object_unref(lookup->cancellable);
    g_free(lookup);
}

static void found_beside(GObject *source, GAsyncResult *result, gpointer data)
{
    Lookup *lookup = data;
    TunnelDialer *self = lookup->dialer;
    gboolean is_over = g_cancellable_is_cancelled(lookup->cancellable);
    g_autoptr(GError) error = NULL;
    GList *found = g_resolver_lookup_by_name_finish(G_RESOLVER(source), result, &error);

    lookup_free(lookup);
    for (GList *l = found; l && !is_over; l = l->next) {
        self->resolved = TRUE;
        add_address(self, g_inet_socket_address_new(l->data, self->port));
    }
    g_resolver_free_addresses(found);
    if (!is_over)
        end_lookup(self, error);
}

/* FALSE: there is no need to. */
static gboolean look_up_beside(TunnelDialer *self)
{
    GResolver *resolver = self->tunnel->beside;
    Lookup *lookup;

    if (!resolver || !self->host || (self->resolved && self->round == 0))
        return FALSE;
    self->asks_beside = TRUE;
    lookup = begin_lookup(self);
    g_resolver_lookup_by_name_async(resolver, self->host, self->lookup, found_beside, lookup);
    return TRUE;
}

/* The look-up of the endpoint in hand is over, with or without addresses. */
static void end_lookup(TunnelDialer *self, const GError *error)
{
    const char *name = self->endpoints[self->endpoint];
    gboolean more = self->endpoints[self->endpoint + 1] || self->found_any;
    g_autoptr(GError) first = NULL;

    clear_source(&self->lookup_timer);
    if (!self->asks_beside && look_up_beside(self)) {
        self->lookup_error = error ? g_error_copy(error) : NULL;
        return;
    }
    first = g_steal_pointer(&self->lookup_error);
    g_clear_object(&self->lookup);
    if (!self->timer) {
        self->raced = 0;
        self->try_until = 0;
        /* The announcement may stop us: the timer first. */
        start_source(self, &self->timer, more ? 0 : RESOLVE_RETRY_MS, timer_fired);
    }
    if (!self->resolved)
        tunnel_announce_attempt(self->tunnel, &self->public_key, name, NULL, first ? first : error);
}

static void address_found(GObject *source, GAsyncResult *result, gpointer data)
{
    GSocketAddressEnumerator *enumerator = G_SOCKET_ADDRESS_ENUMERATOR(source);
    Lookup *lookup = data;
    TunnelDialer *self = lookup->dialer;
    g_autoptr(GError) error = NULL;
    g_autoptr(GSocketAddress) address = NULL;

    address = g_socket_address_enumerator_next_finish(enumerator, result, &error);
    if (g_cancellable_is_cancelled(lookup->cancellable)) {
        lookup_free(lookup);
    } else if (address) {
        g_socket_address_enumerator_next_async(enumerator, lookup->cancellable, address_found,
                                               lookup);
        self->resolved = TRUE;
        add_address(self, g_steal_pointer(&address));
    } else {
        lookup_free(lookup);
        end_lookup(self, error);
    }
}

/* An address needs no resolver. */
static void note_host(TunnelDialer *self, GNetworkAddress *address)
{
    const char *host = g_network_address_get_hostname(address);

    g_free(self->host);
    self->host = g_hostname_is_ip_address(host) ? NULL : g_strdup(host);
    self->port = g_network_address_get_port(address);
}

static void look_up(TunnelDialer *self)
{
    g_autoptr(GSocketAddressEnumerator) enumerator = NULL;
    g_autoptr(GSocketConnectable) connectable = NULL;
    g_autoptr(GError) error = NULL;
    Lookup *lookup;

    self->resolved = FALSE;
    self->asks_beside = FALSE;
    g_clear_pointer(&self->host, g_free);
    connectable = g_network_address_parse(self->endpoints[self->endpoint], 0, &error);
    if (!connectable) {
        end_lookup(self, error);
        return;
    }
    note_host(self, G_NETWORK_ADDRESS(connectable));
    enumerator = g_socket_connectable_enumerate(connectable);
    lookup = begin_lookup(self);
    g_socket_address_enumerator_next_async(enumerator, self->lookup, address_found, lookup);
}

static void next_endpoint(TunnelDialer *self)
{
    gboolean first = self->round == 0 && self->endpoint == 0;

    if (!self->endpoints[self->endpoint]) {
        self->endpoint = 0;
        self->round++;
        self->found_any = FALSE;
    }
    if (!first)
        g_ptr_array_set_size(self->addresses, 0);
    look_up(self);
}

/* ---- Life ----------------------------------------------------------------------------------- */

/* From the main loop, so that nothing is announced before the caller has the dialer. Where the peer
 * was when it last answered, it most likely still is. */
static gboolean begin(gpointer data)
{
    TunnelDialer *self = data;
    WgPeer *peer = wg_device_find_peer(self->tunnel->device, &self->public_key);
    WgPeerStats stats;
    WgEndpoint endpoint;

    clear_source(&self->timer);
    if (!peer)
        return G_SOURCE_REMOVE;
    wg_peer_get_stats(peer, &stats);
    wg_peer_get_endpoint(peer, &endpoint);
    self->proven = stats.handshakes > 0 && endpoint.remote.any.sa_family != AF_UNSPEC;
    if (self->proven)
        add_address(self, G_SOCKET_ADDRESS(tunnel_endpoint_to_address(&endpoint)));
    self->endpoint = 0;
    next_endpoint(self);
    return G_SOURCE_REMOVE;
}

TunnelDialer *tunnel_dialer_new(CulvertTunnel *tunnel, const WgKey *public_key,
                                const char *const *endpoints)
{
    TunnelDialer *self = g_new0(TunnelDialer, 1);

    self->tunnel = tunnel;
    self->public_key = *public_key;
    self->endpoints = g_strdupv((GStrv) endpoints);
    self->addresses = g_ptr_array_new_with_free_func(g_object_unref);
    self->endpoint = -1;
    if (self->endpoints[0])
        start_source(self, &self->timer, 0, begin);
    return self;
}

void tunnel_dialer_free(TunnelDialer *self)
{
    if (self->lookup)
        g_cancellable_cancel(self->lookup);
    g_clear_object(&self->lookup);
    clear_source(&self->lookup_timer);
    clear_source(&self->race_timer);
    clear_source(&self->timer);
    g_clear_error(&self->lookup_error);
    g_strfreev(self->endpoints);
    g_ptr_array_unref(self->addresses);
    g_free(self->host);
    g_free(self);
}
