/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tunnel-dialer.c: finds an endpoint of a peer that answers. Every address of every endpoint in
 * turn gets an initiation and a while to answer, over and over, until the dialer is stopped.
 *
 * Names are resolved through GSocketConnectable, asynchronously, anew in each round: the answer
 * may change, or the network come up meanwhile. The first address is tried while others are still
 * looked for, and a look-up that takes too long is given up, so that no silent DNS server holds up
 * the endpoints behind it.
 */
#include "config.h"

#include "tunnel-private.h"

#include <glib/gi18n-lib.h>

/* How long an address has to answer when another one may be waiting for its turn, and when none
 * is: then WireGuard's own interval between initiations holds. */
#define TRY_MS      2500
#define TRY_ONLY_MS (WG_REKEY_TIMEOUT / G_TIME_SPAN_MILLISECOND)

/* With a device there may be a default route into it, and NetworkManager moves its exception for
 * the gateway only when it hears of the new address: an initiation sent at once goes into the
 * tunnel itself, and is dropped there. So it is sent once more when that has had its time. */
#define REPEAT_MS 1000

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
    gboolean found_any; /* some address was tried in this round */

    GCancellable *lookup; /* of the endpoint in hand; NULL: it is done */
    GSource *lookup_timer;
    GPtrArray *addresses; /* found so far, GSocketAddress */
    guint address;        /* index of the next one to try */
    GSource *timer;       /* the running try, or pause; NULL: waiting for the look-up */
    gboolean repeating;   /* the try is in its first part, before REPEAT_MS */
    gboolean extended;    /* the try was given more time: there is nothing else to try */
};

/* A look-up under way; it may end after it was given up, and after its dialer is gone. */
typedef struct {
    TunnelDialer *dialer; /* to be looked at only if not cancelled */
    GCancellable *cancellable;
} Lookup;

static void next_address(TunnelDialer *self);
static void next_endpoint(TunnelDialer *self);

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
    WgPeer *peer = wg_device_find_peer(self->tunnel->device, &self->public_key);

    clear_source(&self->timer);
    if (self->repeating && peer) {
        self->repeating = FALSE;
        start_source(self, &self->timer, TRY_MS - REPEAT_MS, timer_fired);
        wg_peer_initiate(peer, TRUE);
    } else if (self->address > 0 && !self->extended && is_only_candidate(self)) {
        self->extended = TRUE;
        start_source(self, &self->timer, TRY_ONLY_MS - TRY_MS, timer_fired);
    } else {
        next_address(self);
    }
    return G_SOURCE_REMOVE;
}

/* ---- Addresses ------------------------------------------------------------------------------ */

static void try_address(TunnelDialer *self, WgPeer *peer, GSocketAddress *address)
{
    WgEndpoint endpoint;

    if (!tunnel_endpoint_from_address(&endpoint, address)) {
        next_address(self);
        return;
    }
    self->found_any = TRUE;
    self->extended = FALSE;
    self->repeating = culvert_tunnel_get_tun(self->tunnel) != NULL;
    start_source(self, &self->timer, self->repeating ? REPEAT_MS : TRY_MS, timer_fired);
    wg_peer_set_endpoint(peer, &endpoint);
    wg_peer_initiate(peer, TRUE);
    /* Last: whoever hears of it may stop us. */
    tunnel_announce_attempt(self->tunnel, &self->public_key, self->endpoints[self->endpoint],
                            address, NULL);
}

static void next_address(TunnelDialer *self)
{
    WgPeer *peer = wg_device_find_peer(self->tunnel->device, &self->public_key);

    if (!peer)
        return; /* removed: nothing is to be done any more */
    if (self->address < self->addresses->len) {
        try_address(self, peer, g_ptr_array_index(self->addresses, self->address++));
    } else if (!self->lookup) {
        self->endpoint++;
        next_endpoint(self);
    }
}

/* ---- Names ---------------------------------------------------------------------------------- */

/* The look-up of the endpoint in hand is over, with or without addresses. */
static void lookup_done(TunnelDialer *self, const GError *error)
{
    const char *name = self->endpoints[self->endpoint];
    gboolean more = self->endpoints[self->endpoint + 1] || self->found_any;

    clear_source(&self->lookup_timer);
    g_clear_object(&self->lookup);
    if (self->addresses->len > 0) {
        if (!self->timer)
            next_address(self);
        return;
    }
    /* The announcement may stop us: the timer first. */
    start_source(self, &self->timer, more ? 0 : RESOLVE_RETRY_MS, timer_fired);
    tunnel_announce_attempt(self->tunnel, &self->public_key, name, NULL, error);
}

static gboolean lookup_timed_out(gpointer data)
{
    TunnelDialer *self = data;
    g_autoptr(GError) error =
        g_error_new(G_IO_ERROR, G_IO_ERROR_TIMED_OUT, _("No DNS server answered within %d seconds"),
                    LOOKUP_SECONDS);

    g_cancellable_cancel(self->lookup);
    lookup_done(self, error);
    return G_SOURCE_REMOVE;
}

static void lookup_free(Lookup *lookup)
{
    g_object_unref(lookup->cancellable);
    g_free(lookup);
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
        g_ptr_array_add(self->addresses, g_steal_pointer(&address));
        if (!self->timer)
            next_address(self);
    } else {
        lookup_free(lookup);
        lookup_done(self, error);
    }
}

static void next_endpoint(TunnelDialer *self)
{
    g_autoptr(GSocketAddressEnumerator) enumerator = NULL;
    g_autoptr(GSocketConnectable) connectable = NULL;
    g_autoptr(GError) error = NULL;
    Lookup *lookup;

    if (!self->endpoints[self->endpoint]) {
        self->endpoint = 0;
        self->found_any = FALSE;
    }
    g_ptr_array_set_size(self->addresses, 0);
    self->address = 0;
    connectable = g_network_address_parse(self->endpoints[self->endpoint], 0, &error);
    if (!connectable) {
        lookup_done(self, error);
        return;
    }
    self->lookup = g_cancellable_new();
    start_source(self, &self->lookup_timer, LOOKUP_SECONDS * 1000, lookup_timed_out);
    lookup = g_new(Lookup, 1);
    *lookup = (Lookup){self, g_object_ref(self->lookup)};
    enumerator = g_socket_connectable_enumerate(connectable);
    g_socket_address_enumerator_next_async(enumerator, self->lookup, address_found, lookup);
}

/* ---- Life ----------------------------------------------------------------------------------- */

TunnelDialer *tunnel_dialer_new(CulvertTunnel *tunnel, const WgKey *public_key,
                                const char *const *endpoints)
{
    TunnelDialer *self = g_new0(TunnelDialer, 1);

    self->tunnel = tunnel;
    self->public_key = *public_key;
    self->endpoints = g_strdupv((GStrv) endpoints);
    self->addresses = g_ptr_array_new_with_free_func(g_object_unref);
    self->endpoint = -1;
    /* From the main loop, so that nothing is announced before the caller has the dialer. */
    if (self->endpoints[0])
        start_source(self, &self->timer, 0, timer_fired);
    return self;
}

void tunnel_dialer_free(TunnelDialer *self)
{
    if (self->lookup)
        g_cancellable_cancel(self->lookup);
    g_clear_object(&self->lookup);
    clear_source(&self->lookup_timer);
    clear_source(&self->timer);
    g_strfreev(self->endpoints);
    g_ptr_array_unref(self->addresses);
    g_free(self);
}
