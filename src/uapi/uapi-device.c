/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * uapi-device.c: a request applied to a tunnel, and a tunnel printed. The order of the answer's
 * lines is that of https://www.wireguard.com/xplatform/.
 */
#include "uapi-device.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

/* ---- Applying ------------------------------------------------------------------------------- */

static int errno_of(const GError *error)
{
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE))
        return EADDRINUSE;
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED))
        return EPERM;
    return EIO;
}

/* The two that can fail, first. */
static int apply_sockets(CulvertTunnel *tunnel, const UapiSet *set)
{
    guint16 old_port = culvert_tunnel_get_listen_port(tunnel);
    g_autoptr(GError) error = NULL;

    if (set->has_listen_port && !culvert_tunnel_set_listen_port(tunnel, set->listen_port, &error))
        return errno_of(error);
    if (set->has_fwmark && !culvert_tunnel_set_fwmark(tunnel, set->fwmark, &error)) {
        if (set->has_listen_port)
            culvert_tunnel_set_listen_port(tunnel, old_port, NULL);
        return errno_of(error);
    }
    return 0;
}

static void apply_allowed_ips(WgPeer *peer, const UapiPeer *wanted)
{
    if (wanted->replace_allowed_ips)
        wg_peer_clear_allowed_ips(peer);
    for (guint i = 0; wanted->allowed_ips && i < wanted->allowed_ips->len; i++) {
        const UapiAllowedIp *allowed = &g_array_index(wanted->allowed_ips, UapiAllowedIp, i);

        if (allowed->remove)
            wg_peer_remove_allowed_ip(peer, &allowed->prefix);
        else
            wg_peer_add_allowed_ip(peer, &allowed->prefix);
    }
}

static void apply_peer(WgDevice *device, const UapiPeer *wanted)
{
    WgPeer *peer = wg_device_find_peer(device, &wanted->public_key);

    if (wanted->remove) {
        if (peer)
            wg_device_remove_peer(device, peer);
        return;
    }
    if (!peer && wanted->update_only)
        return;
    if (!peer)
        peer = wg_device_add_peer(device, &wanted->public_key);
    if (!peer)
        return; /* our own key: ignored, as the kernel does */
    if (wanted->has_preshared_key)
        wg_peer_set_preshared_key(peer, &wanted->preshared_key);
    if (wanted->has_endpoint)
        wg_peer_set_endpoint(peer, &wanted->endpoint);
    apply_allowed_ips(peer, wanted);
    if (wanted->has_keepalive)
        wg_peer_set_keepalive(peer, wanted->keepalive);
}

static void remove_all_peers(WgDevice *device)
{
    GPtrArray *peers = wg_device_get_peers(device);

    while (peers->len > 0)
        wg_device_remove_peer(device, g_ptr_array_index(peers, peers->len - 1));
}

int uapi_device_apply(CulvertTunnel *tunnel, const UapiSet *set)
{
    WgDevice *device = culvert_tunnel_get_device(tunnel);
    int errsv = apply_sockets(tunnel, set);

    if (errsv != 0)
        return errsv;
    if (set->has_private_key)
        wg_device_set_private_key(device, &set->private_key);
    if (set->replace_peers)
        remove_all_peers(device);
    for (guint i = 0; i < set->peers->len; i++)
        apply_peer(device, g_ptr_array_index(set->peers, i));
    culvert_tunnel_peers_changed(tunnel);
    return 0;
}

/* ---- Printing ------------------------------------------------------------------------------- */

static void print_key(GString *out, const char *name, const WgKey *key)
{
    static const char digits[] = "0123456789abcdef";
    char hex[2 * WG_KEY_SIZE + 1];

    for (guint i = 0; i < WG_KEY_SIZE; i++) {
        hex[2 * i] = digits[key->bytes[i] >> 4];
        hex[2 * i + 1] = digits[key->bytes[i] & 15];
    }
    hex[2 * WG_KEY_SIZE] = '\0';
    g_string_append_printf(out, "%s=%s\n", name, hex);
    wg_wipe(hex, sizeof hex);
}

static void print_endpoint(GString *out, WgPeer *peer)
{
    char host[INET6_ADDRSTRLEN];
    WgEndpoint endpoint;

    wg_peer_get_endpoint(peer, &endpoint);
    if (endpoint.remote.any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &endpoint.remote.in4.sin_addr, host, sizeof host);
        g_string_append_printf(out, "endpoint=%s:%u\n", host,
                               g_ntohs(endpoint.remote.in4.sin_port));
    } else if (endpoint.remote.any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &endpoint.remote.in6.sin6_addr, host, sizeof host);
        g_string_append_printf(out, "endpoint=[%s", host);
        if (endpoint.remote.in6.sin6_scope_id != 0)
            g_string_append_printf(out, "%%%u", endpoint.remote.in6.sin6_scope_id);
        g_string_append_printf(out, "]:%u\n", g_ntohs(endpoint.remote.in6.sin6_port));
    }
}

static void print_allowed_ips(GString *out, WgPeer *peer)
{
    g_autoptr(GArray) prefixes = wg_peer_get_allowed_ips(peer);
    char address[INET6_ADDRSTRLEN];

    for (guint i = 0; i < prefixes->len; i++) {
        const WgPrefix *prefix = &g_array_index(prefixes, WgPrefix, i);

        inet_ntop(prefix->family, prefix->addr, address, sizeof address);
        g_string_append_printf(out, "allowed_ip=%s/%u\n", address, prefix->length);
    }
}

static void print_peer(GString *out, WgPeer *peer)
{
    WgPeerStats stats;

    wg_peer_get_stats(peer, &stats);
    print_key(out, "public_key", wg_peer_get_public_key(peer));
    print_key(out, "preshared_key", wg_peer_get_preshared_key(peer));
    g_string_append(out, "protocol_version=1\n");
    print_endpoint(out, peer);
    g_string_append_printf(out,
                           "last_handshake_time_sec=%" G_GINT64_FORMAT "\n"
                           "last_handshake_time_nsec=%" G_GINT64_FORMAT "\n"
                           "tx_bytes=%" G_GUINT64_FORMAT "\n"
                           "rx_bytes=%" G_GUINT64_FORMAT "\n"
                           "persistent_keepalive_interval=%u\n",
                           stats.last_handshake_real_us / G_USEC_PER_SEC,
                           stats.last_handshake_real_us % G_USEC_PER_SEC * 1000, stats.tx_bytes,
                           stats.rx_bytes, wg_peer_get_keepalive(peer));
    print_allowed_ips(out, peer);
}

GString *uapi_device_print(CulvertTunnel *tunnel)
{
    WgDevice *device = culvert_tunnel_get_device(tunnel);
    GPtrArray *peers = wg_device_get_peers(device);
    /* Grown once, so that no copy of a key stays behind in freed memory. */
    GString *out = g_string_sized_new(256 + 512 * (gsize) peers->len);
    const WgKey *private_key = wg_device_get_private_key(device);
    guint16 port = culvert_tunnel_get_listen_port(tunnel);
    guint32 fwmark = culvert_tunnel_get_fwmark(tunnel);

    if (private_key)
        print_key(out, "private_key", private_key);
    g_string_append_printf(out, "listen_port=%u\n", port);
    if (fwmark != 0)
        g_string_append_printf(out, "fwmark=%u\n", fwmark);
    for (guint i = 0; i < peers->len; i++)
        print_peer(out, g_ptr_array_index(peers, i));
    return out;
}
