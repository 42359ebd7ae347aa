/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tunnel-dialer.c: finds an endpoint of a peer that answers. Every address of every endpoint in
 * turn gets an initiation and a while to answer, over and over, until the dialer is stopped.
 *
 * Names are resolved through GSocketConnectable, asynchronously, anew in each round: the answer
 * may change, or the network come up meanwhile.
 */
#include "tunnel-private.h"

/* How long an address has to answer when another one waits for its turn, and when none does: then
 * WireGuard's own interval between initiations holds. */
#define TRY_MS      2500
#define TRY_ONLY_MS (WG_REKEY_TIMEOUT / G_TIME_SPAN_MILLISECOND)

/* The pause before a round in which nothing could be resolved is repeated. */
#define RESOLVE_RETRY_MS 2000

struct _TunnelDialer {
    CulvertTunnel *tunnel; /* borrowed: it stops its dialers */
    WgPeer *peer;          /* borrowed, likewise */
    GStrv endpoints;
    GCancellable *cancellable;
    GSource *timer;

    int endpoint;         /* index of the one in hand; -1: none yet */
    gboolean found_any;   /* some address was tried in this round */
    GPtrArray *addresses; /* of the endpoint in hand, GSocketAddress */
    guint address;        /* index of the next one to try */
};

/* A look-up under way keeps the dialer's memory, and finds itself cancelled. */
static void dialer_clear(gpointer data)
{
    TunnelDialer *self = data;

    g_strfreev(self->endpoints);
    g_object_unref(self->cancellable);
    g_ptr_array_unref(self->addresses);
}

static void dialer_unref(TunnelDialer *self)
{
    g_rc_box_release_full(self, dialer_clear);
}

static void next_address(TunnelDialer *self);
static void next_endpoint(TunnelDialer *self);

static gboolean timer_fired(gpointer data)
{
    TunnelDialer *self = data;

    g_clear_pointer(&self->timer, g_source_unref);
    next_address(self);
    return G_SOURCE_REMOVE;
}

static void wait_ms(TunnelDialer *self, guint ms)
{
    self->timer = g_timeout_source_new(ms);
    g_source_set_callback(self->timer, timer_fired, self, NULL);
    g_source_attach(self->timer, self->tunnel->context);
}

static gboolean is_only_candidate(const TunnelDialer *self)
{
    return self->addresses->len == 1 && g_strv_length(self->endpoints) == 1;
}

static void try_address(TunnelDialer *self, GSocketAddress *address)
{
    WgEndpoint endpoint;

    if (!tunnel_endpoint_from_address(&endpoint, address)) {
        next_address(self);
        return;
    }
    self->found_any = TRUE;
    wait_ms(self, is_only_candidate(self) ? TRY_ONLY_MS : TRY_MS);
    wg_peer_set_endpoint(self->peer, &endpoint);
    wg_peer_initiate(self->peer, TRUE);
    /* Last: whoever hears of it may stop us. */
    tunnel_announce_attempt(self->tunnel, self->peer, self->endpoints[self->endpoint], address,
                            NULL);
}

static void next_address(TunnelDialer *self)
{
    if (self->address < self->addresses->len) {
        try_address(self, g_ptr_array_index(self->addresses, self->address++));
        return;
    }
    self->endpoint++;
    next_endpoint(self);
}

static void resolved(TunnelDialer *self, const GError *error)
{
    const char *name = self->endpoints[self->endpoint];

    if (self->addresses->len > 0) {
        next_address(self);
        return;
    }
    /* The announcement may stop us: the timer first. */
    self->address = 0;
    wait_ms(self, self->endpoints[self->endpoint + 1] || self->found_any ? 0 : RESOLVE_RETRY_MS);
    tunnel_announce_attempt(self->tunnel, self->peer, name, NULL, error);
}

static void address_found(GObject *source, GAsyncResult *result, gpointer data)
{
    GSocketAddressEnumerator *enumerator = G_SOCKET_ADDRESS_ENUMERATOR(source);
    TunnelDialer *self = data;
    g_autoptr(GError) error = NULL;
    GSocketAddress *address;

    address = g_socket_address_enumerator_next_finish(enumerator, result, &error);
    if (g_cancellable_is_cancelled(self->cancellable)) {
        g_clear_object(&address);
        dialer_unref(self);
        return;
    }
    if (address) {
        g_ptr_array_add(self->addresses, address);
        g_socket_address_enumerator_next_async(enumerator, self->cancellable, address_found, self);
        return;
    }
    resolved(self, error);
    dialer_unref(self);
}

static void resolve(TunnelDialer *self)
{
    g_autoptr(GSocketAddressEnumerator) enumerator = NULL;
    g_autoptr(GSocketConnectable) connectable = NULL;
    g_autoptr(GError) error = NULL;

    g_ptr_array_set_size(self->addresses, 0);
    self->address = 0;
    connectable = g_network_address_parse(self->endpoints[self->endpoint], 0, &error);
    if (!connectable) {
        resolved(self, error);
        return;
    }
    enumerator = g_socket_connectable_enumerate(connectable);
    g_socket_address_enumerator_next_async(enumerator, self->cancellable, address_found,
                                           g_rc_box_acquire(self));
}

static void next_endpoint(TunnelDialer *self)
{
    if (!self->endpoints[self->endpoint]) {
        self->endpoint = 0;
        self->found_any = FALSE;
    }
    resolve(self);
}

TunnelDialer *tunnel_dialer_new(CulvertTunnel *tunnel, WgPeer *peer, const char *const *endpoints)
{
    TunnelDialer *self = g_rc_box_new0(TunnelDialer);

    self->tunnel = tunnel;
    self->peer = peer;
    self->endpoints = g_strdupv((GStrv) endpoints);
    self->cancellable = g_cancellable_new();
    self->addresses = g_ptr_array_new_with_free_func(g_object_unref);
    self->endpoint = -1;
    /* From the main loop, so that nothing is announced before the caller has the dialer. */
    if (self->endpoints[0])
        wait_ms(self, 0);
    return self;
}

void tunnel_dialer_stop(TunnelDialer *self)
{
    g_cancellable_cancel(self->cancellable);
    if (self->timer) {
        g_source_destroy(self->timer);
        g_clear_pointer(&self->timer, g_source_unref);
    }
    dialer_unref(self);
}
