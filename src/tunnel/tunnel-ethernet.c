/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tunnel-ethernet.c: a tunnel that carries Ethernet: which of its peers take part, and from and to
 * which of them a frame goes. The frames' ways are in tunnel-send.c and tunnel-receive.c.
 */
#include "tunnel-private.h"

#include <arpa/inet.h>
#include <string.h>

#include "tun/culvert-ethernet.h"

/* ---- Who takes part ------------------------------------------------------------------------- */

static gboolean is_host_of(const WgPrefix *prefix, int family)
{
    return prefix->family == family && prefix->length == 8 * wg_address_size(family);
}

/* How many bits two addresses of a family have in common at their beginning. */
static guint common_bits(const CulvertVtep *a, const CulvertVtep *b)
{
    guint bits = 0, n = 8 * (guint) wg_address_size(a->family);

    while (bits < n && !((a->address[bits / 8] ^ b->address[bits / 8]) & (0x80 >> bits % 8)))
        bits++;
    return bits;
}

static gboolean is_nearer(const CulvertVtep *local, const CulvertVtep *a, const CulvertVtep *b)
{
    guint of_a = common_bits(local, a), of_b = common_bits(local, b);

    return of_a > of_b || (of_a == of_b && memcmp(a->address, b->address, sizeof a->address) < 0);
}

/* A peer may be allowed hosts behind it, too. The other end of the tunnel is likely to be numbered
 * like this one. Allowed IPs have no order that anybody gave them. */
static CulvertVtep vtep_of(WgPeer *peer, const CulvertVtep *local)
{
    g_autoptr(GArray) prefixes = wg_peer_get_allowed_ips(peer);
    CulvertVtep nearest = {0};

    for (guint i = 0; i < prefixes->len; i++) {
        const WgPrefix *prefix = &g_array_index(prefixes, WgPrefix, i);
        CulvertVtep vtep = {.family = local->family};

        if (!is_host_of(prefix, local->family))
            continue;
        memcpy(vtep.address, prefix->addr, wg_address_size(local->family));
        if (culvert_vtep_equal(&vtep, local))
            continue; /* would send our frames back to us */
        if (nearest.family == AF_UNSPEC || is_nearer(local, &vtep, &nearest))
            nearest = vtep;
    }
    return nearest;
}

/* Once, unless it becomes another one. */
static void report_vtep(TunnelEthernet *self, const char *key, const CulvertVtep *vtep)
{
    const CulvertVtep *reported = g_hash_table_lookup(self->reported, key);
    char address[INET6_ADDRSTRLEN];

    if (reported && culvert_vtep_equal(reported, vtep))
        return;
    g_hash_table_replace(self->reported, g_strdup(key), g_memdup2(vtep, sizeof *vtep));
    inet_ntop(vtep->family, vtep->address, address, sizeof address);
    g_info("Peer %.8s…: Ethernet goes to %s", key, address);
}

/* FALSE: the peer takes no part. */
static gboolean find_vtep(TunnelEthernet *self, WgPeer *peer, CulvertVtep *vtep)
{
    const CulvertVtep *set;
    char key[WG_KEY_BASE64_SIZE];

    wg_key_to_base64(wg_peer_get_public_key(peer), key);
    set = g_hash_table_lookup(self->vteps, key);
    *vtep = set ? *set : vtep_of(peer, &self->local);
    if (vtep->family != self->local.family || culvert_vtep_equal(vtep, &self->local)) {
        g_hash_table_remove(self->reported, key);
        return FALSE;
    }
    report_vtep(self, key, vtep);
    return TRUE;
}

static void report(TunnelEthernet *self, guint n, guint n_peers, guint left_out)
{
    if (n - left_out == self->n_reported)
        return;
    self->n_reported = n - left_out;
    g_info("Ethernet goes to %u of %u peers", n - left_out, n_peers);
    if (left_out > 0)
        g_warning("%u peers are left out: there can be %u that carry Ethernet", left_out,
                  CULVERT_SWITCH_REMOTES_MAX);
}

void tunnel_ethernet_update(CulvertTunnel *tunnel)
{
    TunnelEthernet *self = tunnel->ethernet;
    GPtrArray *peers = wg_device_get_peers(tunnel->device);
    g_autoptr(GArray) remotes = NULL;

    if (!self)
        return;
    remotes = g_array_new(FALSE, FALSE, sizeof(CulvertVtep));
    for (guint i = 0; i < peers->len; i++) {
        CulvertVtep vtep;

        if (find_vtep(self, g_ptr_array_index(peers, i), &vtep))
            g_array_append_val(remotes, vtep);
    }
    report(
        self, remotes->len, peers->len,
        culvert_switch_set_remotes(self->ports, (const CulvertVtep *) remotes->data, remotes->len));
}

/* ---- Frames --------------------------------------------------------------------------------- */

const CulvertForwarding *tunnel_ethernet_forward(TunnelEthernet *self, TunnelRecent *recent,
                                                 guint from, const guint8 *frame, gsize len,
                                                 guint count, gint64 now)
{
    if (recent->to.known && recent->from == from && len >= ETHERNET_HEADER_SIZE &&
        memcmp(recent->addresses, frame, sizeof recent->addresses) == 0 &&
        recent->vlan == culvert_ethernet_find_vlan(frame, len))
        return &recent->to;
    culvert_switch_forward(self->ports, from, frame, len, count, now, &recent->to);
    if (recent->to.known) {
        recent->from = from;
        recent->vlan = culvert_ethernet_find_vlan(frame, len);
        memcpy(recent->addresses, frame, sizeof recent->addresses);
    }
    return &recent->to;
}

guint tunnel_ethernet_receive(TunnelEthernet *self, TunnelRecent *recent, guint8 *packet, gsize len,
                              guint8 **frame, gsize *frame_len)
{
    CulvertVtep source;

    if (culvert_vxlan_unwrap(self->vni, &self->local, packet, len, &source, frame, frame_len)) {
        if (recent->source_port != 0 && culvert_vtep_equal(&source, &recent->source))
            return recent->source_port;
        recent->source = source;
        recent->source_port = culvert_switch_find_remote(self->ports, &source);
        if (recent->source_port != 0)
            return recent->source_port;
    }
    tunnel_count(&self->not_vxlan, 1);
    return 0;
}

/* ---- Settings ------------------------------------------------------------------------------- */

void culvert_tunnel_set_ethernet(CulvertTunnel *tunnel, guint32 vni, const CulvertVtep *local)
{
    TunnelEthernet *self;

    g_return_if_fail(!culvert_tunnel_is_listening(tunnel) && !atomic_load(&tunnel->tun));
    g_return_if_fail(vni <= CULVERT_VXLAN_ID_MAX && local->family != AF_UNSPEC);

    tunnel_ethernet_free(tunnel->ethernet);
    tunnel->ethernet = self = g_new0(TunnelEthernet, 1);
    self->vni = vni;
    self->local = *local;
    self->ports = culvert_switch_new();
    self->vteps = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    self->reported = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    tunnel_ethernet_update(tunnel);
}

void culvert_tunnel_set_vtep(CulvertTunnel *tunnel, const WgKey *public_key,
                             const CulvertVtep *vtep)
{
    char key[WG_KEY_BASE64_SIZE];

    g_return_if_fail(tunnel->ethernet);

    wg_key_to_base64(public_key, key);
    if (vtep)
        g_hash_table_replace(tunnel->ethernet->vteps, g_strdup(key), g_memdup2(vtep, sizeof *vtep));
    else
        g_hash_table_remove(tunnel->ethernet->vteps, key);
    tunnel_ethernet_update(tunnel);
}

void culvert_tunnel_set_own_macs(CulvertTunnel *tunnel, const guint8 *device, const guint8 *bridge)
{
    guint8 addresses[CULVERT_SWITCH_OWN_MAX * ETHERNET_ADDRESS_SIZE];

    if (!tunnel->ethernet)
        return;
    memcpy(addresses, device, ETHERNET_ADDRESS_SIZE);
    memcpy(addresses + ETHERNET_ADDRESS_SIZE, bridge, ETHERNET_ADDRESS_SIZE);
    culvert_switch_set_own(tunnel->ethernet->ports, addresses, CULVERT_SWITCH_OWN_MAX);
}

void culvert_tunnel_log_ethernet(CulvertTunnel *tunnel)
{
    const TunnelEthernet *self = tunnel->ethernet;
    char address[INET6_ADDRSTRLEN];

    if (!self)
        return;
    inet_ntop(self->local.family, self->local.address, address, sizeof address);
    g_message("Ethernet: VXLAN %u, port %u, from %s in the tunnel", self->vni, CULVERT_VXLAN_PORT,
              address);
}

guint culvert_tunnel_get_overhead(CulvertTunnel *tunnel)
{
    if (!tunnel->ethernet)
        return 0;
    return tunnel->ethernet->local.family == AF_INET ? CULVERT_VXLAN_OVERHEAD_IPV4
                                                     : CULVERT_VXLAN_OVERHEAD_IPV6;
}

void tunnel_ethernet_free(TunnelEthernet *self)
{
    if (!self)
        return;
    culvert_switch_free(self->ports);
    g_hash_table_unref(self->vteps);
    g_hash_table_unref(self->reported);
    g_free(self);
}
