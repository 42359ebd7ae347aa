/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-tunnel.c: the object: set-up, the control thread's part of the running tunnel (feeding
 * and running the protocol core, sending what it asks for, noticing what the owner has to know) and
 * the end.
 */
#include "config.h"

#include "tunnel-private.h"

#include <errno.h>
#include <glib-unix.h>
#include <glib/gi18n-lib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* Under load for at least this long after the queue was long (kernel: receive.c). */
#define OVERLOAD_TIME WG_SECOND

/* Handshake messages per turn of the main loop, so that D-Bus and timers get theirs. */
#define HANDSHAKES_PER_TURN 64

/* Less than this the two clocks may differ by being read one after the other. */
#define SUSPEND_LEAST WG_SECOND

G_DEFINE_TYPE(CulvertTunnel, culvert_tunnel, G_TYPE_OBJECT)

gint64 tunnel_boot_time(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return now.tv_sec * G_USEC_PER_SEC + now.tv_nsec / 1000;
}

gint64 (*tunnel_now)(void) = tunnel_boot_time;

gint64 culvert_tunnel_now(void)
{
    return tunnel_now();
}

/* CLOCK_BOOTTIME runs during suspend and CLOCK_MONOTONIC does not: time_namespaces(7). */
gint64 tunnel_time_suspended(void)
{
    return tunnel_boot_time() - g_get_monotonic_time();
}

gint64 (*tunnel_suspended)(void) = tunnel_time_suspended;

/* ---- Losing the device ---------------------------------------------------------------------- */

/* Once, also if several threads have lost it. */
static void tell_of_lost_device(CulvertTunnel *self)
{
    int errsv = atomic_load(&self->device_error);
    g_autoptr(GError) error = NULL;

    if (errsv == 0 || self->failed || self->stopped)
        return;
    self->failed = TRUE;
    error = g_error_new(G_IO_ERROR, g_io_error_from_errno(errsv),
                        _("The device “%s” was removed while the tunnel was using it (%s)"),
                        culvert_tun_get_name(atomic_load(&self->tun)), g_strerror(errsv));
    tunnel_announce_failed(self, error);
}

void tunnel_device_lost(CulvertTunnel *self, int errsv)
{
    atomic_store(&self->device_error, errsv);
    tunnel_wake(self);
}

/* ---- Running the core ----------------------------------------------------------------------- */

void tunnel_wake(CulvertTunnel *self)
{
    g_source_set_ready_time(self->run_source, 0);
}

static void wake_from_core(gpointer data)
{
    tunnel_wake(data);
}

static TunnelHandshake *pop_handshake(CulvertTunnel *self, guint *waiting)
{
    TunnelHandshake *handshake;

    pthread_mutex_lock(&self->handshakes_lock);
    *waiting = self->handshakes.length;
    handshake = g_queue_pop_head(&self->handshakes);
    pthread_mutex_unlock(&self->handshakes_lock);
    return handshake;
}

static void feed_handshakes(CulvertTunnel *self, gint64 now)
{
    TunnelHandshake *handshake;
    guint waiting;

    for (guint i = 0; i < HANDSHAKES_PER_TURN; i++) {
        handshake = pop_handshake(self, &waiting);
        if (!handshake)
            return;
        if (waiting >= TUNNEL_HANDSHAKES_UNDER_LOAD)
            self->overload_until = now + OVERLOAD_TIME;
        wg_device_receive(self->device, handshake->data, handshake->len, &handshake->source,
                          now < self->overload_until, now);
        g_free(handshake);
    }
    tunnel_wake(self);
}

static void session_established(CulvertTunnel *self, const WgOutput *output)
{
    char peer[WG_KEY_BASE64_SIZE];

    wg_key_to_base64(wg_peer_get_public_key(output->peer), peer);
    g_hash_table_remove(self->dialers, peer);
    g_hash_table_remove(self->silent, peer);
    tunnel_announce_handshake(self, output);
    if (self->stopped)
        return;
    tunnel_narrow_session(self->narrow, wg_peer_get_public_key(output->peer), &output->endpoint);
    if (self->path)
        tunnel_path_probe(self->path);
}

static void tell_silent(CulvertTunnel *self, const char *peer)
{
    if (g_hash_table_add(self->silent, g_strdup(peer)))
        tunnel_announce_silent(self, peer);
}

static void peer_silent(CulvertTunnel *self, const WgOutput *output)
{
    char peer[WG_KEY_BASE64_SIZE];

    wg_key_to_base64(wg_peer_get_public_key(output->peer), peer);
    tell_silent(self, peer);
}

/* A response has left. The peer asks again and again, and does not hear us: while it does that, the
 * core sees no need to ask by itself. */
static void count_unconfirmed(CulvertTunnel *self, const WgKey *public_key)
{
    WgPeer *peer = wg_device_find_peer(self->device, public_key);
    char key[WG_KEY_BASE64_SIZE];
    WgPeerStats stats;

    if (!peer)
        return;
    wg_peer_get_stats(peer, &stats);
    if (stats.responses_unconfirmed < 2)
        return;
    wg_key_to_base64(public_key, key);
    tunnel_announce_unanswered(self, key, stats.responses_unconfirmed);
}

/* An initiation is about to leave. That the peer is silent we also have to find out by ourselves:
 * while a dialer asks anew each time, the core never gives up. */
static void count_unanswered(CulvertTunnel *self, WgPeer *peer)
{
    char key[WG_KEY_BASE64_SIZE];
    WgPeerStats stats;

    wg_peer_get_stats(peer, &stats);
    if (stats.initiations_unanswered < 2)
        return;
    wg_key_to_base64(wg_peer_get_public_key(peer), key);
    tunnel_announce_unanswered(self, key, stats.initiations_unanswered);
    if (!self->stopped && tunnel_now() - stats.unanswered_since_us >= WG_REKEY_ATTEMPT_TIME)
        tell_silent(self, key);
}

/* An errno; 0: it has left. */
static int send_run(CulvertTunnel *self, const TunnelRun *run)
{
    TunnelSent sent = tunnel_send(&self->workers[0].sockets, run);

    if (sent.n > 0)
        return 0;
    tunnel_count(&self->udp_send_dropped, 1);
    return sent.error;
}

int tunnel_send_handshake(CulvertTunnel *self, const WgEndpoint *to, const guint8 *data, gsize len,
                          guint8 tos)
{
    CulvertTun *tun = atomic_load(&self->tun);
    TunnelRun run = {.endpoint = to, .data = data, .len = len, .segment = len, .tos = tos};

    if (tun)
        run.ifindex = tunnel_uplink_find(to, culvert_tun_get_ifindex(tun));
    if (run.ifindex < 0) {
        tunnel_count(&self->udp_send_dropped, 1);
        return ENETUNREACH;
    }
    return send_run(self, &run);
}

static int send_datagram(CulvertTunnel *self, const WgOutput *output)
{
    const TunnelRun run = {
        .endpoint = &output->endpoint,
        .data = output->data,
        .len = output->len,
        .segment = output->len,
        .tos = output->tos,
    };

    return send_run(self, &run);
}

/* FALSE: no dialer asks this peer. */
static gboolean race_initiation(CulvertTunnel *self, const WgOutput *output)
{
    char peer[WG_KEY_BASE64_SIZE];
    TunnelDialer *dialer;

    wg_key_to_base64(wg_peer_get_public_key(output->peer), peer);
    dialer = g_hash_table_lookup(self->dialers, peer);
    if (dialer)
        tunnel_dialer_race(dialer, output);
    return dialer != NULL;
}

static void send_initiation(CulvertTunnel *self, WgPeer *peer, const WgOutput *output)
{
    WgKey public_key = *wg_peer_get_public_key(peer);

    int errsv;

    tunnel_narrow_asked(self->narrow, &public_key);
    count_unanswered(self, peer);
    if (self->stopped || !wg_device_find_peer(self->device, &public_key) ||
        race_initiation(self, output))
        return;
    errsv = send_datagram(self, output);
    if (errsv != 0)
        tunnel_announce_unsent(self, &public_key, &output->endpoint, errsv);
}

static void send_output(CulvertTunnel *self, WgOutput *output)
{
    g_autofree guint8 *data = output->data;

    if (output->peer && data[0] == WG_TYPE_INITIATION) {
        send_initiation(self, output->peer, output);
        return;
    }
    send_datagram(self, output);
    if (output->peer && data[0] == WG_TYPE_RESPONSE)
        count_unconfirmed(self, wg_peer_get_public_key(output->peer));
}

/* Signal handlers may stop the tunnel: look before each output. */
static void drain_output(CulvertTunnel *self)
{
    gboolean forget = FALSE;
    WgOutput output;

    while (!self->stopped && wg_device_pop(self->device, &output)) {
        switch (output.type) {
        case WG_OUTPUT_DATAGRAM:
            send_output(self, &output);
            break;
        case WG_OUTPUT_SESSION:
            session_established(self, &output);
            break;
        case WG_OUTPUT_MOVED:
            tunnel_detours_update(self->detours, self);
            tunnel_narrow_moved(self->narrow, wg_peer_get_public_key(output.peer),
                                &output.endpoint);
            tunnel_announce_moved(self, &output);
            break;
        case WG_OUTPUT_SILENT:
            peer_silent(self, &output);
            break;
        case WG_OUTPUT_KEYS_GONE:
            forget = TRUE;
            break;
        }
    }
    for (guint i = 0; forget && i < self->n_workers; i++)
        tunnel_worker_forget_keys(&self->workers[i]);
}

static void set_timer(CulvertTunnel *self, gint64 deadline)
{
    struct itimerspec when = {0};

    if (deadline != G_MAXINT64) {
        when.it_value.tv_sec = deadline / G_USEC_PER_SEC;
        /* Never zero, which would disarm it. */
        when.it_value.tv_nsec = deadline % G_USEC_PER_SEC * 1000 + 1;
    }
    if (self->timer_fd >= 0)
        timerfd_settime(self->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

/* The owner's, or NetworkManager's, to change at any time; padding has to respect it. */
static void follow_mtu(CulvertTunnel *self)
{
    CulvertTun *tun = atomic_load(&self->tun);
    guint mtu = tun ? culvert_tun_get_mtu(tun) : 0;

    if (mtu > 0)
        wg_device_set_mtu(self->device, mtu + culvert_tunnel_get_overhead(self));
}

/* After a suspend the keys are dropped, as the kernel does: whoever had the sleeping machine may
 * have read its memory (kernel: device.c, wg_pm_notification). */
static void notice_suspend(CulvertTunnel *self)
{
    gint64 suspended = tunnel_suspended();
    GPtrArray *peers = wg_device_get_peers(self->device);

    if (suspended - self->suspended < SUSPEND_LEAST) {
        self->suspended = suspended;
        return;
    }
    self->suspended = suspended;
    g_message("The machine was asleep: all sessions start anew");
    for (guint i = 0; i < peers->len; i++)
        wg_peer_drop_sessions(g_ptr_array_index(peers, i));
    tunnel_announce_resumed(self);
}

static gboolean run(gpointer data)
{
    g_autoptr(CulvertTunnel) self = g_object_ref(data);
    gint64 now = tunnel_now();

    g_source_set_ready_time(self->run_source, -1);
    notice_suspend(self);
    if (self->stopped)
        return G_SOURCE_CONTINUE;
    if (tunnel_narrow_run(self->narrow, now) && self->path)
        tunnel_path_tell(self->path);
    if (self->stopped)
        return G_SOURCE_CONTINUE;
    follow_mtu(self);
    feed_handshakes(self, now);
    set_timer(self, wg_device_run(self->device, now, g_get_real_time()));
    drain_output(self);
    tell_of_lost_device(self);
    return G_SOURCE_CONTINUE;
}

static gboolean timer_expired(int fd, GIOCondition condition, gpointer data)
{
    guint64 count;
    gssize n;

    n = read(fd, &count, sizeof count);
    (void) n;
    return run(data);
}

static gboolean dispatch_run(GSource *source, GSourceFunc callback, gpointer data)
{
    return callback(data);
}

static GSourceFuncs run_funcs = {.dispatch = dispatch_run};

/* ---- Life ----------------------------------------------------------------------------------- */

static void culvert_tunnel_init(CulvertTunnel *self)
{
    self->context = g_main_context_ref_thread_default();
    for (guint i = 0; i < TUNNEL_WORKERS_MAX; i++)
        self->workers[i] = (TunnelWorker){.tunnel = self, .queue = i};
    culvert_tunnel_set_data_path(self, tunnel_defaults.offload, tunnel_defaults.workers);
    self->device = wg_device_new(wake_from_core, self);
    self->suspended = tunnel_suspended();
    self->narrow = tunnel_narrow_new(self);
    self->dialers =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify) tunnel_dialer_free);
    self->silent = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    pthread_mutex_init(&self->handshakes_lock, NULL);
    g_queue_init(&self->handshakes);

    self->run_source = g_source_new(&run_funcs, sizeof(GSource));
    g_source_set_name(self->run_source, "culvert-tunnel-run");
    g_source_set_callback(self->run_source, run, self, NULL);
    g_source_attach(self->run_source, self->context);

    self->timer_fd = -1;
    self->routes = tunnel_routes_new(self);
    self->forwarding = tunnel_forwarding_new(self);
}

void culvert_tunnel_stop(CulvertTunnel *self)
{
    CulvertTun *tun;

    if (self->stopped)
        return;
    self->stopped = TRUE;
    g_hash_table_remove_all(self->dialers);
    g_source_destroy(self->run_source);
    if (self->timer_source)
        g_source_destroy(self->timer_source);
    g_clear_pointer(&self->routes, tunnel_routes_free);
    g_clear_pointer(&self->forwarding, tunnel_forwarding_free);
    g_clear_pointer(&self->uplink, tunnel_uplink_free);
    g_clear_pointer(&self->path, tunnel_path_free);
    culvert_tunnel_hang_up(self);
    tunnel_narrow_forget(self->narrow);
    tun = atomic_exchange(&self->tun, NULL);
    culvert_tun_free(tun);
    wg_device_set_private_key(self->device, NULL);
}

static void culvert_tunnel_finalize(GObject *object)
{
    CulvertTunnel *self = CULVERT_TUNNEL(object);

    culvert_tunnel_stop(self);
    wg_device_free(self->device);
    g_hash_table_unref(self->dialers);
    g_clear_object(&self->beside);
    g_clear_pointer(&self->detours, tunnel_detours_free);
    tunnel_ethernet_free(self->ethernet);
    g_hash_table_unref(self->silent);
    tunnel_narrow_free(self->narrow);
    g_queue_clear_full(&self->handshakes, g_free);
    pthread_mutex_destroy(&self->handshakes_lock);
    g_source_unref(self->run_source);
    g_clear_pointer(&self->timer_source, g_source_unref);
    if (self->timer_fd >= 0)
        close(self->timer_fd);
    g_main_context_unref(self->context);
    G_OBJECT_CLASS(culvert_tunnel_parent_class)->finalize(object);
}

static void culvert_tunnel_class_init(CulvertTunnelClass *klass)
{
    G_OBJECT_CLASS(klass)->finalize = culvert_tunnel_finalize;
    tunnel_signals_install(G_TYPE_FROM_CLASS(klass));
}

CulvertTunnel *culvert_tunnel_new(void)
{
    return g_object_new(CULVERT_TYPE_TUNNEL, NULL);
}

/* ---- Set-up --------------------------------------------------------------------------------- */

void culvert_tunnel_set_private_key(CulvertTunnel *self, const WgKey *key)
{
    wg_device_set_private_key(self->device, key);
}

WgDevice *culvert_tunnel_get_device(CulvertTunnel *self)
{
    return self->device;
}

gboolean culvert_tunnel_add_peer(CulvertTunnel *self, const WgKey *public_key,
                                 const WgKey *preshared_key, const WgPrefix *allowed_ips,
                                 guint n_allowed_ips, guint16 keepalive, GError **error)
{
    WgPeer *peer = wg_device_add_peer(self->device, public_key);

    if (!peer) {
        g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                            _("The peer's public key is this side's own. Enter the public key of "
                              "the gateway, not the one that belongs to your private key."));
        return FALSE;
    }
    wg_peer_set_preshared_key(peer, preshared_key);
    for (guint i = 0; i < n_allowed_ips; i++)
        wg_peer_add_allowed_ip(peer, &allowed_ips[i]);
    wg_peer_set_keepalive(peer, keepalive);
    culvert_tunnel_peers_changed(self);
    return TRUE;
}

void culvert_tunnel_peers_changed(CulvertTunnel *self)
{
    tunnel_ethernet_update(self);
}

/* Half of the cores; the others are for the programs that want the traffic. */
static guint default_workers(void)
{
    return CLAMP(g_get_num_processors() / 2, 1, TUNNEL_WORKERS_MAX);
}

void culvert_tunnel_set_data_path(CulvertTunnel *self, gboolean offload, guint workers)
{
    g_return_if_fail(!culvert_tunnel_is_listening(self) && !atomic_load(&self->tun));

    self->offload = offload;
    self->n_workers = workers == 0 ? default_workers() : MIN(workers, TUNNEL_WORKERS_MAX);
}

gboolean culvert_tunnel_is_listening(const CulvertTunnel *self)
{
    return self->workers[0].sockets.port != 0;
}

static gboolean start_threads(CulvertTunnel *self, GError **error)
{
    for (guint i = 0; i < self->n_workers; i++) {
        if (!tunnel_worker_start(&self->workers[i], error)) {
            culvert_tunnel_hang_up(self);
            return FALSE;
        }
    }
    return TRUE;
}

static void stop_threads(CulvertTunnel *self)
{
    wg_device_release(self->device);
    for (guint i = 0; i < self->n_workers; i++)
        tunnel_worker_stop(&self->workers[i]);
}

static gboolean open_sockets(CulvertTunnel *self, guint16 port, TunnelSockets *sockets,
                             GError **error)
{
    return tunnel_sockets_open(sockets, self->n_workers, port, self->fwmark, self->offload, error);
}

/* Takes over the `sockets`; no thread runs. */
static void set_sockets(CulvertTunnel *self, TunnelSockets *sockets)
{
    for (guint i = 0; i < self->n_workers; i++) {
        tunnel_sockets_close(&self->workers[i].sockets);
        self->workers[i].sockets = sockets[i];
        self->workers[i].sockets.detours = self->detours;
    }
}

static gboolean sends_together(const TunnelSocket *socket)
{
    return socket->socket && atomic_load(&socket->together_from) == 0;
}

/* Once there are both device and sockets. */
static void log_data_path(CulvertTunnel *self)
{
    CulvertTun *tun = atomic_load(&self->tun);
    const TunnelSockets *sockets = &self->workers[0].sockets;
    CulvertTunOffload offload;

    if (!tun || !culvert_tunnel_is_listening(self))
        return;
    offload = culvert_tun_get_offload(tun);
    g_info("Data path: %u queue(s); joined by the device: TCP %s, UDP %s; by the sockets: %s",
           culvert_tun_get_n_queues(tun), offload.tcp ? "yes" : "no", offload.udp ? "yes" : "no",
           sends_together(&sockets->v4) || sends_together(&sockets->v6) ? "yes" : "no");
}

/* Nothing is due before the tunnel listens; and here it can be told that there is no descriptor. */
static gboolean need_timer(CulvertTunnel *self, GError **error)
{
    int errsv;

    if (self->timer_fd >= 0)
        return TRUE;
    self->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (self->timer_fd < 0) {
        errsv = errno;
        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errsv), _("Cannot create a timer: %s"),
                    g_strerror(errsv));
        return FALSE;
    }
    self->timer_source = g_unix_fd_source_new(self->timer_fd, G_IO_IN);
    g_source_set_callback(self->timer_source, G_SOURCE_FUNC(timer_expired), self, NULL);
    g_source_attach(self->timer_source, self->context);
    return TRUE;
}

gboolean culvert_tunnel_listen(CulvertTunnel *self, guint16 port, guint32 fwmark, GError **error)
{
    TunnelSockets sockets[TUNNEL_WORKERS_MAX] = {0};

    g_return_val_if_fail(!culvert_tunnel_is_listening(self) && !self->stopped, FALSE);

    self->port = port;
    self->fwmark = fwmark;
    if (!need_timer(self, error) || !open_sockets(self, port, sockets, error))
        return FALSE;
    set_sockets(self, sockets);
    wg_device_set_up(self->device, TRUE);
    log_data_path(self);
    return start_threads(self, error);
}

void culvert_tunnel_hang_up(CulvertTunnel *self)
{
    stop_threads(self);
    for (guint i = 0; i < self->n_workers; i++)
        tunnel_sockets_close(&self->workers[i].sockets);
    wg_device_set_up(self->device, FALSE);
}

guint16 culvert_tunnel_get_listen_port(CulvertTunnel *self)
{
    return culvert_tunnel_is_listening(self) ? self->workers[0].sockets.port : self->port;
}

guint32 culvert_tunnel_get_fwmark(CulvertTunnel *self)
{
    return self->fwmark;
}

gboolean culvert_tunnel_set_listen_port(CulvertTunnel *self, guint16 port, GError **error)
{
    TunnelSockets sockets[TUNNEL_WORKERS_MAX] = {0};

    if (culvert_tunnel_is_listening(self) && (port == 0 || port != self->workers[0].sockets.port)) {
        if (!open_sockets(self, port, sockets, error))
            return FALSE;
        stop_threads(self);
        set_sockets(self, sockets);
        wg_device_clear_local_addresses(self->device);
        if (!start_threads(self, error))
            return FALSE;
    }
    self->port = port;
    return TRUE;
}

static gboolean set_fwmark(CulvertTunnel *self, guint32 fwmark, GError **error)
{
    for (guint i = 0; i < self->n_workers; i++) {
        if (!tunnel_sockets_set_fwmark(&self->workers[i].sockets, fwmark, error))
            return FALSE;
    }
    return TRUE;
}

gboolean culvert_tunnel_set_fwmark(CulvertTunnel *self, guint32 fwmark, GError **error)
{
    if (!set_fwmark(self, fwmark, error)) {
        set_fwmark(self, self->fwmark, NULL);
        return FALSE;
    }
    self->fwmark = fwmark;
    wg_device_clear_local_addresses(self->device);
    return TRUE;
}

void culvert_tunnel_dial(CulvertTunnel *self, const WgKey *public_key, const char *const *endpoints)
{
    char peer[WG_KEY_BASE64_SIZE];

    g_return_if_fail(wg_device_find_peer(self->device, public_key) && !self->stopped);
    wg_key_to_base64(public_key, peer);
    g_hash_table_replace(self->dialers, g_strdup(peer),
                         tunnel_dialer_new(self, public_key, endpoints));
}

void culvert_tunnel_set_resolver_beside(CulvertTunnel *self, GResolver *resolver)
{
    g_set_object(&self->beside, resolver);
}

guint culvert_tunnel_get_uplink(CulvertTunnel *self)
{
    return self->uplink ? tunnel_uplink_get_ifindex(self->uplink) : 0;
}

void culvert_tunnel_avoid_loops(CulvertTunnel *self)
{
    g_return_if_fail(!culvert_tunnel_is_listening(self) && !self->detours);

    self->detours = tunnel_detours_new();
}

void culvert_tunnel_watch_network(CulvertTunnel *self, const WgKey *public_key)
{
    g_return_if_fail(!self->stopped);

    g_clear_pointer(&self->uplink, tunnel_uplink_free);
    self->uplink = tunnel_uplink_new(self, public_key);
}

guint culvert_tunnel_get_path_mtu(CulvertTunnel *self, GInetSocketAddress *endpoint)
{
    WgEndpoint to;

    if (!tunnel_endpoint_from_address(&to, G_SOCKET_ADDRESS(endpoint)))
        return 0;
    return tunnel_path_find_mtu(self, &to);
}

void culvert_tunnel_watch_path(CulvertTunnel *self, const WgKey *public_key)
{
    g_return_if_fail(!self->stopped);

    g_clear_pointer(&self->path, tunnel_path_free);
    self->path = tunnel_path_new(self, public_key);
    /* What is asked of it now is answered from the main loop. */
    culvert_tunnel_check_network(self);
}

void culvert_tunnel_check_network(CulvertTunnel *self)
{
    if (self->uplink)
        tunnel_uplink_check(self->uplink);
}

CulvertTun *culvert_tunnel_open_device(CulvertTunnel *self, const CulvertTunOptions *options,
                                       GError **error)
{
    CulvertTunOptions own = *options;

    own.n_queues = self->n_workers;
    own.offload = self->offload;
    own.tap = self->ethernet != NULL;
    return culvert_tun_open(&own, error);
}

void culvert_tunnel_attach(CulvertTunnel *self, CulvertTun *tun)
{
    g_return_if_fail(!atomic_load(&self->tun) && !self->stopped);
    g_return_if_fail(culvert_tun_get_n_queues(tun) <= self->n_workers);

    atomic_store_explicit(&self->tun, tun, memory_order_release);
    follow_mtu(self);
    tunnel_forwarding_check_device(self->forwarding);
    tunnel_detours_update(self->detours, self);
    log_data_path(self);
    for (guint i = 0; i < self->n_workers; i++)
        tunnel_worker_poke(&self->workers[i]);
}

CulvertTun *culvert_tunnel_get_tun(CulvertTunnel *self)
{
    return atomic_load(&self->tun);
}

GInetSocketAddress *culvert_tunnel_get_endpoint(CulvertTunnel *self, const WgKey *public_key)
{
    WgPeer *peer = wg_device_find_peer(self->device, public_key);
    WgEndpoint endpoint;

    if (!peer)
        return NULL;
    wg_peer_get_endpoint(peer, &endpoint);
    return tunnel_endpoint_to_address(&endpoint);
}

void culvert_tunnel_get_stats(CulvertTunnel *self, CulvertTunnelStats *stats)
{
    *stats = (CulvertTunnelStats){
        .tun_read_packets = atomic_load(&self->tun_read_packets),
        .tun_write_packets = atomic_load(&self->tun_write_packets),
        .tun_write_dropped = atomic_load(&self->tun_write_dropped),
        .udp_send_dropped = atomic_load(&self->udp_send_dropped),
        .looped = atomic_load(&self->looped),
    };
    if (!self->ethernet)
        return;
    culvert_switch_get_stats(self->ethernet->ports, &stats->switched);
    stats->frames_not_sent = atomic_load(&self->ethernet->not_sent);
    stats->not_vxlan = atomic_load(&self->ethernet->not_vxlan) + stats->switched.gone;
}
