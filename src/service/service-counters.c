/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * service-counters.c: from the counters of the protocol core and the tunnel to dictionaries.
 */
#include "service-counters.h"

#include <arpa/inet.h>
#include <time.h>

#include "service-attempts.h"

/* A number for each reason. */
#define DROPS_TYPE "a{st}"

typedef struct {
    const char *reason;
    guint64 count;
} Drop;

/* All reasons, also those that never occurred: a reader need not know them beforehand. */
static void add_drops(GVariantBuilder *builder, const Drop *drops, gsize n)
{
    for (gsize i = 0; i < n; i++)
        g_variant_builder_add(builder, "{st}", drops[i].reason, drops[i].count);
}

/* ---- The tunnel ----------------------------------------------------------------------------- */

static void add_tunnel_drops(GVariantBuilder *builder, const WgDeviceStats *device,
                             const CulvertTunnelStats *tunnel)
{
    const Drop drops[] = {
        {"first-mac", device->dropped_mac1},
        {"handshake", device->dropped_handshake},
        {"rate-limited", device->dropped_ratelimited},
        {"malformed", device->dropped_malformed},
        {"no-session", device->dropped_no_session},
        {"unauthentic", device->dropped_unauthentic},
        {"no-peer", device->tx_no_peer},
        {"no-endpoint", device->tx_no_endpoint},
        {"not-sent", tunnel->udp_send_dropped},
        {"not-delivered", tunnel->tun_write_dropped},
        {"looped", tunnel->looped},
    };

    add_drops(builder, drops, G_N_ELEMENTS(drops));
}

static void add_ethernet_drops(GVariantBuilder *builder, const CulvertTunnelStats *tunnel)
{
    const Drop drops[] = {
        {"not-ethernet", tunnel->not_vxlan},
        {"frame-malformed", tunnel->switched.malformed},
        {"frame-reserved", tunnel->switched.reserved},
        {"station-moved", tunnel->switched.moved},
        {"flooded", tunnel->switched.flooded},
        {"frame-not-sent", tunnel->frames_not_sent},
    };

    add_drops(builder, drops, G_N_ELEMENTS(drops));
}

static void add_total_bytes(GVariantDict *dict, WgDevice *device)
{
    GPtrArray *peers = wg_device_get_peers(device);
    guint64 rx = 0;
    guint64 tx = 0;

    for (guint i = 0; i < peers->len; i++) {
        WgPeerStats stats;

        wg_peer_get_stats(g_ptr_array_index(peers, i), &stats);
        rx += stats.rx_bytes;
        tx += stats.tx_bytes;
    }
    g_variant_dict_insert(dict, "rx-bytes", "t", rx);
    g_variant_dict_insert(dict, "tx-bytes", "t", tx);
}

void culvert_counters_add_tunnel(GVariantDict *dict, CulvertTunnel *tunnel)
{
    WgDevice *device = culvert_tunnel_get_device(tunnel);
    WgDeviceStats device_stats;
    CulvertTunnelStats tunnel_stats;
    GVariantBuilder drops;

    wg_device_get_stats(device, &device_stats);
    culvert_tunnel_get_stats(tunnel, &tunnel_stats);
    g_variant_dict_insert(dict, "listen-port", "q", culvert_tunnel_get_listen_port(tunnel));
    add_total_bytes(dict, device);
    g_variant_dict_insert(dict, "rx-packets", "t", tunnel_stats.tun_write_packets);
    g_variant_dict_insert(dict, "tx-packets", "t", tunnel_stats.tun_read_packets);
    g_variant_builder_init(&drops, G_VARIANT_TYPE(DROPS_TYPE));
    add_tunnel_drops(&drops, &device_stats, &tunnel_stats);
    if (culvert_tunnel_get_overhead(tunnel) > 0)
        add_ethernet_drops(&drops, &tunnel_stats);
    g_variant_dict_insert_value(dict, "drops", g_variant_builder_end(&drops));
}

/* ---- A peer --------------------------------------------------------------------------------- */

static gint64 boot_time(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return now.tv_sec * G_USEC_PER_SEC + now.tv_nsec / 1000;
}

/* The age is not the difference of two wall clocks: it holds when the clock is set. */
static void add_last_handshake(GVariantDict *dict, const WgPeerStats *stats)
{
    guint64 age = MAX(boot_time() - stats->last_handshake_us, 0) / G_USEC_PER_SEC;

    if (stats->last_handshake_us == 0)
        return;
    g_variant_dict_insert(dict, "last-handshake", "t",
                          (guint64) (stats->last_handshake_real_us / G_USEC_PER_SEC));
    g_variant_dict_insert(dict, "last-handshake-age", "t", age);
}

static void add_peer_drops(GVariantBuilder *builder, const WgPeerStats *stats)
{
    const Drop drops[] = {
        {"not-allowed", stats->dropped_allowed_ips},
        {"replayed", stats->dropped_replayed},
        {"malformed", stats->dropped_malformed},
        {"waited-in-vain", stats->dropped_staged},
    };

    add_drops(builder, drops, G_N_ELEMENTS(drops));
}

void culvert_counters_add_peer(GVariantDict *dict, WgPeer *peer)
{
    WgPeerStats stats;
    GVariantBuilder drops;

    wg_peer_get_stats(peer, &stats);
    add_last_handshake(dict, &stats);
    g_variant_dict_insert(dict, "handshakes", "t", stats.handshakes);
    g_variant_dict_insert(dict, "initiations-unanswered", "u", stats.initiations_unanswered);
    g_variant_dict_insert(dict, "rx-bytes", "t", stats.rx_bytes);
    g_variant_dict_insert(dict, "tx-bytes", "t", stats.tx_bytes);
    g_variant_builder_init(&drops, G_VARIANT_TYPE(DROPS_TYPE));
    add_peer_drops(&drops, &stats);
    g_variant_dict_insert_value(dict, "drops", g_variant_builder_end(&drops));
}

static GVariant *build_allowed_ips(WgPeer *peer)
{
    g_autoptr(GArray) prefixes = wg_peer_get_allowed_ips(peer);
    GVariantBuilder builder;

    g_variant_builder_init(&builder, G_VARIANT_TYPE_STRING_ARRAY);
    for (guint i = 0; i < prefixes->len; i++) {
        const WgPrefix *prefix = &g_array_index(prefixes, WgPrefix, i);
        char address[INET6_ADDRSTRLEN];

        inet_ntop(prefix->family, prefix->addr, address, sizeof address);
        g_variant_builder_add_value(
            &builder, g_variant_new_take_string(g_strdup_printf("%s/%u", address, prefix->length)));
    }
    return g_variant_builder_end(&builder);
}

void culvert_counters_add_peer_settings(GVariantDict *dict, CulvertTunnel *tunnel, WgPeer *peer)
{
    const WgKey *public_key = wg_peer_get_public_key(peer);
    g_autoptr(GInetSocketAddress) endpoint = culvert_tunnel_get_endpoint(tunnel, public_key);
    g_autofree char *where = endpoint ? culvert_attempts_endpoint_to_string(endpoint) : NULL;
    char key[WG_KEY_BASE64_SIZE];

    wg_key_to_base64(public_key, key);
    g_variant_dict_insert(dict, "public-key", "s", key);
    g_variant_dict_insert(dict, "endpoint", "s", where ? where : "");
    g_variant_dict_insert_value(dict, "allowed-ips", build_allowed_ips(peer));
    g_variant_dict_insert(dict, "persistent-keepalive", "q", wg_peer_get_keepalive(peer));
}
