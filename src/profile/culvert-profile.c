/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-profile.c: CulvertProfile as plain data, and the rules between several settings.
 */
#include "config.h"

#include "culvert-profile.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "culvert-check.h"
#include "culvert-options.h"
#include "culvert-text.h"

G_DEFINE_QUARK(culvert - profile - error - quark, culvert_profile_error)

/* RFC 8200, section 5: a link that carries IPv6 carries packets of this size. */
#define IPV6_MTU_MIN 1280

/* The number to which both ends agree when nothing is said. */
#define DEFAULT_VNI 1

/* What VXLAN adds to an IP packet in the tunnel: outer IP, UDP and VXLAN headers, and the frame's
 * own (RFC 7348, section 5). */
#define VXLAN_OVERHEAD_IPV4 (20 + 8 + 8 + 14)
#define VXLAN_OVERHEAD_IPV6 (40 + 8 + 8 + 14)

/* The least that Linux lets an Ethernet device have (ETH_MIN_MTU). */
#define ETHERNET_MTU_MIN 68

static void peer_free(CulvertProfilePeer *peer)
{
    wg_secret_key_free(peer->preshared_key);
    g_ptr_array_unref(peer->endpoints);
    g_array_unref(peer->allowed_ips);
    g_free(peer);
}

CulvertProfile *culvert_profile_new(void)
{
    CulvertProfile *profile = g_new0(CulvertProfile, 1);

    profile->addresses = g_array_new(FALSE, TRUE, sizeof(WgPrefix));
    profile->tap_addresses = g_array_new(FALSE, TRUE, sizeof(WgPrefix));
    profile->dns = g_ptr_array_new_with_free_func(g_free);
    profile->search = g_ptr_array_new_with_free_func(g_free);
    profile->peers = g_ptr_array_new_with_free_func((GDestroyNotify) peer_free);
    return profile;
}

void culvert_profile_free(CulvertProfile *profile)
{
    if (!profile)
        return;
    wg_secret_key_free(profile->private_key);
    g_array_unref(profile->addresses);
    g_array_unref(profile->tap_addresses);
    g_free(profile->bridge);
    g_free(profile->tun_user);
    g_free(profile->tun_group);
    g_ptr_array_unref(profile->dns);
    g_ptr_array_unref(profile->search);
    g_ptr_array_unref(profile->peers);
    g_free(profile);
}

CulvertProfilePeer *culvert_profile_add_peer(CulvertProfile *profile)
{
    CulvertProfilePeer *peer = g_new0(CulvertProfilePeer, 1);

    peer->preshared_key_flags = NM_SETTING_SECRET_FLAG_NOT_REQUIRED;
    peer->endpoints = g_ptr_array_new_with_free_func(g_free);
    peer->allowed_ips = g_array_new(FALSE, TRUE, sizeof(WgPrefix));
    g_ptr_array_add(profile->peers, peer);
    return peer;
}

/* Which of a family's addresses, as bits: its lower and its upper half. */
static guint covered_halves(const WgPrefix *prefix)
{
    if (prefix->length == 0)
        return 3;
    if (prefix->length > 1)
        return 0;
    return prefix->addr[0] & 0x80 ? 2 : 1;
}

gboolean culvert_profile_has_default_route(const CulvertProfile *profile, int family)
{
    guint covered = 0;

    if (profile->device_type == CULVERT_DEVICE_TAP)
        return FALSE;
    for (guint i = 0; i < profile->peers->len; i++) {
        const CulvertProfilePeer *peer = g_ptr_array_index(profile->peers, i);

        for (guint j = 0; j < peer->allowed_ips->len; j++) {
            const WgPrefix *prefix = &g_array_index(peer->allowed_ips, WgPrefix, j);

            if (prefix->family == family)
                covered |= covered_halves(prefix);
        }
    }
    return covered == 3;
}

/* The first of that family, or NULL. */
static const WgPrefix *find_family(const GArray *addresses, int family)
{
    for (guint i = 0; i < addresses->len; i++) {
        const WgPrefix *address = &g_array_index(addresses, WgPrefix, i);

        if (address->family == family)
            return address;
    }
    return NULL;
}

GArray *culvert_profile_get_addresses(const CulvertProfile *profile)
{
    return profile->device_type == CULVERT_DEVICE_TAP ? profile->tap_addresses : profile->addresses;
}

const WgPrefix *culvert_profile_find_address(const CulvertProfile *profile, int family)
{
    return find_family(culvert_profile_get_addresses(profile), family);
}

gboolean culvert_profile_has_address(const CulvertProfile *profile, int family)
{
    return culvert_profile_find_address(profile, family) != NULL;
}

/* ---- Ethernet ------------------------------------------------------------------------------- */

guint32 culvert_profile_get_vni(const CulvertProfile *profile)
{
    return profile->vxlan_id ? profile->vxlan_id : DEFAULT_VNI;
}

static guint address_bits(int family)
{
    return family == AF_INET ? 32 : 128;
}

static gboolean has_single_address(const CulvertProfilePeer *peer, int family)
{
    for (guint i = 0; i < peer->allowed_ips->len; i++) {
        const WgPrefix *prefix = &g_array_index(peer->allowed_ips, WgPrefix, i);

        if (prefix->family == family && prefix->length == address_bits(family))
            return TRUE;
    }
    return FALSE;
}

static gboolean has_remote(const CulvertProfile *profile, int family)
{
    if (profile->vxlan_remote.family != AF_UNSPEC)
        return profile->vxlan_remote.family == family;
    for (guint i = 0; i < profile->peers->len; i++) {
        if (has_single_address(g_ptr_array_index(profile->peers, i), family))
            return TRUE;
    }
    return FALSE;
}

const WgPrefix *culvert_profile_find_vtep(const CulvertProfile *profile)
{
    static const int FAMILIES[] = {AF_INET, AF_INET6};

    for (guint i = 0; i < G_N_ELEMENTS(FAMILIES); i++) {
        const WgPrefix *own = find_family(profile->addresses, FAMILIES[i]);

        if (own && has_remote(profile, FAMILIES[i]))
            return own;
    }
    return NULL;
}

static guint ethernet_overhead(const CulvertProfile *profile)
{
    const WgPrefix *vtep = culvert_profile_find_vtep(profile);

    return vtep && vtep->family == AF_INET6 ? VXLAN_OVERHEAD_IPV6 : VXLAN_OVERHEAD_IPV4;
}

guint culvert_profile_get_overhead(const CulvertProfile *profile)
{
    return profile->device_type == CULVERT_DEVICE_TAP ? ethernet_overhead(profile) : 0;
}

/* ---- Rules between settings ----------------------------------------------------------------- */

static gboolean blame(CulvertBlame *out, const char *key, guint peer, CulvertProfileError code,
                      const char *fault)
{
    out->option = culvert_options_find(key);
    out->peer = peer;
    out->code = code;
    out->fault = fault;
    return FALSE;
}

static guint key_hash(gconstpointer key)
{
    guint hash;

    memcpy(&hash, ((const WgKey *) key)->bytes, sizeof(hash));
    return hash;
}

static gboolean key_equal(gconstpointer a, gconstpointer b)
{
    return wg_equal(a, b, sizeof(WgKey));
}

/* `seen` holds the keys of the peers before this one. */
static gboolean check_peer(const CulvertProfile *profile, guint index, const WgKey *own,
                           GHashTable *seen, CulvertBlame *out)
{
    const CulvertProfilePeer *peer = g_ptr_array_index(profile->peers, index);

    if (wg_key_is_zero(&peer->public_key))
        return blame(out, "public-key", index, CULVERT_PROFILE_ERROR_MISSING,
                     _("this setting is missing: each peer needs it"));
    if (own && key_equal(own, &peer->public_key))
        return blame(out, "public-key", index, CULVERT_PROFILE_ERROR_INVALID,
                     _("this is the public key of this computer: expected is the peer's"));
    if (!g_hash_table_add(seen, (gpointer) &peer->public_key))
        return blame(out, "public-key", index, CULVERT_PROFILE_ERROR_INVALID,
                     _("an earlier peer has the same key: make them one peer"));
    return TRUE;
}

/* Options of Ethernet that would have no effect. */
static gboolean check_no_ethernet(const CulvertProfile *profile, CulvertBlame *out)
{
    guint n;
    const CulvertOption *options = culvert_options(&n);

    for (guint i = 0; i < n; i++) {
        g_autofree char *value = options[i].flags & CULVERT_OPTION_ETHERNET
                                     ? culvert_option_format(&options[i], profile, ";")
                                     : NULL;

        if (value)
            return blame(out, options[i].key, 0, CULVERT_PROFILE_ERROR_INVALID,
                         _("this setting is for Ethernet: leave it out, or set device-type to "
                           "“tap”"));
    }
    return TRUE;
}

static gboolean covers(const WgPrefix *network, const WgPrefix *address)
{
    WgPrefix masked = *address;

    if (network->family != address->family)
        return FALSE;
    masked.length = network->length;
    culvert_text_mask_prefix(&masked);
    return memcmp(masked.addr, network->addr, address_bits(network->family) / 8) == 0;
}

/* WireGuard neither sends to, nor accepts from, an address that is not among the allowed IPs. */
static gboolean check_remote(const CulvertProfile *profile, CulvertBlame *out)
{
    const CulvertProfilePeer *peer = profile->peers->len ? profile->peers->pdata[0] : NULL;
    const WgPrefix *remote = &profile->vxlan_remote;

    if (!peer || remote->family == AF_UNSPEC)
        return TRUE;
    for (guint i = 0; i < peer->allowed_ips->len; i++) {
        if (covers(&g_array_index(peer->allowed_ips, WgPrefix, i), remote))
            return TRUE;
    }
    return blame(out, "vxlan-remote", 0, CULVERT_PROFILE_ERROR_INVALID,
                 _("this address is not among the first peer's allowed IPs"));
}

/* A bridge carries its ports' frames; it has the addresses itself, and the firewall of this
 * computer sees none of what passes it. */
static gboolean check_bridge(const CulvertProfile *profile, CulvertBlame *out)
{
    if (!profile->bridge)
        return TRUE;
    if (profile->tap_addresses->len > 0)
        return blame(out, "tap-address", 0, CULVERT_PROFILE_ERROR_INVALID,
                     _("a port of a bridge has no address: give it to the bridge"));
    if (profile->kill_switch != CULVERT_KILL_SWITCH_NO)
        return blame(out, "kill-switch", 0, CULVERT_PROFILE_ERROR_INVALID,
                     _("a kill switch cannot keep back what a bridge passes on: leave out either "
                       "of them"));
    return TRUE;
}

static gboolean check_mtu(const CulvertProfile *profile, CulvertBlame *out)
{
    guint overhead = culvert_profile_get_overhead(profile);

    if (profile->mtu == 0)
        return TRUE;
    if (profile->mtu < IPV6_MTU_MIN + overhead && culvert_profile_has_address(profile, AF_INET6))
        return blame(out, "mtu", 0, CULVERT_PROFILE_ERROR_INVALID,
                     overhead == 0
                         ? _("this is too small for the IPv6 address: IPv6 needs 1280 at least")
                         : _("this is too small for the IPv6 address: with Ethernet frames, 1350 "
                             "is enough"));
    if (overhead && profile->mtu < ETHERNET_MTU_MIN + overhead)
        return blame(out, "mtu", 0, CULVERT_PROFILE_ERROR_INVALID,
                     _("this is too small for Ethernet frames"));
    return TRUE;
}

static gboolean check_ethernet(const CulvertProfile *profile, CulvertBlame *out)
{
    if (profile->device_type != CULVERT_DEVICE_TAP)
        return check_no_ethernet(profile, out);
    return check_remote(profile, out) && check_bridge(profile, out);
}

gboolean culvert_profile_check(const CulvertProfile *profile, CulvertBlame *out)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(key_hash, key_equal);
    WgKey own;

    if (!check_mtu(profile, out) || !check_ethernet(profile, out))
        return FALSE;
    if (profile->peers->len == 0)
        return blame(out, "public-key", 0, CULVERT_PROFILE_ERROR_MISSING,
                     _("this setting is missing: a tunnel needs at least one peer"));

    if (profile->private_key)
        wg_key_public(&own, profile->private_key);
    for (guint i = 0; i < profile->peers->len; i++) {
        if (!check_peer(profile, i, profile->private_key ? &own : NULL, seen, out))
            return FALSE;
    }
    return TRUE;
}

static gboolean check_one_a_family(const char *key, const GArray *addresses, CulvertBlame *out)
{
    guint n4 = 0;
    guint n6 = 0;

    for (guint i = 0; i < addresses->len; i++) {
        if (g_array_index(addresses, WgPrefix, i).family == AF_INET)
            n4++;
        else
            n6++;
    }
    if (n4 > 1)
        return blame(out, key, 0, CULVERT_PROFILE_ERROR_INVALID,
                     _("there is more than one IPv4 address: put the others into ipv4.addresses"));
    if (n6 > 1)
        return blame(out, key, 0, CULVERT_PROFILE_ERROR_INVALID,
                     _("there is more than one IPv6 address: put the others into ipv6.addresses"));
    return TRUE;
}

/* NetworkManager takes one address a family from a VPN. */
gboolean culvert_profile_check_addresses(const CulvertProfile *profile, CulvertBlame *out)
{
    return check_one_a_family("address", profile->addresses, out) &&
           check_one_a_family("tap-address", profile->tap_addresses, out);
}

/* Frames travel between two addresses in the tunnel. */
static gboolean check_vtep(const CulvertProfile *profile, CulvertBlame *out)
{
    if (profile->device_type != CULVERT_DEVICE_TAP || culvert_profile_find_vtep(profile))
        return TRUE;
    if (profile->vxlan_remote.family != AF_UNSPEC)
        return blame(out, "address", 0, CULVERT_PROFILE_ERROR_MISSING,
                     _("there is no address of the same family as vxlan-remote"));
    return blame(out, "vxlan-remote", 0, CULVERT_PROFILE_ERROR_MISSING,
                 _("this setting is missing: no peer's allowed IPs have a single address, of the "
                   "same family as this computer's, to which Ethernet frames could go"));
}

gboolean culvert_profile_check_complete(const CulvertProfile *profile, CulvertBlame *out)
{
    if (profile->addresses->len > 0)
        return check_vtep(profile, out);
    return blame(out, "address", 0, CULVERT_PROFILE_ERROR_MISSING,
                 _("this setting is missing: give this computer's address in the tunnel, like "
                   "192.0.2.1/24"));
}
