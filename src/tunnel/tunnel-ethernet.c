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
    return prefix->family == family && prefix->length == (family == AF_INET ? 32 : 128);
}

static CulvertVtep vtep_of(WgPeer *peer, int family)
{
    g_autoptr(GArray) prefixes = wg_peer_get_allowed_ips(peer);
    CulvertVtep vtep = {0};

    for (guint i = 0; i < prefixes->len; i++) {
        const WgPrefix *prefix = &g_array_index(prefixes, WgPrefix, i);

        if (!is_host_of(prefix, family))
            continue;
        vtep.family = family;
        memcpy(vtep.address, prefix->addr, family == AF_INET ? 4 : 16);
        break;
    }
    return vtep;
}

static CulvertVtep find_vtep(TunnelEthernet *self, WgPeer *peer)
{
    const WgKey *public_key = wg_peer_get_public_key(peer);
    const CulvertVtep *set;
    char key[WG_KEY_BASE64_SIZE];

    wg_key_to_base64(public_key, key);
    set = g_hash_table_lookup(self->vteps, key);
    return set ? *set : vtep_of(peer, self->local.family);
}

static void report(guint n, guint n_peers, guint left_out)
{
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
        CulvertVtep vtep = find_vtep(self, g_ptr_array_index(peers, i));

        if (vtep.family == self->local.family && !culvert_vtep_equal(&vtep, &self->local))
            g_array_append_val(remotes, vtep);
    }
    report(
        remotes->len, peers->len,
        culvert_switch_set_remotes(self->ports, (const CulvertVtep *) remotes->data, remotes->len));
}

/* ---- Frames --------------------------------------------------------------------------------- */

const CulvertForwarding *tunnel_ethernet_forward(TunnelEthernet *self, TunnelRecent *recent,
                                                 guint from, const guint8 *frame, gsize len,
                                                 guint count, gint64 now)
{
    if (recent->to.known && recent->from == from && len >= ETHERNET_HEADER_SIZE &&
        memcmp(recent->addresses, frame, sizeof recent->addresses) == 0)
        return &recent->to;
    culvert_switch_forward(self->ports, from, frame, len, count, now, &recent->to);
    if (recent->to.known) {
        recent->from = from;
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
    g_free(self);
}
