/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bench-peers.c: what a gateway's many peers cost: look-ups, turns of the control thread,
 * handshakes, memory. Prints a table; `meson test --benchmark` runs it. It fails if look-ups take
 * much longer among many peers than among few.
 */
#include "wireguard/wg-private.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FEW  10
#define MANY 10000

/* How much longer: a search of them all would take 1000 times as long; other work on the machine
 * and a cold cache do not make three of one. */
#define SLOWER_MAX 3.0

#define LOOKUPS    4000000
#define RUNS       20000
#define HANDSHAKES 3000

static double seconds_now(void)
{
    return (double) g_get_monotonic_time() / G_USEC_PER_SEC;
}

static void put32(guint8 *p, guint32 value)
{
    value = GUINT32_TO_BE(value);
    memcpy(p, &value, sizeof value);
}

/* Peer `i` has 10.x.y.z/32 and fd00::x:y:z/128. */
static WgPrefix prefix_of(guint i, int family)
{
    WgPrefix prefix = {.family = (guint8) family, .length = family == AF_INET ? 32 : 128};

    if (family == AF_INET) {
        put32(prefix.addr, 0x0a000000 + i);
    } else {
        prefix.addr[0] = 0xfd;
        put32(prefix.addr + 12, i);
    }
    return prefix;
}

/* ---- Look-ups ------------------------------------------------------------------------------- */

static double lookup_ns(guint n_peers, int family)
{
    g_autoptr(WgAllowedIps) table = wg_allowed_ips_new();
    g_autofree WgPrefix *asked = g_new(WgPrefix, 4096);
    guint found = 0;
    double start;

    for (guint i = 0; i < n_peers; i++) {
        WgPrefix v4 = prefix_of(i, AF_INET), v6 = prefix_of(i, AF_INET6);

        wg_allowed_ips_insert(table, &v4, GUINT_TO_POINTER(i + 1));
        wg_allowed_ips_insert(table, &v6, GUINT_TO_POINTER(i + 1));
    }
    for (guint i = 0; i < 4096; i++)
        asked[i] = prefix_of((guint) g_random_int_range(0, (gint) n_peers), family);
    start = seconds_now();
    for (guint i = 0; i < LOOKUPS; i++)
        found += wg_allowed_ips_lookup(table, family, asked[i % 4096].addr) != NULL;
    g_assert_cmpuint(found, ==, LOOKUPS);
    return (seconds_now() - start) / LOOKUPS * 1e9;
}

/* ---- Devices -------------------------------------------------------------------------------- */

static WgDevice *device_new(void)
{
    WgDevice *device = wg_device_new(NULL, NULL);
    WgKey key;

    wg_key_generate(&key);
    wg_device_set_private_key(device, &key);
    wg_device_set_up(device, TRUE);
    return device;
}

static void add_peers(WgDevice *device, guint n)
{
    for (guint i = 0; i < n; i++) {
        WgPrefix v4 = prefix_of(i, AF_INET), v6 = prefix_of(i, AF_INET6);
        WgKey key;
        WgPeer *peer;

        wg_random(&key, sizeof key);
        peer = wg_device_add_peer(device, &key);
        wg_peer_add_allowed_ip(peer, &v4);
        wg_peer_add_allowed_ip(peer, &v6);
    }
}

static gsize resident(void)
{
    gsize size = 0, pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");

    g_assert_nonnull(file);
    g_assert_cmpint(fscanf(file, "%zu %zu", &size, &pages), ==, 2);
    fclose(file);
    return pages * (gsize) sysconf(_SC_PAGESIZE);
}

static void drain(WgDevice *device)
{
    WgOutput output;

    while (wg_device_pop(device, &output))
        g_free(output.data);
}

/* A turn in which one peer of `n` has something to do. */
static double run_us(guint n)
{
    g_autoptr(WgDevice) device = device_new();
    gint64 now = WG_SECOND;
    double start;

    add_peers(device, n);
    wg_device_run(device, now, now);
    start = seconds_now();
    for (guint i = 0; i < RUNS; i++) {
        wg_peer_initiate(g_ptr_array_index(wg_device_get_peers(device), i * 7919 % n), FALSE);
        now++;
        wg_device_run(device, now, now);
    }
    start = seconds_now() - start;
    drain(device);
    return start / RUNS * 1e6;
}

/* ---- Handshakes ----------------------------------------------------------------------------- */

static const WgEndpoint somewhere = {.remote.in4 = {.sin_family = AF_INET, .sin_port = 1}};

/* Initiations of as many peers of the responder. */
static GPtrArray *make_initiations(WgDevice *responder)
{
    GPtrArray *datagrams = g_ptr_array_new_with_free_func(g_free);

    for (guint i = 0; i < HANDSHAKES; i++) {
        g_autoptr(WgDevice) initiator = device_new();
        WgPeer *peer = wg_device_add_peer(initiator, wg_device_get_public_key(responder));
        WgOutput output;

        wg_device_add_peer(responder, wg_device_get_public_key(initiator));
        wg_peer_set_endpoint(peer, &somewhere);
        wg_peer_initiate(peer, TRUE);
        wg_device_run(initiator, WG_SECOND, g_get_real_time());
        g_assert_true(wg_device_pop(initiator, &output));
        g_assert_cmpuint(output.len, ==, WG_INITIATION_SIZE);
        g_ptr_array_add(datagrams, output.data);
    }
    return datagrams;
}

static double time_initiations(WgDevice *device, GPtrArray *datagrams, gboolean under_load)
{
    double start = seconds_now();
    gint64 now = WG_SECOND;

    for (guint i = 0; i < datagrams->len; i++) {
        WgEndpoint source = somewhere;

        source.remote.in4.sin_addr.s_addr = g_htonl(0x0a000000 + i);
        wg_device_receive(device, g_ptr_array_index(datagrams, i), WG_INITIATION_SIZE, &source,
                          under_load, now);
        wg_device_run(device, now++, G_USEC_PER_SEC);
    }
    start = seconds_now() - start;
    drain(device);
    return datagrams->len / start;
}

static void handshakes(void)
{
    g_autoptr(WgDevice) responder = device_new();
    g_autoptr(GPtrArray) datagrams = make_initiations(responder);
    WgDeviceStats stats;
    double answered, cookies;

    /* Cookies first: they change nothing, and the initiations stay new. */
    cookies = time_initiations(responder, datagrams, TRUE);
    answered = time_initiations(responder, datagrams, FALSE);
    wg_device_get_stats(responder, &stats);
    g_assert_cmpuint(stats.dropped_handshake, ==, 0);
    printf("handshakes as responder, one thread      %10.0f /s\n", answered);
    printf("initiations answered by a cookie         %10.0f /s\n", cookies);
}

static void memory(void)
{
    gsize before = resident();
    g_autoptr(WgDevice) device = device_new();

    add_peers(device, MANY);
    printf("resident, an idle peer with two prefixes %10.0f bytes\n",
           (double) (resident() - before) / MANY);
}

/* FALSE: it depends on the number of peers. */
static gboolean lookups(const char *family_name, int family)
{
    double few = lookup_ns(FEW, family), many = lookup_ns(MANY, family);

    printf("look-up,      %s: %5d / %5d peers     %6.1f / %.1f ns\n", family_name, FEW, MANY, few,
           many);
    if (many <= SLOWER_MAX * few)
        return TRUE;
    fprintf(stderr, "A look-up among %d peers takes more than %.0f times as long as among %d\n",
            MANY, SLOWER_MAX, FEW);
    return FALSE;
}

int main(void)
{
    gboolean steady;

    memory();
    steady = lookups("IPv4", AF_INET);
    steady &= lookups("IPv6", AF_INET6);
    printf("turn for one peer of %5d / %5d         %6.2f / %.2f us\n", FEW, MANY, run_us(FEW),
           run_us(MANY));
    handshakes();
    return steady ? 0 : 1;
}
