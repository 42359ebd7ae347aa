/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-tunnel.c: two CulvertTunnels in one process, speaking over loopback: handshake, dialling,
 * and packets from one TUN device to the other. Runs in a network namespace of its own, so that
 * nothing of the machine is touched; needs the right to make one.
 */
#include <errno.h>
#include <glib-unix.h>
#include <unistd.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include "tunnel/tunnel-private.h"
#include "wireguard/wg-cookie.h"

/* Nothing here takes a second; a hang ends with a message instead of meson's time limit. */
#define DEADLINE_MS 20000

typedef struct {
    CulvertTunnel *tunnel;
    WgKey private_key, public_key;
    guint handshakes, attempts, unresolved, unsent, moves, silent, failures, changes;
    char *last_error;
    char *last_endpoint;
    char *first_attempt;
} End;

typedef struct {
    End a, b;
} Fixture;

/* ---- Two ends ------------------------------------------------------------------------------- */

static void on_handshake(CulvertTunnel *tunnel, const char *peer, GInetSocketAddress *endpoint,
                         End *end)
{
    end->handshakes++;
    g_assert_cmpuint(strlen(peer), ==, WG_KEY_BASE64_SIZE - 1);
    g_assert_true(G_IS_INET_SOCKET_ADDRESS(endpoint));
    g_free(end->last_endpoint);
    end->last_endpoint = g_socket_connectable_to_string(G_SOCKET_CONNECTABLE(endpoint));
}

static void on_attempt(CulvertTunnel *tunnel, const char *peer, const char *name,
                       GInetSocketAddress *endpoint, const GError *error, End *end)
{
    end->attempts++;
    g_assert_true((endpoint == NULL) == (error != NULL));
    if (endpoint && !end->first_attempt)
        end->first_attempt = g_socket_connectable_to_string(G_SOCKET_CONNECTABLE(endpoint));
    if (error) {
        end->unresolved++;
        g_free(end->last_error);
        end->last_error = g_strdup_printf("%s: %s", name, error->message);
    }
}

static void on_unsent(CulvertTunnel *tunnel, const char *peer, GInetSocketAddress *endpoint,
                      const GError *error, End *end)
{
    end->unsent++;
    g_assert_true(G_IS_INET_SOCKET_ADDRESS(endpoint));
    g_free(end->last_error);
    end->last_error = g_strdup(error->message);
}

static void on_silent(CulvertTunnel *tunnel, const char *peer, End *end)
{
    end->silent++;
}

static void on_moved(CulvertTunnel *tunnel, const char *peer, GInetSocketAddress *endpoint,
                     End *end)
{
    end->moves++;
}

static void count(guint *counter)
{
    ++*counter;
}

static void on_failed(CulvertTunnel *tunnel, const GError *error, End *end)
{
    end->failures++;
    g_free(end->last_error);
    end->last_error = g_strdup(error->message);
}

static void end_init(End *end)
{
    end->tunnel = culvert_tunnel_new();
    wg_key_generate(&end->private_key);
    wg_key_public(&end->public_key, &end->private_key);
    culvert_tunnel_set_private_key(end->tunnel, &end->private_key);
    g_signal_connect(end->tunnel, "handshake", G_CALLBACK(on_handshake), end);
    g_signal_connect(end->tunnel, "attempt", G_CALLBACK(on_attempt), end);
    g_signal_connect(end->tunnel, "endpoint-changed", G_CALLBACK(on_moved), end);
    g_signal_connect(end->tunnel, "unsent", G_CALLBACK(on_unsent), end);
    g_signal_connect(end->tunnel, "silent", G_CALLBACK(on_silent), end);
    g_signal_connect(end->tunnel, "failed", G_CALLBACK(on_failed), end);
}

static void end_clear(End *end)
{
    g_clear_object(&end->tunnel);
    g_clear_pointer(&end->last_error, g_free);
    g_clear_pointer(&end->last_endpoint, g_free);
    g_clear_pointer(&end->first_attempt, g_free);
}

static void add_peer(End *end, const End *peer, const WgPrefix *allowed, const WgKey *psk)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(
        culvert_tunnel_add_peer(end->tunnel, &peer->public_key, psk, allowed, 1, 0, &error));
    g_assert_no_error(error);
}

static const WgPrefix net_a = {{10, 77, 0, 1}, AF_INET, 32};
static const WgPrefix net_b = {{10, 77, 0, 2}, AF_INET, 32};

static void set_up(Fixture *f, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;

    end_init(&f->a);
    end_init(&f->b);
    add_peer(&f->a, &f->b, &net_b, NULL);
    add_peer(&f->b, &f->a, &net_a, NULL);
    culvert_tunnel_listen(f->a.tunnel, 0, 0, &error);
    g_assert_no_error(error);
    culvert_tunnel_listen(f->b.tunnel, 0, 0, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(culvert_tunnel_get_listen_port(f->a.tunnel), !=, 0);
}

static void tear_down(Fixture *f, gconstpointer unused)
{
    end_clear(&f->a);
    end_clear(&f->b);
}

/* ---- Waiting for events --------------------------------------------------------------------- */

static gboolean too_late(gpointer data)
{
    g_error("What the test waits for did not happen within %d ms", DEADLINE_MS);
    return G_SOURCE_REMOVE;
}

#define wait_until(condition)                                                                      \
    G_STMT_START                                                                                   \
    {                                                                                              \
        guint deadline_ = g_timeout_add(DEADLINE_MS, too_late, NULL);                              \
        while (!(condition))                                                                       \
            g_main_context_iteration(NULL, TRUE);                                                  \
        g_source_remove(deadline_);                                                                \
    }                                                                                              \
    G_STMT_END

static void dial(End *from, const End *to, const char *host)
{
    g_autofree char *endpoint =
        g_strdup_printf("%s:%u", host, culvert_tunnel_get_listen_port(to->tunnel));
    const char *endpoints[] = {endpoint, NULL};

    culvert_tunnel_dial(from->tunnel, &to->public_key, endpoints);
}

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

static void test_own_key(Fixture *f, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(
        culvert_tunnel_add_peer(f->a.tunnel, &f->a.public_key, NULL, &net_b, 1, 0, &error));
    g_assert_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
}

static void test_port_in_use(Fixture *f, gconstpointer unused)
{
    g_autoptr(CulvertTunnel) third = culvert_tunnel_new();
    g_autoptr(GError) error = NULL;
    guint16 port = culvert_tunnel_get_listen_port(f->a.tunnel);
    g_autofree char *named = g_strdup_printf("%u", port);

    g_assert_false(culvert_tunnel_listen(third, port, 0, &error));
    g_assert_error(error, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE);
    g_assert_nonnull(strstr(error->message, named));
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

/* ---- Under load ----------------------------------------------------------------------------- */

/* More initiations than the queue takes calmly, from somebody who knows only the public key. */
static void flood(End *end, int fd)
{
    struct sockaddr_in to = {AF_INET,
                             g_htons(culvert_tunnel_get_listen_port(end->tunnel)),
                             {g_htonl(INADDR_LOOPBACK)},
                             {0}};
    guint8 message[WG_INITIATION_SIZE] = {WG_TYPE_INITIATION};
    WgCookieMaker maker;

    wg_cookie_maker_init(&maker, &end->public_key);
    for (guint i = 0; i < 1000; i++) {
        wg_random(message + 4, sizeof message - 4);
        wg_cookie_add_macs(&maker, message, sizeof message, 0);
        g_assert_cmpint(sendto(fd, message, sizeof message, 0, (struct sockaddr *) &to, sizeof to),
                        ==, sizeof message);
    }
}

static gboolean got_cookie(int fd)
{
    guint8 reply[256];
    gssize n = recv(fd, reply, sizeof reply, MSG_DONTWAIT);

    if (n < 0)
        return FALSE;
    g_assert_cmpint(n, ==, WG_COOKIE_REPLY_SIZE);
    g_assert_cmpuint(reply[0], ==, WG_TYPE_COOKIE_REPLY);
    return TRUE;
}

static void test_under_load(Fixture *f, gconstpointer unused)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    /* The main loop does not turn meanwhile: the messages wait. */
    flood(&f->b, fd);
    wait_until(got_cookie(fd));
    close(fd);
}

/* ---- Packets -------------------------------------------------------------------------------- */

static void run_ip(const char *object, const char *verb, const char *what)
{
    g_autofree char *line = g_strdup_printf("ip %s %s %s", object, verb, what);
    g_autoptr(GError) error = NULL;
    int status;

    g_spawn_command_line_sync(line, NULL, NULL, &status, &error);
    g_assert_no_error(error);
    g_assert_cmpint(status, ==, 0);
}

static void interface_up(const char *name)
{
    struct ifreq request = {0};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    g_strlcpy(request.ifr_name, name, sizeof request.ifr_name);
    g_assert_cmpint(ioctl(fd, SIOCGIFFLAGS, &request), ==, 0);
    request.ifr_flags |= IFF_UP;
    g_assert_cmpint(ioctl(fd, SIOCSIFFLAGS, &request), ==, 0);
    close(fd);
}

/* A socket that sends and receives whole packets on a device, as the kernel's IP would. */
static int packet_socket(CulvertTun *tun)
{
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET,
        .sll_protocol = g_htons(ETH_P_IP),
        .sll_ifindex = culvert_tun_get_ifindex(tun),
    };
    int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, g_htons(ETH_P_IP));

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(bind(fd, (struct sockaddr *) &address, sizeof address), ==, 0);
    return fd;
}

static int attach(End *end)
{
    g_autoptr(GError) error = NULL;
    CulvertTun *tun = culvert_tunnel_open_device(end->tunnel, NULL, &error);

    g_assert_no_error(error);
    interface_up(culvert_tun_get_name(tun));
    culvert_tunnel_attach(end->tunnel, tun);
    return packet_socket(tun);
}

#define PACKET_SIZE 100

static void make_packet(guint8 packet[PACKET_SIZE], const guint8 *from, const guint8 *to,
                        guint8 filler)
{
    memset(packet, filler, PACKET_SIZE);
    packet[0] = 0x45;
    packet[2] = 0;
    packet[3] = PACKET_SIZE;
    memcpy(packet + 12, from, 4);
    memcpy(packet + 16, to, 4);
}

static void send_packet(int fd, CulvertTun *tun, const guint8 packet[PACKET_SIZE])
{
    struct sockaddr_ll to = {
        .sll_family = AF_PACKET,
        .sll_protocol = g_htons(ETH_P_IP),
        .sll_ifindex = culvert_tun_get_ifindex(tun),
    };

    g_assert_cmpint(sendto(fd, packet, PACKET_SIZE, 0, (struct sockaddr *) &to, sizeof to), ==,
                    PACKET_SIZE);
}

static gboolean readable(int fd, GIOCondition condition, gpointer flag)
{
    *(gboolean *) flag = TRUE;
    return G_SOURCE_REMOVE;
}

static void expect_packet(int fd, const guint8 packet[PACKET_SIZE])
{
    guint8 got[2048];
    gboolean there = FALSE;
    GSource *source = g_unix_fd_source_new(fd, G_IO_IN);

    g_source_set_callback(source, G_SOURCE_FUNC(readable), &there, NULL);
    g_source_attach(source, NULL);
    wait_until(there);
    g_source_unref(source);
    g_assert_cmpint(recv(fd, got, sizeof got, MSG_DONTWAIT), ==, PACKET_SIZE);
    g_assert_cmpmem(got, PACKET_SIZE, packet, PACKET_SIZE);
}

static void test_packets(Fixture *f, gconstpointer unused)
{
    int a = attach(&f->a), b = attach(&f->b);
    CulvertTun *tun_a = culvert_tunnel_get_tun(f->a.tunnel);
    CulvertTun *tun_b = culvert_tunnel_get_tun(f->b.tunnel);
    CulvertTunnelStats stats;
    guint8 packet[PACKET_SIZE];

    dial(&f->a, &f->b, "127.0.0.1");
    wait_until(f->a.handshakes == 1 && f->b.handshakes == 1);
    for (guint8 i = 0; i < 10; i++) {
        make_packet(packet, net_a.addr, net_b.addr, i);
        send_packet(a, tun_a, packet);
        expect_packet(b, packet);
        make_packet(packet, net_b.addr, net_a.addr, i);
        send_packet(b, tun_b, packet);
        expect_packet(a, packet);
    }
    /* A packet is there a moment before it is counted; stopping waits for the threads. */
    culvert_tunnel_stop(f->a.tunnel);
    culvert_tunnel_get_stats(f->a.tunnel, &stats);
    /* The kernel looks for IPv6 routers besides. */
    g_assert_cmpuint(stats.tun_read_packets, >=, 10);
    g_assert_cmpuint(stats.tun_write_packets, ==, 10);
    g_assert_cmpuint(stats.tun_write_dropped + stats.udp_send_dropped + stats.looped, ==, 0);
    close(a);
    close(b);
}

typedef struct {
    End *end;
    int fd;
} StopWithPacket;

/* The packet is read, and must wait for those that were staged before it, when the tunnel ends. */
static void stop_with_packet(CulvertTunnel *tunnel, const char *peer, GInetSocketAddress *endpoint,
                             StopWithPacket *stop)
{
    guint8 packet[PACKET_SIZE];
    CulvertTunnelStats stats;
    guint64 before;

    culvert_tunnel_get_stats(tunnel, &stats);
    before = stats.tun_read_packets;
    make_packet(packet, net_a.addr, net_b.addr, 2);
    send_packet(stop->fd, culvert_tunnel_get_tun(tunnel), packet);
    while (stats.tun_read_packets == before) {
        g_thread_yield();
        culvert_tunnel_get_stats(tunnel, &stats);
    }
    culvert_tunnel_stop(tunnel);
}

static void test_stop_while_a_packet_waits(Fixture *f, gconstpointer unused)
{
    StopWithPacket stop = {&f->a, attach(&f->a)};
    guint8 packet[PACKET_SIZE];

    make_packet(packet, net_a.addr, net_b.addr, 1);
    send_packet(stop.fd, culvert_tunnel_get_tun(f->a.tunnel), packet);
    g_signal_connect(f->a.tunnel, "handshake", G_CALLBACK(stop_with_packet), &stop);
    dial(&f->a, &f->b, "127.0.0.1");
    wait_until(f->a.handshakes == 1);
    close(stop.fd);
}

/* A packet before there is a session starts the handshake and arrives after it. */
static void test_packet_first(Fixture *f, gconstpointer unused)
{
    g_autoptr(GSocketAddress) address = g_inet_socket_address_new_from_string(
        "127.0.0.1", culvert_tunnel_get_listen_port(f->b.tunnel));
    WgDevice *device = culvert_tunnel_get_device(f->a.tunnel);
    int a = attach(&f->a), b = attach(&f->b);
    WgEndpoint endpoint = {0};
    guint8 packet[PACKET_SIZE];

    g_assert_true(
        g_socket_address_to_native(address, &endpoint.remote, sizeof endpoint.remote, NULL));
    wg_peer_set_endpoint(wg_device_find_peer(device, &f->b.public_key), &endpoint);
    make_packet(packet, net_a.addr, net_b.addr, 7);
    send_packet(a, culvert_tunnel_get_tun(f->a.tunnel), packet);
    expect_packet(b, packet);
    close(a);
    close(b);
}

/* A peer is looked for beside the tunnel, even where all routes lead into that. */
static void test_beside_the_device(Fixture *f, gconstpointer unused)
{
    WgEndpoint there = {.remote.in4 = {AF_INET, g_htons(9), {g_htonl(0xc0000201)}, {0}}};
    int a = attach(&f->a);
    CulvertTun *tun = culvert_tunnel_get_tun(f->a.tunnel);
    int ifindex = culvert_tun_get_ifindex(tun);
    g_autofree char *route = g_strdup_printf("192.0.2.0/24 dev %s", culvert_tun_get_name(tun));

    g_assert_cmpint(tunnel_uplink_find(&there, ifindex), ==, 0);
    run_ip("route", "add", route);
    g_assert_cmpint(tunnel_uplink_find(&there, ifindex), ==, -1);
    run_ip("route", "add", "default dev lo metric 70");
    g_assert_cmpint(tunnel_uplink_find(&there, ifindex), ==, (int) if_nametoindex("lo"));
    run_ip("route", "add", "192.0.2.1/32 dev lo");
    g_assert_cmpint(tunnel_uplink_find(&there, ifindex), ==, 0);
    run_ip("route", "delete", "192.0.2.1/32 dev lo");
    run_ip("route", "delete", "default dev lo metric 70");
    close(a);
}

/* The way to the peer is another one: told once for a flock of changes, and not of others. */
static void test_network_changed(Fixture *f, gconstpointer unused)
{
    int a = attach(&f->a);

    g_signal_connect_swapped(f->a.tunnel, "network-changed", G_CALLBACK(count), &f->a.changes);
    culvert_tunnel_watch_network(f->a.tunnel, &f->b.public_key);
    run_ip("route", "add", "192.0.2.0/24 dev lo");
    run_ip("route", "delete", "192.0.2.0/24 dev lo");
    run_ip("route", "add", "default dev lo");
    run_ip("address", "add", "198.51.100.9/32 dev lo");
    wait_until(f->a.changes == 1);
    run_ip("address", "delete", "198.51.100.9/32 dev lo");
    wait_until(f->a.changes == 2);
    run_ip("route", "delete", "default dev lo");
    culvert_tunnel_check_network(f->a.tunnel);
    close(a);
}

/* The device goes away under the tunnel: its owner hears of it. */
static void test_device_removed(Fixture *f, gconstpointer unused)
{
    int a = attach(&f->a);
    const char *name = culvert_tun_get_name(culvert_tunnel_get_tun(f->a.tunnel));

    run_ip("link", "delete", name);
    wait_until(f->a.failures == 1);
    g_assert_nonnull(strstr(f->a.last_error, "removed"));
    close(a);
}

/* The device lives as long as the tunnel, and not longer. */
static void test_device_life(Fixture *f, gconstpointer unused)
{
    int a = attach(&f->a);
    g_autofree char *name = g_strdup(culvert_tun_get_name(culvert_tunnel_get_tun(f->a.tunnel)));

    g_assert_cmpstr(name, ==, "culvert0");
    g_assert_cmpuint(if_nametoindex(name), !=, 0);
    culvert_tunnel_stop(f->a.tunnel);
    g_assert_cmpuint(if_nametoindex(name), ==, 0);
    close(a);
}

static void test_device_errors(void)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(culvert_tun_open("a-name-that-is-too-long", 1, TRUE, &error));
    g_assert_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
    g_assert_nonnull(strstr(error->message, "a-name-that-is-too-long"));
    g_clear_error(&error);
    g_assert_null(culvert_tun_open("lo", 1, TRUE, &error));
    g_assert_nonnull(strstr(error->message, "lo"));
    g_clear_error(&error);

    g_autoptr(CulvertTun) first = culvert_tun_open("one", 1, TRUE, &error);
    g_autoptr(CulvertTun) queues = NULL;
    g_assert_no_error(error);
    g_assert_null(culvert_tun_open("one", 1, TRUE, &error));
    g_assert_error(error, G_IO_ERROR, G_IO_ERROR_BUSY);
    g_clear_error(&error);
    queues = culvert_tun_open("many", 3, TRUE, &error);
    g_assert_no_error(error);
    g_assert_null(culvert_tun_open("many", 3, TRUE, &error));
    g_assert_error(error, G_IO_ERROR, G_IO_ERROR_BUSY);
}

/* Another file there, for this process alone. */
static void replace_file(const char *name, const char *text)
{
    g_autofree char *path = NULL;
    int fd = g_file_open_tmp("file-XXXXXX", &path, NULL);

    g_assert_cmpint(write(fd, text, strlen(text)), ==, strlen(text));
    close(fd);
    g_assert_cmpint(mount(path, name, NULL, MS_BIND, NULL), ==, 0);
    g_unlink(path);
}

/* Names are asked of this machine alone, where no server is unless a test makes one. What is sent
 * to 2001:db8::77 comes back and is nobody's. */
static void use_own_resolver(void)
{
    g_assert_cmpint(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), ==, 0);
    replace_file("/etc/resolv.conf", "nameserver 127.0.0.1\n");
    replace_file("/etc/hosts", "2001:db8::77 half.example\n198.51.100.1 half.example\n"
                               "2001:db8::1 whole.example\n198.51.100.1 whole.example\n");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (unshare(CLONE_NEWNET | CLONE_NEWNS) != 0)
        g_error("Cannot make namespaces (%s): run this test as root", g_strerror(errno));
    interface_up("lo");
    /* Without an address beside loopback's, no name is looked up at all (AI_ADDRCONFIG). */
    run_ip("address", "add", "198.51.100.1/32 dev lo");
    run_ip("address", "add", "2001:db8::1/128 dev lo nodad");
    run_ip("-6 route", "add", "2001:db8::77/128 dev lo");
    use_own_resolver();

#define ADD(name, data, func) g_test_add("/tunnel/" name, Fixture, data, set_up, func, tear_down)
    ADD("handshake/ipv4", "127.0.0.1", test_handshake);
    ADD("handshake/ipv6", "[::1]", test_handshake);
    ADD("dial/next-endpoint", NULL, test_next_endpoint);
    ADD("dial/silent-dns", NULL, test_silent_dns);
    ADD("dial/race", NULL, test_race);
    ADD("dial/race-of-one-peer", NULL, test_race_of_one_peer);
    ADD("dial/keeps-endpoint", NULL, test_keeps_endpoint);
    ADD("dial/unsent", NULL, test_unsent);
    ADD("dial/removed-peer", NULL, test_removed_peer);
    ADD("dial/wrong-preshared-key", NULL, test_wrong_psk);
    ADD("stop/in-handshake", NULL, test_stop_in_handler);
    ADD("stop/in-attempt", NULL, test_stop_in_attempt);
    ADD("peer/own-key", NULL, test_own_key);
    ADD("listen/port-in-use", NULL, test_port_in_use); /* row 26 */
    ADD("time/silent", NULL, test_silent);
    ADD("time/away-for-an-hour", NULL, test_away_for_an_hour);
    ADD("time/suspend", NULL, test_suspend);    /* row 14 */
    ADD("time/clock", NULL, test_timer_clock);  /* row 14 */
    ADD("load/cookies", NULL, test_under_load); /* row 8 */
    ADD("packets/both-ways", NULL, test_packets);
    ADD("packets/before-session", NULL, test_packet_first);
    ADD("stop/while-a-packet-waits", NULL, test_stop_while_a_packet_waits);
    ADD("dial/beside-the-device", NULL, test_beside_the_device);
    ADD("network/changed", NULL, test_network_changed);
    ADD("device/removed", NULL, test_device_removed);
    ADD("device/life", NULL, test_device_life);
    g_test_add_func("/tunnel/device/errors", test_device_errors);
    return g_test_run();
}
