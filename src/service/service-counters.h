/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * service-counters.h: what a tunnel and its peers have counted, as entries of D-Bus dictionaries.
 * The keys are described in nm-culvert-service(8).
 */
#pragma once

#include "tunnel/culvert-tunnel.h"

G_BEGIN_DECLS

/* culvert_counters_add_tunnel: adds bytes, packets and drops of the whole tunnel to `dict`. */
void culvert_counters_add_tunnel(GVariantDict *dict, CulvertTunnel *tunnel);

/* culvert_counters_add_peer: adds handshakes, bytes and drops of one peer to `dict`. */
void culvert_counters_add_peer(GVariantDict *dict, WgPeer *peer);

/* culvert_counters_add_peer_settings: adds the peer's public key, endpoint, allowed IPs and
 * persistent keepalive, which change rarely, to `dict`. */
void culvert_counters_add_peer_settings(GVariantDict *dict, CulvertTunnel *tunnel, WgPeer *peer);

G_END_DECLS
