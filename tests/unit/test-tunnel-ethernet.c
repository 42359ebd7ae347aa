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

/* Of several that in the smallest network with ours: of 10.8.0.0/29 here; then the lowest. */
static void test_nearest_single_address(Fixture *f, gconstpointer data)
{
    const WgPrefix several[] = {
        {.family = AF_INET6, .addr = {0xfd, 8, [15] = 9}, .length = 128},
        prefix4(0, 24),
        {.family = AF_INET, .addr = {10, 1, 2, 3}, .length = 32},
        prefix4(9, 32),
        prefix4(5, 32),
        prefix4(4, 32),
        prefix4(1, 32), /* our own */
    };
    const WgPrefix none[] = {prefix4(128, 25), {.family = AF_INET6, .length = 0}};
    const CulvertVtep six = {AF_INET6, {0xfd, 8, [15] = 9}};

    add_peer(f, 0, several, G_N_ELEMENTS(several)); /* before: it is found all the same */
    culvert_tunnel_set_ethernet(f->tunnel, VNI, &local4);
    add_peer(f, 1, none, G_N_ELEMENTS(none));
    g_assert_cmpuint(n_ports(f), ==, 1);
    g_assert_cmpuint(port_of(f, vtep4(4)), !=, 0);

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

static GString *logged; /* what the log has of Ethernet */

static GLogWriterOutput keep(GLogLevelFlags level, const GLogField *fields, gsize n, gpointer data)
{
    for (gsize i = 0; i < n && logged; i++) {
        if (strcmp(fields[i].key, "MESSAGE") == 0 && strstr(fields[i].value, "Ethernet"))
            g_string_append_printf(logged, "%s\n", (const char *) fields[i].value);
    }
    return g_log_writer_default(level, fields, n, NULL);
}

/* One line for each peer, however often all of them are looked through, unless it changes. */
static void test_chosen_is_logged(Fixture *f, gconstpointer data)
{
    const WgPrefix two = prefix4(2, 32), three = prefix4(3, 32), network = prefix4(0, 24);
    CulvertVtep other = vtep4(77);

    culvert_tunnel_set_ethernet(f->tunnel, VNI, &local4);
    logged = g_string_new(NULL);
    add_peer(f, 0, &two, 1);
    add_peer(f, 1, &three, 1);
    add_peer(f, 2, &network, 1);
    culvert_tunnel_peers_changed(f->tunnel);
    culvert_tunnel_set_vtep(f->tunnel, &f->keys[0], &other);
    g_assert_cmpstr(logged->str, ==,
                    "Peer AQEBAQEB…: Ethernet goes to 10.8.0.2\n"
                    "Ethernet goes to 1 of 1 peers\n"
                    "Peer AgICAgIC…: Ethernet goes to 10.8.0.3\n"
                    "Ethernet goes to 2 of 2 peers\n"
                    "Peer AQEBAQEB…: Ethernet goes to 10.8.0.77\n");
    g_string_free(g_steal_pointer(&logged), TRUE);
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

/* In another VLAN the same addresses are other stations. */
static void test_recent_vlan(Fixture *f, gconstpointer data)
{
    const WgPrefix two = prefix4(2, 32);
    TunnelRecent recent = {0};
    guint8 frame[60], back[60];

    culvert_tunnel_set_ethernet(f->tunnel, VNI, &local4);
    add_peer(f, 0, &two, 1);
    make_frame(frame, 9, 1);
    make_frame(back, 1, 9);
    forward(f, &recent, CULVERT_SWITCH_DEVICE, frame);
    g_assert_true(forward(f, &recent, port_of(f, vtep4(2)), back)->known);
    back[12] = 0x81;
    back[15] = 10;
    g_assert_false(forward(f, &recent, port_of(f, vtep4(2)), back)->known);
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

/* One who has just gone, and whose place another has taken, does not speak in that one's name. */
static void test_receive_from_who_is_gone(Fixture *f, gconstpointer data)
{
    const WgPrefix two = prefix4(2, 32), nine = prefix4(9, 32);
    WgDevice *device = culvert_tunnel_get_device(f->tunnel);
    TunnelRecent recent = {0};
    CulvertTunnelStats stats;
    guint8 frame[60];
    guint from;

    culvert_tunnel_set_ethernet(f->tunnel, VNI, &local4);
    add_peer(f, 0, &two, 1);
    receive(f, &recent, VNI, vtep4(2));
    wg_device_remove_peer(device, wg_device_find_peer(device, &f->keys[0]));
    culvert_tunnel_peers_changed(f->tunnel);
    add_peer(f, 1, &nine, 1);

    make_frame(frame, 9, 1);
    from = receive(f, &recent, VNI, vtep4(2)); /* before the thread looks again */
    g_assert_cmpuint(from, !=, port_of(f, vtep4(9)));
    g_assert_false(forward(f, &recent, from, frame)->to_device);
    culvert_tunnel_get_stats(f->tunnel, &stats);
    g_assert_cmpuint(stats.not_vxlan, ==, 1);
    make_frame(frame, 1, 9);
    g_assert_true(forward(f, &recent, CULVERT_SWITCH_DEVICE, frame)->flood);
}

static void test_own_macs(Fixture *f, gconstpointer data)
{
    const guint8 device[6] = {2, [5] = 1}, bridge[6] = {2, [5] = 2}, none[6] = {0};
    const WgPrefix two = prefix4(2, 32);
    guint8 frame[60];

    culvert_tunnel_set_own_macs(f->tunnel, device, none); /* no Ethernet: nothing */
    culvert_tunnel_set_ethernet(f->tunnel, VNI, &local4);
    add_peer(f, 0, &two, 1);
    culvert_tunnel_set_own_macs(f->tunnel, device, bridge);
    for (guint8 i = 1; i <= 3; i++) {
        TunnelRecent recent = {0};

        make_frame(frame, 9, i);
        g_assert_cmpint(forward(f, &recent, port_of(f, vtep4(2)), frame)->to_device, ==, i == 3);
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *path;
        void (*test)(Fixture *, gconstpointer);
    } tests[] = {
        {"/tunnel-ethernet/peers/nearest-single-address", test_nearest_single_address},
        {"/tunnel-ethernet/peers/own-address", test_own_address},
        {"/tunnel-ethernet/peers/chosen-is-logged", test_chosen_is_logged},
        {"/tunnel-ethernet/peers/set-vtep", test_set_vtep},
        {"/tunnel-ethernet/peers/changed", test_peers_changed},
        {"/tunnel-ethernet/overhead", test_overhead},
        {"/tunnel-ethernet/recent", test_recent},
        {"/tunnel-ethernet/recent-vlan", test_recent_vlan},
        {"/tunnel-ethernet/receive", test_receive},
        {"/tunnel-ethernet/receive-from-who-is-gone", test_receive_from_who_is_gone},
        {"/tunnel-ethernet/own-macs", test_own_macs},
    };

    g_test_init(&argc, &argv, NULL);
    g_log_set_writer_func(keep, NULL, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add(tests[i].path, Fixture, NULL, set_up, tests[i].test, tear_down);
    return g_test_run();
}
