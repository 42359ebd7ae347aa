/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-tunnel.c: what a tunnel does besides finding its peer, which test-tunnel-dial.c looks at:
 * set-up, a flood of handshakes, packets from one device to the other, and the network and the
 * device changing under it. Needs root, see tunnel-ends.h.
 */
#include <gio/gio.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tunnel-ends.h"
#include "wireguard/wg-cookie.h"

/* ---- Set-up --------------------------------------------------------------------------------- */

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

/* ---- The network and the device ------------------------------------------------------------- */

/* A peer is looked for beside the tunnel, even where all routes lead into that. */
static void test_beside_the_device(Fixture *f, gconstpointer unused)
{
    WgEndpoint there = {.remote.in4 = {AF_INET, g_htons(9), {g_htonl(0xc0000201)}, {0}}};
    int a = attach(&f->a);
    CulvertTun *tun = culvert_tunnel_get_tun(f->a.tunnel);
    int ifindex = culvert_tun_get_ifindex(tun);
    g_autofree char *route = g_strdup_printf("192.0.2.0/24 dev %s", culvert_tun_get_name(tun));

    g_assert_cmpint(tunnel_uplink_find(&there, ifindex), ==, 0);
    run_ip("route add %s", route);
    g_assert_cmpint(tunnel_uplink_find(&there, ifindex), ==, -1);
    run_ip("route add default dev lo metric 70");
    g_assert_cmpint(tunnel_uplink_find(&there, ifindex), ==, (int) if_nametoindex("lo"));
    run_ip("route add 192.0.2.1/32 dev lo");
    g_assert_cmpint(tunnel_uplink_find(&there, ifindex), ==, 0);
    run_ip("route delete 192.0.2.1/32 dev lo");
    run_ip("route delete default dev lo metric 70");
    close(a);
}

/* The way to the peer is another one: told once for a flock of changes, and not of others. */
static void test_network_changed(Fixture *f, gconstpointer unused)
{
    int a = attach(&f->a);

    g_signal_connect_swapped(f->a.tunnel, "network-changed", G_CALLBACK(count), &f->a.changes);
    culvert_tunnel_watch_network(f->a.tunnel, &f->b.public_key);
    run_ip("route add 192.0.2.0/24 dev lo");
    run_ip("route delete 192.0.2.0/24 dev lo");
    run_ip("route add default dev lo");
    run_ip("address add 198.51.100.9/32 dev lo");
    wait_until(f->a.changes == 1);
    run_ip("address delete 198.51.100.9/32 dev lo");
    wait_until(f->a.changes == 2);
    run_ip("route delete default dev lo");
    culvert_tunnel_check_network(f->a.tunnel);
    close(a);
}

/* The device goes away under the tunnel: its owner hears of it. */
static void test_device_removed(Fixture *f, gconstpointer unused)
{
    int a = attach(&f->a);
    const char *name = culvert_tun_get_name(culvert_tunnel_get_tun(f->a.tunnel));

    run_ip("link delete %s", name);
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

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    make_own_machine();

#define ADD(name, data, func) g_test_add("/tunnel/" name, Fixture, data, set_up, func, tear_down)
    ADD("peer/own-key", NULL, test_own_key);
    ADD("listen/port-in-use", NULL, test_port_in_use); /* row 26 */
    ADD("load/cookies", NULL, test_under_load);        /* row 8 */
    ADD("packets/both-ways", NULL, test_packets);
    ADD("packets/before-session", NULL, test_packet_first);
    ADD("stop/while-a-packet-waits", NULL, test_stop_while_a_packet_waits);
    ADD("dial/beside-the-device", NULL, test_beside_the_device);
    ADD("network/changed", NULL, test_network_changed);
    ADD("device/removed", NULL, test_device_removed);
    ADD("device/life", NULL, test_device_life);
    return g_test_run();
}
