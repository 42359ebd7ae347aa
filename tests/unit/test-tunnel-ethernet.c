/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-tunnel-ethernet.c: which peers of a tunnel take part in its Ethernet, and what is remembered
 * from frame to frame. Nothing is sent: tests/ethernet does that.
 */
#include <string.h>
#include <sys/socket.h>

#include "tunnel/tunnel-private.h"

#define VNI 5

typedef struct {
    CulvertTunnel *tunnel;
    WgKey keys[4]; /* of the peers */
} Fixture;

static const CulvertVtep local4 = {AF_INET, {10, 8, 0, 1}};
static const CulvertVtep local6 = {AF_INET6, {0xfd, 8, [15] = 1}};

static CulvertVtep vtep4(guint8 last)
{
    return (CulvertVtep){AF_INET, {10, 8, 0, last}};
}

static WgPrefix prefix4(guint8 last, guint length)
{
    return (WgPrefix){.family = AF_INET, .addr = {10, 8, 0, last}, .length = (guint8) length};
}

static void set_up(Fixture *f, gconstpointer data)
{
    f->tunnel = culvert_tunnel_new();
    for (guint i = 0; i < G_N_ELEMENTS(f->keys); i++)
        memset(&f->keys[i], (int) i + 1, sizeof f->keys[i]);
}

static void tear_down(Fixture *f, gconstpointer data)
{
    culvert_tunnel_stop(f->tunnel);
    g_object_unref(f->tunnel);
}

static void add_peer(Fixture *f, guint at, const WgPrefix *prefixes, guint n)
{
    g_autoptr(GError) error = NULL;

    culvert_tunnel_add_peer(f->tunnel, &f->keys[at], NULL, prefixes, n, 0, &error);
    g_assert_no_error(error);
}

static guint port_of(Fixture *f, CulvertVtep vtep)
{
    return culvert_switch_find_remote(f->tunnel->ethernet->ports, &vtep);
}

static guint n_ports(Fixture *f)
{
    guint port = 0, n = 0;
    CulvertVtep vtep;

    while (culvert_switch_next_remote(f->tunnel->ethernet->ports, &port, 0, &vtep))
        n++;
    return n;
}

/* ---- Who takes part ------------------------------------------------------------------------- */

static void test_first_single_address(Fixture *f, gconstpointer data)
{
    const WgPrefix several[] = {
        {.family = AF_INET6, .addr = {0xfd, 8, [15] = 9}, .length = 128},
        prefix4(0, 24),
        prefix4(7, 32),
        prefix4(5, 32),
    };
    const WgPrefix none[] = {prefix4(128, 25), {.family = AF_INET6, .length = 0}};
    const CulvertVtep six = {AF_INET6, {0xfd, 8, [15] = 9}};

    add_peer(f, 0, several, G_N_ELEMENTS(several)); /* before: it is found all the same */
    culvert_tunnel_set_ethernet(f->tunnel, VNI, &local4);
    add_peer(f, 1, none, G_N_ELEMENTS(none));
    g_assert_cmpuint(n_ports(f), ==, 1);
    g_assert_cmpuint(port_of(f, vtep4(5)), !=, 0);

    culvert_tunnel_set_ethernet(f->tunnel, VNI, &local6);
    g_assert_cmpuint(n_ports(f), ==, 1);
    g_assert_cmpuint(port_of(f, six), !=, 0);
}

/* Our own address at a peer would send our frames back to us. */
static void test_own_address(Fixture *f, gconstpointer data)
{
    const WgPrefix own = prefix4(1, 32);

    culvert_tunnel_set_ethernet(f->tunnel, VNI, &local4);
    add_peer(f, 0, &own, 1);
    g_assert_cmpuint(n_ports(f), ==, 0);
}

static void test_set_vtep(Fixture *f, gconstpointer data)
{
    const WgPrefix prefixes[] = {prefix4(0, 24), prefix4(2, 32)};
    CulvertVtep other = vtep4(77);

    culvert_tunnel_set_ethernet(f->tunnel, VNI, &local4);
    add_peer(f, 0, prefixes, 2);
    culvert_tunnel_set_vtep(f->tunnel, &f->keys[0], &other);
    g_assert_cmpuint(port_of(f, other), !=, 0);
    g_assert_cmpuint(port_of(f, vtep4(2)), ==, 0);
    culvert_tunnel_set_vtep(f->tunnel, &f->keys[0], NULL);
    g_assert_cmpuint(port_of(f, other), ==, 0);
    g_assert_cmpuint(port_of(f, vtep4(2)), !=, 0);
}

static void test_peers_changed(Fixture *f, gconstpointer data)
{
    const WgPrefix two = prefix4(2, 32), three = prefix4(3, 32);
    WgDevice *device = culvert_tunnel_get_device(f->tunnel);
    WgPeer *peer;

    culvert_tunnel_set_ethernet(f->tunnel, VNI, &local4);
    add_peer(f, 0, &two, 1);
    peer = wg_device_find_peer(device, &f->keys[0]);
    wg_peer_clear_allowed_ips(peer);
    wg_peer_add_allowed_ip(peer, &three);
    culvert_tunnel_peers_changed(f->tunnel);
    g_assert_cmpuint(port_of(f, vtep4(2)), ==, 0);
    g_assert_cmpuint(port_of(f, vtep4(3)), !=, 0);
    wg_device_remove_peer(device, peer);
    culvert_tunnel_peers_changed(f->tunnel);
    g_assert_cmpuint(n_ports(f), ==, 0);
}

static void test_overhead(Fixture *f, gconstpointer data)
{
    g_assert_cmpuint(culvert_tunnel_get_overhead(f->tunnel), ==, 0);
    culvert_tunnel_set_ethernet(f->tunnel, VNI, &local4);
    g_assert_cmpuint(culvert_tunnel_get_overhead(f->tunnel), ==, 50);
    culvert_tunnel_set_ethernet(f->tunnel, VNI, &local6);
    g_assert_cmpuint(culvert_tunnel_get_overhead(f->tunnel), ==, 70);
}

/* ---- From frame to frame -------------------------------------------------------------------- */

static void make_frame(guint8 frame[60], guint8 to, guint8 from)
{
    memset(frame, 0, 60);
    frame[0] = frame[6] = 2;
    frame[5] = to;
    frame[11] = from;
}

static const CulvertForwarding *forward(Fixture *f, TunnelRecent *recent, guint from,
                                        const guint8 *frame)
{
    return tunnel_ethernet_forward(f->tunnel->ethernet, recent, from, frame, 60, 1, 1000);
}

/* What is known of the last frame is not taken for true of another: not of one with the same
 * addresses from somewhere else, or else one peer could speak in another's name; nor of one with
 * others. */
static void test_recent(Fixture *f, gconstpointer data)
{
    const WgPrefix two = prefix4(2, 32), three = prefix4(3, 32);
    TunnelRecent recent = {0};
    guint8 frame[60], back[60];
    guint a, b;

    culvert_tunnel_set_ethernet(f->tunnel, VNI, &local4);
    add_peer(f, 0, &two, 1);
    add_peer(f, 1, &three, 1);
    a = port_of(f, vtep4(2));
    b = port_of(f, vtep4(3));
    make_frame(frame, 9, 1);
    make_frame(back, 1, 9);
    forward(f, &recent, a, frame);
    g_assert_cmpuint(forward(f, &recent, b, back)->remote, ==, a);
    for (guint i = 0; i < 3; i++)
        g_assert_cmpuint(forward(f, &recent, a, frame)->remote, ==, b);
    g_assert_cmpuint(forward(f, &recent, b, frame)->remote, ==, 0);
    g_assert_cmpuint(forward(f, &recent, CULVERT_SWITCH_DEVICE, back)->remote, ==, a);
    g_assert_cmpuint(forward(f, &recent, a, frame)->remote, ==, 0);
    make_frame(frame, 8, 1);
    g_assert_true(forward(f, &recent, a, frame)->flood);
}

static guint receive(Fixture *f, TunnelRecent *recent, guint32 vni, CulvertVtep from)
{
    guint8 memory[CULVERT_VXLAN_HEADER_MAX + 60], *frame = memory + CULVERT_VXLAN_HEADER_MAX, *got;
    CulvertVxlan v;
    gsize len;

    make_frame(frame, 9, 1);
    culvert_vxlan_begin(&v, vni, &from, &local4, frame, 60, 0);
    culvert_vxlan_wrap(&v, frame, 60);
    return tunnel_ethernet_receive(f->tunnel->ethernet, recent, frame - v.size, v.size + 60, &got,
                                   &len);
}

static void test_receive(Fixture *f, gconstpointer data)
{
    const WgPrefix prefixes[] = {prefix4(0, 24), prefix4(2, 32)}, three = prefix4(3, 32);
    TunnelRecent recent = {0};
    CulvertTunnelStats stats;

    culvert_tunnel_set_ethernet(f->tunnel, VNI, &local4);
    add_peer(f, 0, prefixes, 2);
    add_peer(f, 1, &three, 1);
    for (guint i = 0; i < 2; i++) {
        for (guint8 last = 2; last <= 3; last++)
            g_assert_cmpuint(receive(f, &recent, VNI, vtep4(last)), ==, port_of(f, vtep4(last)));
        /* An address that the first peer may have, but is not known by. */
        g_assert_cmpuint(receive(f, &recent, VNI, vtep4(4)), ==, 0);
        g_assert_cmpuint(receive(f, &recent, VNI, local4), ==, 0);
        g_assert_cmpuint(receive(f, &recent, VNI + 1, vtep4(3)), ==, 0);
    }
    culvert_tunnel_get_stats(f->tunnel, &stats);
    g_assert_cmpuint(stats.not_vxlan, ==, 6);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *path;
        void (*test)(Fixture *, gconstpointer);
    } tests[] = {
        {"/tunnel-ethernet/peers/first-single-address", test_first_single_address},
        {"/tunnel-ethernet/peers/own-address", test_own_address},
        {"/tunnel-ethernet/peers/set-vtep", test_set_vtep},
        {"/tunnel-ethernet/peers/changed", test_peers_changed},
        {"/tunnel-ethernet/overhead", test_overhead},
        {"/tunnel-ethernet/recent", test_recent},
        {"/tunnel-ethernet/receive", test_receive},
    };

    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add(tests[i].path, Fixture, NULL, set_up, tests[i].test, tear_down);
    return g_test_run();
}
