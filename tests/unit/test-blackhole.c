/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-blackhole.c: which segments are taken for sent in vain.
 */
#include <netinet/in.h>
#include <string.h>

#include "tunnel/tunnel-private.h"

#define SIZE 1400

/* A segment of the flow with the local port 40000 + `flow`. */
static void make(guint8 packet[SIZE], int version, guint flow, guint32 sequence)
{
    guint8 *tcp = packet + (version == 4 ? 20 : 40);

    memset(packet, 0, SIZE);
    packet[0] = version == 4 ? 0x45 : 0x60;
    packet[version == 4 ? 9 : 6] = IPPROTO_TCP;
    tcp[0] = (guint8) ((40000 + flow) >> 8);
    tcp[1] = (guint8) (40000 + flow);
    sequence = GUINT32_TO_BE(sequence);
    memcpy(tcp + 4, &sequence, sizeof sequence);
}

static gboolean note(TunnelBlackhole *hole, int version, guint flow, guint32 sequence)
{
    guint8 packet[SIZE];

    make(packet, version, flow, sequence);
    return tunnel_blackhole_note(hole, packet, SIZE, 0) != NULL;
}

/* From the third time on that the same is sent. */
static void test_repeated(gconstpointer data)
{
    int version = GPOINTER_TO_INT(data);
    g_autofree TunnelBlackhole *hole = g_new0(TunnelBlackhole, 1);

    for (guint32 i = 0; i < 10; i++)
        g_assert_false(note(hole, version, 1, 1000 + i * 1380));
    for (guint i = 0; i < 2; i++)
        g_assert_false(note(hole, version, 1, 1000));
    for (guint i = 0; i < 2; i++)
        g_assert_true(note(hole, version, 1, 1000));
}

static void test_progress(void)
{
    g_autofree TunnelBlackhole *hole = g_new0(TunnelBlackhole, 1);

    /* Lost, sent again, and on it goes. */
    for (guint32 i = 0; i < 100; i++) {
        g_assert_false(note(hole, 4, 1, i));
        g_assert_false(note(hole, 4, 1, i));
    }
}

/* Other flows between do not hide it, and are not counted with it. */
static void test_flows(void)
{
    g_autofree TunnelBlackhole *hole = g_new0(TunnelBlackhole, 1);

    for (guint flow = 0; flow < 8; flow++) {
        for (guint i = 0; i < 4; i++) {
            g_assert_true(note(hole, 6, flow, 7) == (i >= 2));
            g_assert_false(note(hole, 6, 1000 + 4 * flow + i, 7));
        }
    }
}

/* Ten thousand flows that go on between the repetitions of some that do not. */
static void test_very_many_flows(void)
{
    g_autofree TunnelBlackhole *hole = g_new0(TunnelBlackhole, 1);
    guint found = 0;

    for (guint32 i = 0; i < 12; i++) {
        for (guint flow = 0; flow < 10000; flow++)
            g_assert_false(note(hole, 6, 1000 + flow, i));
        for (guint flow = 0; flow < 100; flow++)
            found += note(hole, 6, flow, 7);
    }
    g_assert_cmpuint(found, >=, 100);
}

static void test_others(void)
{
    g_autofree TunnelBlackhole *hole = g_new0(TunnelBlackhole, 1);
    guint8 packet[SIZE];

    for (guint i = 0; i < 10; i++) {
        make(packet, 4, 1, 7);
        g_assert_null(tunnel_blackhole_note(hole, packet, TUNNEL_BLACKHOLE_PASSES, 0));
        packet[9] = IPPROTO_UDP;
        g_assert_null(tunnel_blackhole_note(hole, packet, SIZE, 0));
        make(packet, 4, 1, 7);
        packet[7] = 1; /* a fragment's offset */
        g_assert_null(tunnel_blackhole_note(hole, packet, SIZE, 0));
        make(packet, 4, 1, 7);
        packet[0] = 0x44; /* a header too short */
        g_assert_null(tunnel_blackhole_note(hole, packet, SIZE, 0));
        memset(packet, 0, sizeof packet);
        g_assert_null(tunnel_blackhole_note(hole, packet, SIZE, 0));
    }
}

/* In a frame it is carried with more around it, and counts as large as that. */
static void test_frames(void)
{
    g_autofree TunnelBlackhole *hole = g_new0(TunnelBlackhole, 1);
    const gsize more = 50, len = TUNNEL_BLACKHOLE_PASSES - more;
    guint8 packet[SIZE];
    guint found = 0;

    make(packet, 4, 1, 7);
    for (guint i = 0; i < 4; i++)
        g_assert_null(tunnel_blackhole_note(hole, packet, len, more));
    for (guint i = 0; i < 4; i++)
        found += tunnel_blackhole_note(hole, packet, len + 1, more) != NULL;
    g_assert_cmpuint(found, >, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/blackhole/repeated/ipv4", GINT_TO_POINTER(4), test_repeated);
    g_test_add_data_func("/blackhole/repeated/ipv6", GINT_TO_POINTER(6), test_repeated);
    g_test_add_func("/blackhole/progress", test_progress);
    g_test_add_func("/blackhole/flows", test_flows);
    g_test_add_func("/blackhole/very-many-flows", test_very_many_flows);
    g_test_add_func("/blackhole/others", test_others);
    g_test_add_func("/blackhole/frames", test_frames);
    return g_test_run();
}
