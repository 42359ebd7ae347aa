/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-profile.h: what a connection says: the settings of one tunnel, checked, as plain data.
 *
 * It comes from and goes to three places: NetworkManager's vpn setting (what the service is
 * started with), a whole NetworkManager profile (what a user keeps) and a wg-quick .conf. All use
 * the one table of options, culvert-options.h. Knows neither threads nor sockets.
 *
 * Errors, domain CULVERT_PROFILE_ERROR, are for people: they name the setting (or file and line),
 * the value's fault, and what is expected; never a secret's value. Plain data: one thread at a
 * time.
 */
#pragma once

#include <NetworkManager.h>

#include "wireguard/wireguard.h"

G_BEGIN_DECLS

#define CULVERT_VPN_SERVICE "org.freedesktop.NetworkManager.culvert"

#define CULVERT_PROFILE_ERROR (culvert_profile_error_quark())
GQuark culvert_profile_error_quark(void);

typedef enum {
    CULVERT_PROFILE_ERROR_INVALID,        /* a value is wrong, or a key unknown */
    CULVERT_PROFILE_ERROR_MISSING,        /* a required setting is missing */
    CULVERT_PROFILE_ERROR_MISSING_SECRET, /* a required secret is missing */
    CULVERT_PROFILE_ERROR_NOT_CONF,       /* the file is not a WireGuard .conf at all */
    CULVERT_PROFILE_ERROR_READ,           /* the file could not be read */
} CulvertProfileError;

typedef enum {
    CULVERT_DEVICE_TUN,
    CULVERT_DEVICE_TAP,
} CulvertDeviceType;

/* What a firewall of the connection's own lets out beside the tunnel. */
typedef enum {
    CULVERT_KILL_SWITCH_NO,          /* there is none */
    CULVERT_KILL_SWITCH_YES,         /* nothing */
    CULVERT_KILL_SWITCH_ALLOW_LOCAL, /* what goes to the local network */
} CulvertKillSwitch;

/* A domain name or address, and a port, as the user wrote them: "host:port" or "[v6]:port". */
typedef struct {
    WgKey public_key;
    WgKey *preshared_key;                     /* NULL: none; secret memory */
    NMSettingSecretFlags preshared_key_flags; /* NOT_REQUIRED while the peer has no such key */
    GPtrArray *endpoints;                     /* of char *, checked; may be empty */
    GArray *allowed_ips;                      /* of WgPrefix, host bits masked; may be empty */
    guint16 keepalive;                        /* seconds; 0: off */
} CulvertProfilePeer;

typedef struct {
    WgKey *private_key; /* NULL: missing; secret memory */
    NMSettingSecretFlags private_key_flags;
    GArray *addresses;   /* of WgPrefix with host bits: at most one per family goes to vpn.data */
    GPtrArray *dns;      /* of char *: addresses of servers */
    GPtrArray *search;   /* of char *: search domains */
    guint mtu;           /* 0: automatic */
    guint16 listen_port; /* 0: any */
    guint32 fwmark;      /* 0: none */
    CulvertDeviceType device_type;
    guint32 vxlan_id;      /* 0: the default, see culvert_profile_get_vni() */
    WgPrefix vxlan_remote; /* family AF_UNSPEC: none */
    GArray *tap_addresses; /* of WgPrefix with host bits, like `addresses` */
    char *bridge;          /* NULL: none */
    char *tun_user;        /* a name, or a number in digits; NULL: none */
    char *tun_group;       /* the same */
    CulvertKillSwitch kill_switch;
    GPtrArray *peers; /* of CulvertProfilePeer *, at least one once checked */
} CulvertProfile;

CulvertProfile *culvert_profile_new(void);
void culvert_profile_free(CulvertProfile *profile); /* wipes the secrets */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(CulvertProfile, culvert_profile_free)

CulvertProfilePeer *culvert_profile_add_peer(CulvertProfile *profile); /* borrowed */

/* culvert_profile_from_setting: reads vpn.data and vpn.secrets, checking everything. With
 * `need_secrets` it is about to be used: there must be an address, and all secrets (MISSING_SECRET
 * names the first that is not there). The message begins with the key at fault, "peerN-" and all.
 */
CulvertProfile *culvert_profile_from_setting(NMSettingVpn *setting, gboolean need_secrets,
                                             GError **error);

/* culvert_profile_to_setting: writes all settings that are not at their default, and of the
 * addresses the first of each family. Keys that are not in the table of options stay. */
void culvert_profile_to_setting(const CulvertProfile *profile, NMSettingVpn *setting);

/* A secret of a vpn setting. */
typedef struct {
    char *key;       /* in vpn.secrets */
    guint peer;      /* whose: the number of a peer, from 1; 0: this computer */
    gboolean is_set; /* it is there */
} CulvertProfileSecret;

/* culvert_profile_list_secrets: the secrets that a connection needs, there or not: first this
 * computer's private key, whatever its flags say, then the peers' preshared keys in the peers'
 * order. A preshared key is needed if it is there, or if its flags are in vpn.data, which says that
 * the peer has one, and do not say "not required". Looks at nothing else, so that it works on a
 * profile with faults. (transfer full) (element-type CulvertProfileSecret) */
GPtrArray *culvert_profile_list_secrets(NMSettingVpn *setting);

/* culvert_profile_missing_secret: the name of the first of them that is missing, NULL: none.
 * (transfer full) */
char *culvert_profile_missing_secret(NMSettingVpn *setting);

/* culvert_profile_get_addresses: the addresses of the device: those of the tunnel or, of an
 * Ethernet device, those in its network; the tunnel's is nobody's then but the codec's. Borrowed.
 * (element-type WgPrefix) */
GArray *culvert_profile_get_addresses(const CulvertProfile *profile);

/* culvert_profile_find_address: the first address of the device of that family, NULL: none.
 * Borrowed. */
const WgPrefix *culvert_profile_find_address(const CulvertProfile *profile, int family);

/* culvert_profile_get_vni: the VXLAN network identifier of an Ethernet device. */
guint32 culvert_profile_get_vni(const CulvertProfile *profile);

/* culvert_profile_get_overhead: how much smaller than a packet in the tunnel the device's largest
 * one is, in bytes: what VXLAN adds to the packet in an Ethernet frame, else nothing. */
guint culvert_profile_get_overhead(const CulvertProfile *profile);

/* culvert_profile_find_vtep: the address in the tunnel from which this computer sends Ethernet
 * frames: the first of a family in which a peer has one, too, and IPv4's before IPv6's. A peer has
 * one if one of its allowed IPs is a single address, or the first peer by vxlan-remote. NULL: there
 * is none. Borrowed. */
const WgPrefix *culvert_profile_find_vtep(const CulvertProfile *profile);

/* culvert_profile_has_default_route: whether the peers' allowed IPs cover the whole family: by
 * 0.0.0.0/0 or ::/0, or by both halves of it. Never of an Ethernet device: what its network is for
 * the allowed IPs do not say. */
gboolean culvert_profile_has_default_route(const CulvertProfile *profile, int family);

G_END_DECLS
