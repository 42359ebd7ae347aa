/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-switch.c: where frames go, under a clock of the test's own; at last at random, against a
 * model that has no limits but the rules.
 */
#include "tun/culvert-switch.h"

#include <netinet/in.h>
#include <string.h>

#define SECOND G_USEC_PER_SEC
#define DEVICE CULVERT_SWITCH_DEVICE

#define BROADCAST G_GUINT64_CONSTANT(0xffffffffffff)
#define MULTICAST G_GUINT64_CONSTANT(0x01005e000001)

typedef struct {
    CulvertSwitch *ports;
    gint64 now;
    CulvertForwarding to;
} Fixture;

static CulvertVtep vtep(guint number)
{
    return (CulvertVtep){AF_INET, {10, 8, (guint8) (number >> 8), (guint8) number}};
}

static guint set_remotes(Fixture *f, guint first, guint n)
{
    g_autofree CulvertVtep *remotes = g_new(CulvertVtep, n);

    for (guint i = 0; i < n; i++)
        remotes[i] = vtep(first + i);
    return culvert_switch_set_remotes(f->ports, remotes, n);
}

static guint port_of(Fixture *f, guint number)
{
    CulvertVtep remote = vtep(number);

    return culvert_switch_find_remote(f->ports, &remote);
}

/* Three remotes, which have the ports 1 to 3. */
static void set_up(Fixture *f, gconstpointer data)
{
    f->ports = culvert_switch_new();
    f->now = 1000 * SECOND;
    g_assert_cmpuint(set_remotes(f, 1, 3), ==, 0);
}

static void tear_down(Fixture *f, gconstpointer data)
{
    culvert_switch_free(f->ports);
}

/* The station with this number: unicast, administered locally. */
static guint64 station(guint number)
{
    return G_GUINT64_CONSTANT(0x020000000000) + number;
}

static void put_address(guint8 *at, guint64 address)
{
    for (guint i = 0; i < 6; i++)
        at[i] = (guint8) (address >> (40 - 8 * i));
}

static const CulvertForwarding *put_many(Fixture *f, guint from, guint64 source,
                                         guint64 destination, guint count)
{
    guint8 frame[60] = {0};

    put_address(frame, destination);
    put_address(frame + 6, source);
    culvert_switch_forward(f->ports, from, frame, sizeof frame, count, f->now, &f->to);
    return &f->to;
}

/* With a tag of that EtherType. */
static const CulvertForwarding *put_tagged(Fixture *f, guint from, guint64 source,
                                           guint64 destination, guint16 type, guint16 tag)
{
    guint8 frame[60] = {0};

    put_address(frame, destination);
    put_address(frame + 6, source);
    frame[12] = (guint8) (type >> 8);
    frame[13] = (guint8) type;
    frame[14] = (guint8) (tag >> 8);
    frame[15] = (guint8) tag;
    culvert_switch_forward(f->ports, from, frame, sizeof frame, 1, f->now, &f->to);
    return &f->to;
}

static const CulvertForwarding *put(Fixture *f, guint from, guint64 source, guint64 destination)
{
    return put_many(f, from, source, destination, 1);
}

static void assert_dropped(const CulvertForwarding *to)
{
    g_assert_false(to->to_device || to->flood || to->remote != 0 || to->known);
}

static void assert_device(const CulvertForwarding *to)
{
    g_assert_true(to->to_device && to->known && !to->flood && to->remote == 0);
}

static void assert_remote(const CulvertForwarding *to, guint number)
{
    CulvertVtep expected = vtep(number);

    g_assert_true(to->known && !to->to_device && !to->flood && to->remote != 0);
    g_assert_true(culvert_vtep_equal(&to->vtep, &expected));
}

static void assert_flooded(const CulvertForwarding *to, guint from)
{
    g_assert_true(to->flood && to->remote == 0 && !to->known);
    g_assert_cmpint(to->to_device, ==, from != DEVICE);
}

static CulvertSwitchStats stats_of(Fixture *f)
{
    CulvertSwitchStats stats;

    culvert_switch_get_stats(f->ports, &stats);
    return stats;
}

/* ---- Learning ------------------------------------------------------------------------------- */

static void test_learn(Fixture *f, gconstpointer data)
{
    assert_flooded(put(f, DEVICE, station(1), station(2)), DEVICE);
    assert_device(put(f, 2, station(2), station(1)));
    assert_remote(put(f, DEVICE, station(1), station(2)), 2);
    /* From one remote to another. */
    assert_remote(put(f, 3, station(3), station(2)), 2);
    assert_remote(put(f, 2, station(2), station(3)), 3);
}

/* Never back where it came from. */
static void test_split_horizon(Fixture *f, gconstpointer data)
{
    for (guint from = DEVICE; from <= 3; from++) {
        guint port = 0, n = 0;
        CulvertVtep to;

        assert_flooded(put(f, from, station(from), BROADCAST), from);
        while (culvert_switch_next_remote(f->ports, &port, from, &to)) {
            g_assert_cmpuint(port, !=, from);
            g_assert_cmpuint(port, ==, culvert_switch_find_remote(f->ports, &to));
            n++;
        }
        g_assert_cmpuint(n, ==, from == DEVICE ? 3 : 2);
    }
    put(f, 1, station(11), station(12));
    put(f, 1, station(12), BROADCAST);
    assert_dropped(put(f, 1, station(11), station(12)));
    put(f, DEVICE, station(21), BROADCAST);
    assert_dropped(put(f, DEVICE, station(22), station(21)));
    g_assert_cmpuint(stats_of(f).local, ==, 2);
}

static void test_ageing(Fixture *f, gconstpointer data)
{
    put(f, 1, station(1), BROADCAST);
    f->now += CULVERT_SWITCH_AGEING - 1;
    assert_remote(put(f, DEVICE, station(9), station(1)), 1);
    f->now += 1;
    assert_flooded(put(f, DEVICE, station(9), station(1)), DEVICE);
    /* Being heard of keeps it. */
    put(f, 1, station(1), BROADCAST);
    f->now += CULVERT_SWITCH_AGEING - 1;
    put(f, 1, station(1), BROADCAST);
    f->now += CULVERT_SWITCH_AGEING - 1;
    assert_remote(put(f, DEVICE, station(9), station(1)), 1);
}

static void test_no_moves(Fixture *f, gconstpointer data)
{
    put(f, 1, station(1), BROADCAST);
    assert_dropped(put(f, 2, station(1), BROADCAST));
    assert_dropped(put(f, 2, station(1), station(7)));
    g_assert_cmpuint(stats_of(f).moved, ==, 2);
    assert_remote(put(f, DEVICE, station(9), station(1)), 1);
    f->now += CULVERT_SWITCH_AGEING - 1;
    assert_dropped(put(f, 2, station(1), BROADCAST));
    /* But to another remote when it has aged, */
    f->now += 1;
    assert_flooded(put(f, 2, station(1), BROADCAST), 2);
    assert_remote(put(f, DEVICE, station(9), station(1)), 2);
    /* and to the device at once. */
    assert_flooded(put(f, DEVICE, station(1), BROADCAST), DEVICE);
    assert_device(put(f, 3, station(3), station(1)));
}

/* Carried from the device's side to a remote's. */
static void test_leaving(Fixture *f, gconstpointer data)
{
    put(f, DEVICE, station(1), BROADCAST);
    f->now += 9 * SECOND;
    put(f, DEVICE, station(1), BROADCAST); /* still there */
    f->now += 10 * SECOND - 1;
    assert_dropped(put(f, 2, station(1), BROADCAST));
    f->now += 1;
    assert_flooded(put(f, 2, station(1), BROADCAST), 2);
    assert_remote(put(f, DEVICE, station(9), station(1)), 2);
    /* From there to another remote is a move between remotes. */
    f->now += CULVERT_SWITCH_AGEING - 1;
    assert_dropped(put(f, 1, station(1), BROADCAST));
}

static void set_own(Fixture *f, guint64 device, guint64 bridge)
{
    guint8 addresses[12];

    put_address(addresses, device);
    put_address(addresses + 6, bridge);
    culvert_switch_set_own(f->ports, addresses, 2);
}

/* However long it has said nothing, in whichever VLAN, and whoever had its address before. */
static void test_own(Fixture *f, gconstpointer data)
{
    put(f, 2, station(1), BROADCAST);
    set_own(f, station(1), station(2));
    for (guint own = 1; own <= 2; own++) {
        f->now += 2 * CULVERT_SWITCH_AGEING;
        assert_dropped(put(f, 1, station(own), BROADCAST));
        assert_dropped(put_tagged(f, 1, station(own), BROADCAST, 0x8100, 10));
        assert_device(put(f, 3, station(3), station(own)));
        assert_device(put_tagged(f, 3, station(3), station(own), 0x8100, 10));
        assert_flooded(put(f, DEVICE, station(own), BROADCAST), DEVICE);
        assert_dropped(put(f, DEVICE, station(9), station(own)));
    }
    g_assert_cmpuint(stats_of(f).moved, ==, 4);
    g_assert_cmpuint(stats_of(f).local, ==, 2);
    /* Another one; the old one is like any other's. */
    set_own(f, station(1), 0);
    f->now += CULVERT_SWITCH_AGEING;
    assert_dropped(put(f, 1, station(1), BROADCAST));
    assert_flooded(put(f, 1, station(2), BROADCAST), 1);
    g_assert_cmpuint(stats_of(f).malformed, ==, 0);
    assert_dropped(put(f, 1, 0, BROADCAST));
    g_assert_cmpuint(stats_of(f).malformed, ==, 1);
}

/* The same address in two VLANs is that of two stations; no tag, and one with a priority only, are
 * the same. */
static void test_vlans(Fixture *f, gconstpointer data)
{
    put(f, 1, station(1), BROADCAST);
    assert_flooded(put_tagged(f, 2, station(1), BROADCAST, 0x8100, 10), 2);
    assert_flooded(put_tagged(f, 3, station(1), BROADCAST, 0x88a8, 4095), 3);
    assert_remote(put(f, DEVICE, station(9), station(1)), 1);
    assert_remote(put_tagged(f, DEVICE, station(9), station(1), 0x8100, 0xe000), 1);
    assert_remote(put_tagged(f, DEVICE, station(9), station(1), 0x8100, 10), 2);
    assert_remote(put_tagged(f, DEVICE, station(9), station(1), 0x8100, 0x700a), 2);
    assert_remote(put_tagged(f, DEVICE, station(9), station(1), 0x88a8, 4095), 3);
    assert_flooded(put_tagged(f, DEVICE, station(9), station(1), 0x8100, 11), DEVICE);
    assert_dropped(put_tagged(f, 3, station(1), BROADCAST, 0x8100, 10));
    assert_dropped(put_tagged(f, 3, station(1), BROADCAST, 0x8100, 0x2000));
}

/* Nothing is read that is not there. */
static void test_half_a_tag(Fixture *f, gconstpointer data)
{
    const guint8 head[14] = {[0] = 2, [5] = 1, [6] = 2, [11] = 2, [12] = 0x81};

    for (gsize len = sizeof head; len < 18; len++) {
        g_autofree guint8 *frame = g_malloc0(len);

        memcpy(frame, head, sizeof head);
        memset(frame + sizeof head, 0xff, len - sizeof head);
        culvert_switch_forward(f->ports, DEVICE, frame, len, 1, f->now, &f->to);
        assert_device(put(f, 1, station(3), station(2)));
    }
}

/* ---- What is not forwarded ------------------------------------------------------------------ */

static void test_refused(Fixture *f, gconstpointer data)
{
    guint8 frame[60] = {0};

    for (guint from = DEVICE; from <= 1; from++) {
        assert_dropped(put(f, from, MULTICAST, BROADCAST));
        assert_dropped(put(f, from, 0, BROADCAST));
    }
    put_address(frame, BROADCAST);
    put_address(frame + 6, station(1));
    culvert_switch_forward(f->ports, DEVICE, frame, 13, 1, f->now, &f->to);
    assert_dropped(&f->to);
    g_assert_cmpuint(stats_of(f).malformed, ==, 5);
}

/* IEEE 802.1Q, table 8-1: all sixteen, and none beside them. */
static void test_reserved(Fixture *f, gconstpointer data)
{
    const guint64 first = G_GUINT64_CONSTANT(0x0180c2000000);

    for (guint i = 0; i < 16; i++) {
        assert_dropped(put(f, DEVICE, station(1), first + i));
        assert_dropped(put(f, 1, station(2), first + i));
    }
    g_assert_cmpuint(stats_of(f).reserved, ==, 32);
    assert_flooded(put(f, DEVICE, station(1), first + 16), DEVICE);
    assert_flooded(put(f, 1, station(2), first - 1), 1);
}

static void test_no_such_port(Fixture *f, gconstpointer data)
{
    assert_dropped(put(f, 4, station(1), BROADCAST));
    assert_dropped(put(f, CULVERT_SWITCH_REMOTES_MAX + 1, station(1), BROADCAST));
}

/* ---- Limits --------------------------------------------------------------------------------- */

/* A remote that invents stations harms itself alone. */
static void test_many_stations(Fixture *f, gconstpointer data)
{
    guint known = 0;

    put(f, 2, station(1), BROADCAST);
    for (guint i = 0; i < 4 * CULVERT_SWITCH_REMOTE_STATIONS; i++)
        put(f, 1, station(1000 + i), station(1));
    put(f, 2, station(2), BROADCAST);
    for (guint i = 0; i < 4 * CULVERT_SWITCH_REMOTE_STATIONS; i++)
        known += put(f, 2, station(1), station(1000 + i))->known;
    g_assert_cmpuint(known, ==, CULVERT_SWITCH_REMOTE_STATIONS);
    assert_remote(put(f, DEVICE, station(9), station(1)), 2);
    assert_remote(put(f, DEVICE, station(9), station(2)), 2);
    /* Those that have aged make room. */
    f->now += CULVERT_SWITCH_AGEING;
    put(f, 1, station(7), BROADCAST);
    assert_remote(put(f, DEVICE, station(9), station(7)), 1);
}

static void test_device_stations(Fixture *f, gconstpointer data)
{
    guint known = 0;

    for (guint i = 0; i < 2 * CULVERT_SWITCH_DEVICE_STATIONS; i++)
        put(f, DEVICE, station(i + 1), station(i + 1));
    for (guint i = 0; i < 2 * CULVERT_SWITCH_DEVICE_STATIONS; i++)
        known += put(f, 1, station(100000), station(i + 1))->known;
    g_assert_cmpuint(known, ==, CULVERT_SWITCH_DEVICE_STATIONS);
}

static guint flood(Fixture *f, guint from, guint64 destination, guint n)
{
    guint flooded = 0;

    for (guint i = 0; i < n; i++)
        flooded += put(f, from, station(from + 1), destination)->flood;
    return flooded;
}

static void test_flood_limit(Fixture *f, gconstpointer data)
{
    const guint copies = CULVERT_SWITCH_COPIES_PER_SECOND;

    /* From a remote to the two others and the device. */
    g_assert_cmpuint(flood(f, 1, BROADCAST, copies), ==, copies / 3);
    g_assert_cmpuint(stats_of(f).flooded, ==, copies - copies / 3);
    assert_dropped(put(f, 1, station(2), BROADCAST));
    /* Each port has a limit of its own. */
    g_assert_cmpuint(flood(f, 2, MULTICAST, copies), ==, copies / 3);
    g_assert_cmpuint(flood(f, DEVICE, station(77), copies), ==, copies / 3);
    f->now += SECOND / 10;
    g_assert_cmpuint(flood(f, 1, BROADCAST, copies), ==, copies / 30);
    f->now += 100 * SECOND;
    g_assert_cmpuint(flood(f, 1, BROADCAST, copies), ==, copies / 3);
    /* Who is known is not concerned. */
    assert_device(put(f, 1, station(2), station(1)));
}

/* Frames for somebody who is not known cost the device what those for its stations do: it gets them
 * all, and what it gets was not dropped. */
static void test_flood_of_unknown(Fixture *f, gconstpointer data)
{
    guint flooded = 0, n = CULVERT_SWITCH_COPIES_PER_SECOND;

    for (guint i = 0; i < n; i++) {
        const CulvertForwarding *to = put(f, 1, station(1), station(77));

        g_assert_true(to->to_device);
        flooded += to->flood;
    }
    g_assert_cmpuint(flooded, ==, n / 2);
    g_assert_cmpuint(stats_of(f).flooded, ==, 0);
}

/* What will be cut to many frames counts as these. */
static void test_flood_limit_of_large_frames(Fixture *f, gconstpointer data)
{
    guint flooded = 0;

    for (guint i = 0; i < 1000; i++)
        flooded += put_many(f, DEVICE, station(1), MULTICAST, 45)->flood;
    g_assert_cmpuint(flooded, ==, CULVERT_SWITCH_COPIES_PER_SECOND / (45 * 3));
}

/* Not even one frame's copies are within the limit: now and then there is one, all the same, and it
 * keeps others away for no longer than a storm does. */
static void test_flood_of_many_copies(Fixture *f, gconstpointer data)
{
    set_remotes(f, 1, CULVERT_SWITCH_REMOTES_MAX);
    g_assert_true(put_many(f, DEVICE, station(1), MULTICAST, 45)->flood);
    g_assert_false(put_many(f, DEVICE, station(1), MULTICAST, 45)->flood);
    f->now += SECOND;
    g_assert_false(put(f, DEVICE, station(1), BROADCAST)->flood);
    f->now += SECOND / 2;
    g_assert_true(put(f, DEVICE, station(1), BROADCAST)->flood);
    f->now += SECOND;
    g_assert_true(put_many(f, DEVICE, station(1), MULTICAST, 45)->flood);
}

/* A stream to a station that never answers is no storm, where there is but one way. */
static void test_one_remote(Fixture *f, gconstpointer data)
{
    const guint limit = CULVERT_SWITCH_COPIES_PER_SECOND;
    guint delivered = 0;

    set_remotes(f, 1, 1);
    g_assert_cmpuint(flood(f, DEVICE, station(77), 3 * limit), ==, 3 * limit);
    g_assert_cmpuint(flood(f, DEVICE, BROADCAST, 3 * limit), ==, limit);
    /* From the only remote there is none to copy to but the device. */
    put(f, 1, station(5), BROADCAST);
    g_assert_true(f->to.to_device && !f->to.flood);
    for (guint i = 0; i < 3 * limit; i++)
        delivered += put(f, 1, station(5), BROADCAST)->to_device;
    g_assert_cmpuint(delivered, ==, limit - 1);
    g_assert_cmpuint(stats_of(f).flooded, ==, 4 * limit + 1);
    g_assert_true(put(f, 1, station(5), station(77))->to_device);
    set_remotes(f, 1, 0);
    assert_dropped(put(f, DEVICE, station(1), BROADCAST));
}

/* ---- Remotes -------------------------------------------------------------------------------- */

static void test_remotes_come_and_go(Fixture *f, gconstpointer data)
{
    guint first = port_of(f, 1), third = port_of(f, 3);

    g_assert_cmpuint(first, ==, 1);
    put(f, first, station(1), BROADCAST);
    put(f, third, station(3), BROADCAST);
    g_assert_cmpuint(set_remotes(f, 3, 4), ==, 0);
    g_assert_cmpuint(port_of(f, 1), ==, 0);
    g_assert_cmpuint(port_of(f, 3), ==, third);
    for (guint i = 4; i <= 6; i++)
        g_assert_cmpuint(port_of(f, i), !=, 0);
    /* Who kept its place has kept its stations; those of who is gone are gone. */
    assert_remote(put(f, DEVICE, station(9), station(3)), 3);
    assert_flooded(put(f, DEVICE, station(9), station(1)), DEVICE);
    put(f, port_of(f, 4), station(1), BROADCAST);
    assert_remote(put(f, DEVICE, station(9), station(1)), 4);
}

/* Who still has the number of one that is gone does not take the next one in its place for it. */
static void test_place_taken_again(Fixture *f, gconstpointer data)
{
    const guint old = port_of(f, 1);
    guint port = 0, n = 0;
    CulvertVtep to;

    set_remotes(f, 2, 3);
    g_assert_cmpuint(port_of(f, 4), !=, old);
    assert_dropped(put(f, old, station(1), BROADCAST));
    g_assert_cmpuint(stats_of(f).gone, ==, 1);
    assert_flooded(put(f, DEVICE, station(9), station(1)), DEVICE);
    while (culvert_switch_next_remote(f->ports, &port, port_of(f, 4), &to))
        n++;
    g_assert_cmpuint(n, ==, 2);
    put(f, port_of(f, 4), station(4), BROADCAST);
    assert_remote(put(f, DEVICE, station(9), station(4)), 4);
    g_assert_cmpuint(f->to.remote, ==, port_of(f, 4));
}

static void test_named_twice(Fixture *f, gconstpointer data)
{
    const CulvertVtep remotes[] = {vtep(1), vtep(8), vtep(8), vtep(1)};
    CulvertVtep to;
    guint port = 0, n = 0;

    g_assert_cmpuint(culvert_switch_set_remotes(f->ports, remotes, 4), ==, 0);
    while (culvert_switch_next_remote(f->ports, &port, DEVICE, &to))
        n++;
    g_assert_cmpuint(n, ==, 2);
}

static void test_many_remotes(Fixture *f, gconstpointer data)
{
    const guint max = CULVERT_SWITCH_REMOTES_MAX;

    g_assert_cmpuint(set_remotes(f, 1, max + 10), ==, 10);
    put(f, port_of(f, max), station(5), BROADCAST);
    assert_remote(put(f, DEVICE, station(9), station(5)), max);
    g_assert_cmpuint(port_of(f, max + 1), ==, 0);
    g_assert_cmpuint(set_remotes(f, max, 2), ==, 0);
    assert_remote(put(f, DEVICE, station(9), station(5)), max);
}

/* ---- At random ------------------------------------------------------------------------------ */

#define STATIONS 40

typedef struct {
    gint port; /* -1: unknown */
    gint64 heard;
} Known;

static gboolean is_there(const Known *known, gint64 now)
{
    return known->port >= 0 && now - known->heard < CULVERT_SWITCH_AGEING;
}

/* Few enough for no limit to matter, but that of floods, which only lets less through. */
static void step(Fixture *f, GRand *rand, Known *model)
{
    guint from = (guint) g_rand_int_range(rand, 0, 4), source, destination;
    const CulvertForwarding *to;
    gboolean may_leave;

    f->now += g_rand_int_range(rand, 0, 10 * SECOND);
    source = (guint) g_rand_int_range(rand, 0, STATIONS);
    destination = (guint) g_rand_int_range(rand, 0, STATIONS);
    to = put(f, from == DEVICE ? DEVICE : port_of(f, from), station(source), station(destination));
    may_leave = model[source].port == DEVICE && f->now - model[source].heard >= 10 * SECOND;
    if (is_there(&model[source], f->now) && model[source].port != (gint) from && from != DEVICE &&
        !may_leave) {
        assert_dropped(to);
        return;
    }
    model[source] = (Known){(gint) from, f->now};
    if (!is_there(&model[destination], f->now))
        assert_flooded(to, from);
    else if (model[destination].port == (gint) from)
        assert_dropped(to);
    else if (model[destination].port == DEVICE)
        assert_device(to);
    else
        assert_remote(to, (guint) model[destination].port);
}

static void test_random(Fixture *f, gconstpointer data)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(4789);
    Known model[STATIONS];

    for (guint i = 0; i < STATIONS; i++)
        model[i].port = -1;
    for (guint i = 0; i < 100000; i++) {
        if (g_rand_int_range(rand, 0, 500) == 0) {
            guint gone = (guint) g_rand_int_range(rand, 1, 4);
            CulvertVtep rest[] = {vtep(gone % 3 + 1), vtep((gone + 1) % 3 + 1)};

            culvert_switch_set_remotes(f->ports, rest, 2);
            set_remotes(f, 1, 3);
            for (guint s = 0; s < STATIONS; s++) {
                if (model[s].port == (gint) gone)
                    model[s].port = -1;
            }
        }
        step(f, rand, model);
    }
}

/* Whoever shares it out among threads; what it says is looked at by a sanitizer. */
static gpointer use(gpointer data)
{
    Fixture mine = *(Fixture *) data;

    for (guint i = 0; i < 20000; i++)
        put(&mine, i % 4, station(i % 500), i % 7 ? station(i % 300) : BROADCAST);
    return NULL;
}

static void test_threads(Fixture *f, gconstpointer data)
{
    GThread *threads[4];

    for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
        threads[i] = g_thread_new("use", use, f);
    for (guint i = 0; i < 200; i++)
        set_remotes(f, 1, 1 + i % 5);
    for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
        g_thread_join(threads[i]);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *path;
        void (*test)(Fixture *, gconstpointer);
    } tests[] = {
        {"/switch/learn", test_learn},
        {"/switch/split-horizon", test_split_horizon},
        {"/switch/ageing", test_ageing},
        {"/switch/no-moves", test_no_moves},
        {"/switch/leaving", test_leaving},
        {"/switch/own", test_own},
        {"/switch/vlans", test_vlans},
        {"/switch/half-a-tag", test_half_a_tag},
        {"/switch/refused", test_refused},
        {"/switch/reserved", test_reserved},
        {"/switch/no-such-port", test_no_such_port},
        {"/switch/limits/stations-of-a-remote", test_many_stations},
        {"/switch/limits/stations-of-the-device", test_device_stations},
        {"/switch/limits/flood", test_flood_limit},
        {"/switch/limits/flood-of-unknown", test_flood_of_unknown},
        {"/switch/limits/flood-of-large-frames", test_flood_limit_of_large_frames},
        {"/switch/limits/flood-of-many-copies", test_flood_of_many_copies},
        {"/switch/limits/one-remote", test_one_remote},
        {"/switch/remotes/come-and-go", test_remotes_come_and_go},
        {"/switch/remotes/place-taken-again", test_place_taken_again},
        {"/switch/remotes/named-twice", test_named_twice},
        {"/switch/remotes/many", test_many_remotes},
        {"/switch/random", test_random},
        {"/switch/threads", test_threads},
    };

    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add(tests[i].path, Fixture, NULL, set_up, tests[i].test, tear_down);
    return g_test_run();
}
