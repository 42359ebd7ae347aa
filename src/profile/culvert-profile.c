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

G_DEFINE_QUARK(culvert - profile - error - quark, culvert_profile_error)

/* RFC 8200, section 5: a link that carries IPv6 carries packets of this size. */
#define IPV6_MTU_MIN 1280

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

gboolean culvert_profile_has_address(const CulvertProfile *profile, int family)
{
    for (guint i = 0; i < profile->addresses->len; i++) {
        if (g_array_index(profile->addresses, WgPrefix, i).family == family)
            return TRUE;
    }
    return FALSE;
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

gboolean culvert_profile_check(const CulvertProfile *profile, CulvertBlame *out)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(key_hash, key_equal);
    WgKey own;

    if (profile->mtu != 0 && profile->mtu < IPV6_MTU_MIN &&
        culvert_profile_has_address(profile, AF_INET6))
        return blame(out, "mtu", 0, CULVERT_PROFILE_ERROR_INVALID,
                     _("this is too small for the IPv6 address: IPv6 needs 1280 at least"));
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

/* NetworkManager takes one address a family from a VPN. */
gboolean culvert_profile_check_addresses(const CulvertProfile *profile, CulvertBlame *out)
{
    guint n4 = 0;
    guint n6 = 0;

    for (guint i = 0; i < profile->addresses->len; i++) {
        if (g_array_index(profile->addresses, WgPrefix, i).family == AF_INET)
            n4++;
        else
            n6++;
    }
    if (n4 > 1)
        return blame(out, "address", 0, CULVERT_PROFILE_ERROR_INVALID,
                     _("there is more than one IPv4 address: put the others into ipv4.addresses"));
    if (n6 > 1)
        return blame(out, "address", 0, CULVERT_PROFILE_ERROR_INVALID,
                     _("there is more than one IPv6 address: put the others into ipv6.addresses"));
    return TRUE;
}

/* An Ethernet device may get its address from the other side. */
gboolean culvert_profile_check_complete(const CulvertProfile *profile, CulvertBlame *out)
{
    if (profile->addresses->len > 0 || profile->device_type == CULVERT_DEVICE_TAP)
        return TRUE;
    return blame(out, "address", 0, CULVERT_PROFILE_ERROR_MISSING,
                 _("this setting is missing: give this computer's address in the tunnel, like "
                   "192.0.2.1/24"));
}
