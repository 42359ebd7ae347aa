/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-tunnel-dial.c: how the ends of a tunnel find each other, and what time does to it:
 * handshakes, dialling, silence and suspend. Needs root, see tunnel-ends.h.
 */
#include <errno.h>
#include <gio/gio.h>
#include <string.h>

#include "tunnel-ends.h"

/* ---- Dialling ------------------------------------------------------------------------------- */

static void test_handshake(Fixture *f, gconstpointer host)
{
    g_autofree char *expected =
        g_strdup_printf("%s:%u", (const char *) host, culvert_tunnel_get_listen_port(f->b.tunnel));

    dial(&f->a, &f->b, host);
    wait_until(f->a.handshakes == 1 && f->b.handshakes == 1);
    g_assert_cmpuint(f->a.attempts, ==, 1);
    g_assert_cmpstr(f->a.last_endpoint, ==, expected);
    /* The responder learnt the initiator's address: it knew none. */
    g_assert_cmpuint(f->b.moves, ==, 1);
}

/* Its turn never comes; that of another one, which was dialled later, does. */
static void test_removed_peer(Fixture *f, gconstpointer unused)
{
    const char *const endpoints[] = {"127.0.0.1:9", NULL};
    WgDevice *device = culvert_tunnel_get_device(f->a.tunnel);
    End other = {0};

    end_init(&other);
    add_peer(&f->a, &other, &net_a, NULL);
    culvert_tunnel_dial(f->a.tunnel, &f->b.public_key, endpoints);
    culvert_tunnel_dial(f->a.tunnel, &other.public_key, endpoints);
    wg_device_remove_peer(device, wg_device_find_peer(device, &f->b.public_key));
    wait_until(f->a.attempts > 0);
    while (g_main_context_iteration(NULL, FALSE))
        continue;
    g_assert_cmpuint(f->a.attempts, ==, 1);
    end_clear(&other);
}

static void test_next_endpoint(Fixture *f, gconstpointer unused)
{
    g_autofree char *good =
        g_strdup_printf("127.0.0.1:%u", culvert_tunnel_get_listen_port(f->b.tunnel));
    const char *endpoints[] = {"127.0.0.1:9", "nowhere.invalid:51820", good, NULL};

    culvert_tunnel_dial(f->a.tunnel, &f->b.public_key, endpoints);
    wait_until(f->a.handshakes == 1);
    g_assert_cmpuint(f->a.attempts, ==, 3);
    g_assert_cmpuint(f->a.unresolved, ==, 1);
    g_assert_true(g_str_has_prefix(f->a.last_error, "nowhere.invalid:51820: "));
    g_assert_cmpstr(f->a.last_endpoint, ==, good);
}

/* Nobody is at the first address of the name, which is of the other family: the second one is asked
 * a moment later, not when the first has had its time. */
static void test_race(Fixture *f, gconstpointer unused)
{
    gint64 begin = g_get_monotonic_time();

    dial(&f->a, &f->b, "half.example");
    wait_until(f->a.handshakes == 1);
    g_assert_cmpint(g_get_monotonic_time() - begin, <, 2 * G_USEC_PER_SEC);
    /* That family comes first if its names are there within 50 ms (RFC 8305, 3). */
    if (g_str_has_prefix(f->a.first_attempt, "[2001:db8::77]:"))
        g_assert_cmpuint(f->a.attempts, ==, 2);
    g_assert_true(g_str_has_prefix(f->a.last_endpoint, "198.51.100.1:"));
}

/* Both addresses lead to the peer, and the first answer is late: it gets two copies of one
 * initiation, and there is one session, at the address that was first. */
static void test_race_of_one_peer(Fixture *f, gconstpointer unused)
{
    WgDeviceStats stats;

    f->b.tunnel->stopped = TRUE; /* it does not send its answer */
    dial(&f->a, &f->b, "whole.example");
    wait_until(f->a.attempts == 2);
    f->b.tunnel->stopped = FALSE;
    tunnel_wake(f->b.tunnel);
    wait_until(f->a.handshakes == 1 && f->b.handshakes == 1);
    g_assert_cmpstr(f->a.last_endpoint, ==, f->a.first_attempt);
    wg_device_get_stats(culvert_tunnel_get_device(f->b.tunnel), &stats);
    g_assert_cmpuint(stats.dropped_handshake, ==, 1);
}

/* A peer that answered once keeps its endpoint while it is looked for at others. */
static void test_keeps_endpoint(Fixture *f, gconstpointer unused)
{
    const char *const elsewhere[] = {"127.0.0.1:9", "127.0.0.2:9", NULL};
    g_autoptr(GInetSocketAddress) endpoint = NULL;
    g_autofree char *text = NULL;

    dial(&f->a, &f->b, "127.0.0.1");
    wait_until(f->a.handshakes == 1);
    text = g_strdup(f->a.last_endpoint);
    culvert_tunnel_hang_up(f->b.tunnel);
    f->a.attempts = 0;
    culvert_tunnel_dial(f->a.tunnel, &f->b.public_key, elsewhere);
    wait_until(f->a.attempts == 3);
    endpoint = culvert_tunnel_get_endpoint(f->a.tunnel, &f->b.public_key);
    g_free(f->a.last_endpoint);
    f->a.last_endpoint = g_socket_connectable_to_string(G_SOCKET_CONNECTABLE(endpoint));
    g_assert_cmpstr(f->a.last_endpoint, ==, text);
}

/* A name server that says nothing must not hold up the endpoints behind the name. */
static void test_silent_dns(Fixture *f, gconstpointer unused)
{
    g_autofree char *good =
        g_strdup_printf("127.0.0.1:%u", culvert_tunnel_get_listen_port(f->b.tunnel));
    const char *endpoints[] = {"vpn.example.org:51820", good, NULL};
    g_autoptr(GInetAddress) loopback = g_inet_address_new_loopback(G_SOCKET_FAMILY_IPV4);
    g_autoptr(GSocketAddress) address = g_inet_socket_address_new(loopback, 53);
    g_autoptr(GError) error = NULL;
    g_autoptr(GSocket) server =
        g_socket_new(G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_DATAGRAM, G_SOCKET_PROTOCOL_UDP, &error);

    g_assert_no_error(error);
    g_socket_bind(server, address, FALSE, &error);
    g_assert_no_error(error);
    culvert_tunnel_dial(f->a.tunnel, &f->b.public_key, endpoints);
    wait_until(f->a.handshakes == 1);
    g_assert_cmpuint(f->a.unresolved, ==, 1);
    g_assert_cmpstr(f->a.last_error, ==,
                    "vpn.example.org:51820: No DNS server answered within 6 seconds");
}

/* ---- A second resolver ---------------------------------------------------------------------- */

/* It knows one address of all names. */
#define TYPE_KNOWING (knowing_get_type())
G_DECLARE_FINAL_TYPE(Knowing, knowing, TEST, KNOWING, GResolver)

struct _Knowing {
    GResolver parent;
    const char *address; /* NULL: none */
    guint asked;
    char *last_name;
};

G_DEFINE_FINAL_TYPE(Knowing, knowing, G_TYPE_RESOLVER)

static void free_addresses(gpointer addresses)
{
    g_resolver_free_addresses(addresses);
}

static void knowing_lookup(GResolver *resolver, const char *name, GCancellable *cancellable,
                           GAsyncReadyCallback callback, gpointer data)
{
    Knowing *self = TEST_KNOWING(resolver);
    g_autoptr(GTask) task = g_task_new(self, cancellable, callback, data);

    self->asked++;
    g_free(self->last_name);
    self->last_name = g_strdup(name);
    if (self->address)
        g_task_return_pointer(task,
                              g_list_prepend(NULL, g_inet_address_new_from_string(self->address)),
                              free_addresses);
    else
        g_task_return_new_error(task, G_RESOLVER_ERROR, G_RESOLVER_ERROR_NOT_FOUND, "unheard of");
}

static GList *knowing_finish(GResolver *resolver, GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}

static void knowing_init(Knowing *self)
{
}

static void knowing_finalize(GObject *object)
{
    g_free(TEST_KNOWING(object)->last_name);
    G_OBJECT_CLASS(knowing_parent_class)->finalize(object);
}

static void knowing_class_init(KnowingClass *klass)
{
    G_OBJECT_CLASS(klass)->finalize = knowing_finalize;
    G_RESOLVER_CLASS(klass)->lookup_by_name_async = knowing_lookup;
    G_RESOLVER_CLASS(klass)->lookup_by_name_finish = knowing_finish;
}

static Knowing *use_second_resolver(End *end, const char *address)
{
    Knowing *resolver = g_object_new(TYPE_KNOWING, NULL);

    resolver->address = address;
    culvert_tunnel_set_resolver_beside(end->tunnel, G_RESOLVER(resolver));
    return resolver;
}

/* The system's resolver does not know the name. */
static void test_beside(Fixture *f, gconstpointer unused)
{
    g_autoptr(Knowing) resolver = use_second_resolver(&f->a, "127.0.0.1");

    dial(&f->a, &f->b, "nowhere.invalid");
    wait_until(f->a.handshakes == 1);
    g_assert_cmpuint(resolver->asked, ==, 1);
    g_assert_cmpstr(resolver->last_name, ==, "nowhere.invalid");
    g_assert_cmpuint(f->a.unresolved, ==, 0);
    g_assert_cmpuint(f->a.attempts, ==, 1);
}

/* It knows one where nobody answers: the second is asked in the second round. */
static void test_beside_after_silence(Fixture *f, gconstpointer unused)
{
    g_autoptr(Knowing) resolver = use_second_resolver(&f->a, "127.0.0.1");

    dial(&f->a, &f->b, "gone.example");
    wait_until(f->a.attempts == 1);
    g_assert_cmpuint(resolver->asked, ==, 0);
    wait_until(f->a.handshakes == 1);
    g_assert_cmpuint(resolver->asked, ==, 1);
    g_assert_true(g_str_has_prefix(f->a.first_attempt, "[2001:db8::77]:"));
    g_assert_true(g_str_has_prefix(f->a.last_endpoint, "127.0.0.1:"));
}

/* What is said of a name that nobody knows is what the system's resolver says. */
static void test_beside_in_vain(Fixture *f, gconstpointer unused)
{
    g_autoptr(Knowing) resolver = use_second_resolver(&f->a, NULL);

    dial(&f->a, &f->b, "nowhere.invalid");
    wait_until(f->a.unresolved == 2);
    g_assert_cmpuint(resolver->asked, ==, 2);
    g_assert_null(strstr(f->a.last_error, "unheard of"));
}

/* Not for a name that leads to the peer, nor for an address. */
static void test_beside_needless(Fixture *f, gconstpointer unused)
{
    g_autoptr(Knowing) resolver = use_second_resolver(&f->a, "127.0.0.1");
    const char *const nobody[] = {"127.0.0.1:9", "127.0.0.2:9", NULL};

    dial(&f->a, &f->b, "half.example");
    wait_until(f->a.handshakes == 1);
    culvert_tunnel_dial(f->a.tunnel, &f->b.public_key, nobody);
    f->a.attempts = 0;
    wait_until(f->a.attempts == 4);
    g_assert_cmpuint(resolver->asked, ==, 0);
}

static void test_unsent(Fixture *f, gconstpointer unused)
{
    const char *endpoints[] = {"192.0.2.1:51820", NULL};

    culvert_tunnel_dial(f->a.tunnel, &f->b.public_key, endpoints);
    wait_until(f->a.unsent == 1);
    g_assert_cmpstr(f->a.last_error, ==, g_strerror(ENETUNREACH));
}

static void test_wrong_psk(Fixture *f, gconstpointer unused)
{
    WgKey psk = {{1}};
    WgPeer *peer = wg_device_find_peer(culvert_tunnel_get_device(f->a.tunnel), &f->b.public_key);

    wg_peer_set_preshared_key(peer, &psk);
    dial(&f->a, &f->b, "127.0.0.1");
    /* Two tries of which the answers cannot be opened; the second comes after five seconds. */
    wait_until(f->a.attempts == 2);
    g_assert_cmpuint(f->a.handshakes, ==, 0);
    g_assert_cmpuint(f->b.handshakes, ==, 0);
}

static void test_stop_in_handler(Fixture *f, gconstpointer unused)
{
    g_signal_connect_swapped(f->a.tunnel, "handshake", G_CALLBACK(culvert_tunnel_stop),
                             f->a.tunnel);
    dial(&f->a, &f->b, "127.0.0.1");
    wait_until(f->a.handshakes == 1);
    g_assert_null(wg_device_get_private_key(culvert_tunnel_get_device(f->a.tunnel)));
}

static void test_stop_in_attempt(Fixture *f, gconstpointer unused)
{
    g_signal_connect_swapped(f->a.tunnel, "attempt", G_CALLBACK(culvert_tunnel_stop), f->a.tunnel);
    dial(&f->a, &f->b, "127.0.0.1");
    wait_until(f->a.attempts == 1);
}

/* ---- Time ----------------------------------------------------------------------------------- */

static gint64 passed;

static gint64 later(void)
{
    return tunnel_boot_time() + passed;
}

static void let_pass(End *end, gint64 time)
{
    passed += time;
    tunnel_wake(end->tunnel);
    while (g_main_context_iteration(NULL, FALSE))
        ;
}

/* Nobody is at the other end: after 90 seconds of initiations the owner hears of it. */
static void test_silent(Fixture *f, gconstpointer unused)
{
    WgPeer *peer = wg_device_find_peer(culvert_tunnel_get_device(f->a.tunnel), &f->b.public_key);
    WgEndpoint nobody = {.remote.in4 = {AF_INET, g_htons(9), {g_htonl(INADDR_LOOPBACK)}, {0}}};
    gint64 begin = tunnel_boot_time();

    passed = 0;
    tunnel_now = later;
    wg_peer_set_endpoint(peer, &nobody);
    wg_peer_initiate(peer, FALSE);
    while (f->a.silent == 0 && passed < 2 * WG_REKEY_ATTEMPT_TIME)
        let_pass(&f->a, WG_SECOND);
    tunnel_now = tunnel_boot_time;
    g_assert_cmpuint(f->a.silent, ==, 1);
    g_assert_cmpint(tunnel_boot_time() - begin + passed, >=, WG_REKEY_ATTEMPT_TIME);
}

/* A gateway that was away for an hour is back a moment after it is: the peer is asked all the time,
 * and its owner has heard once that it is silent. */
static void test_away_for_an_hour(Fixture *f, gconstpointer unused)
{
    guint16 port = culvert_tunnel_get_listen_port(f->b.tunnel);
    g_autoptr(GError) error = NULL;

    dial(&f->a, &f->b, "127.0.0.1");
    wait_until(f->a.handshakes == 1 && f->b.handshakes == 1);
    culvert_tunnel_hang_up(f->b.tunnel);
    passed = 0;
    tunnel_now = later;
    culvert_tunnel_set_listen_port(f->b.tunnel, port, NULL);
    dial(&f->a, &f->b, "127.0.0.1");
    wait_until(f->a.attempts == 2);
    while (passed < 3600 * WG_SECOND)
        let_pass(&f->a, WG_SECOND);
    g_assert_cmpuint(f->a.silent, ==, 1);
    g_assert_cmpuint(f->a.handshakes, ==, 1);
    culvert_tunnel_listen(f->b.tunnel, port, 0, &error);
    g_assert_no_error(error);
    let_pass(&f->a, 6 * WG_SECOND);
    wait_until(f->a.handshakes == 2 && f->b.handshakes == 2);
    tunnel_now = tunnel_boot_time;
}

static gint64 slept;

static gint64 time_slept(void)
{
    return slept;
}

/* Keys do not outlive a suspend: the next packet needs a new handshake. */
static void test_suspend(Fixture *f, gconstpointer unused)
{
    tunnel_suspended = time_slept;
    slept = 0;
    tunnel_wake(f->a.tunnel);
    dial(&f->a, &f->b, "127.0.0.1");
    wait_until(f->a.handshakes == 1 && f->b.handshakes == 1);
    slept = 3600 * WG_SECOND;
    g_signal_connect_swapped(f->a.tunnel, "resumed", G_CALLBACK(count), &f->a.changes);
    tunnel_wake(f->a.tunnel);
    wait_until(f->a.changes == 1);
    wg_peer_initiate(wg_device_find_peer(culvert_tunnel_get_device(f->a.tunnel), &f->b.public_key),
                     TRUE);
    wait_until(f->a.handshakes == 2);
    tunnel_suspended = tunnel_time_suspended;
}

/* The timer of the tunnel runs during suspend: CLOCK_BOOTTIME is number 7 (time.h). */
static void test_timer_clock(Fixture *f, gconstpointer unused)
{
    g_autoptr(GDir) dir = g_dir_open("/proc/self/fdinfo", 0, NULL);
    guint found = 0;
    const char *name;

    while ((name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename("/proc/self/fdinfo", name, NULL);
        g_autofree char *text = NULL;

        if (!g_file_get_contents(path, &text, NULL, NULL) || !strstr(text, "clockid:"))
            continue;
        g_assert_nonnull(strstr(text, "clockid: 7"));
        found++;
    }
    g_assert_cmpuint(found, ==, 2); /* one for each end */
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    make_own_machine();

#define ADD(name, data, func) g_test_add("/tunnel/" name, Fixture, data, set_up, func, tear_down)
    ADD("handshake/ipv4", "127.0.0.1", test_handshake);
    ADD("handshake/ipv6", "[::1]", test_handshake);
    ADD("dial/next-endpoint", NULL, test_next_endpoint);
    ADD("dial/silent-dns", NULL, test_silent_dns);
    ADD("dial/race", NULL, test_race);
    ADD("dial/race-of-one-peer", NULL, test_race_of_one_peer);
    ADD("dial/keeps-endpoint", NULL, test_keeps_endpoint);
    ADD("dial/beside", NULL, test_beside);
    ADD("dial/beside-after-silence", NULL, test_beside_after_silence);
    ADD("dial/beside-in-vain", NULL, test_beside_in_vain);
    ADD("dial/beside-needless", NULL, test_beside_needless);
    ADD("dial/unsent", NULL, test_unsent);
    ADD("dial/removed-peer", NULL, test_removed_peer);
    ADD("dial/wrong-preshared-key", NULL, test_wrong_psk);
    ADD("stop/in-handshake", NULL, test_stop_in_handler);
    ADD("stop/in-attempt", NULL, test_stop_in_attempt);
    ADD("time/silent", NULL, test_silent);
    ADD("time/away-for-an-hour", NULL, test_away_for_an_hour);
    ADD("time/suspend", NULL, test_suspend);   /* row 14 */
    ADD("time/clock", NULL, test_timer_clock); /* row 14 */
    return g_test_run();
}
