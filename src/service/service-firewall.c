/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * service-firewall.c: when a connection's tables come and go.
 */
#include "config.h"

#include "service-firewall.h"

#include <glib/gi18n-lib.h>

#include "profile/culvert-text.h"

struct _CulvertServiceFirewall {
    char *id;
    char *table;
    gboolean is_switch; /* the profile wants a kill switch */
    gboolean is_ethernet;
    CulvertFirewallSwitch rules;
    GPtrArray *beyond;    /* of GInetAddressMask */
    GPtrArray *addresses; /* of GInetAddress: the tunnel's */

    CulvertFirewall *firewall; /* NULL: there is none to use */
    gboolean begun;
    gboolean found;   /* the kill switch was there before */
    gboolean is_kept; /* it stays, whatever happens to this process */
};

/* ---- What the profile says ------------------------------------------------------------------ */

static GInetAddress *address_from_prefix(const WgPrefix *prefix)
{
    return g_inet_address_new_from_bytes(
        prefix->addr, prefix->family == AF_INET ? G_SOCKET_FAMILY_IPV4 : G_SOCKET_FAMILY_IPV6);
}

static void take_network(CulvertServiceFirewall *self, WgPrefix prefix)
{
    g_autoptr(GInetAddress) address = NULL;

    culvert_text_mask_prefix(&prefix);
    address = address_from_prefix(&prefix);
    g_ptr_array_add(self->beyond, g_inet_address_mask_new(address, prefix.length, NULL));
}

/* All but the default route, in one piece or two, which is what a kill switch is for. */
static void take_networks(CulvertServiceFirewall *self, const GArray *allowed_ips)
{
    for (guint i = 0; i < allowed_ips->len; i++) {
        const WgPrefix *prefix = &g_array_index(allowed_ips, WgPrefix, i);

        if (prefix->length > 1)
            take_network(self, *prefix);
    }
}

static gboolean is_name(const char *endpoint)
{
    g_autoptr(GSocketConnectable) parsed = g_network_address_parse(endpoint, 0, NULL);

    return !parsed ||
           !g_hostname_is_ip_address(g_network_address_get_hostname(G_NETWORK_ADDRESS(parsed)));
}

static void take_profile(CulvertServiceFirewall *self, const CulvertProfile *profile)
{
    const GArray *addresses = culvert_profile_get_addresses(profile);

    for (guint i = 0; i < addresses->len; i++)
        g_ptr_array_add(self->addresses,
                        address_from_prefix(&g_array_index(addresses, WgPrefix, i)));
    if (self->is_ethernet)
        take_networks(self, addresses);
    for (guint i = 0; i < profile->peers->len; i++) {
        const CulvertProfilePeer *peer = g_ptr_array_index(profile->peers, i);

        if (!self->is_ethernet)
            take_networks(self, peer->allowed_ips);
        for (guint j = 0; j < peer->endpoints->len; j++)
            self->rules.names |= is_name(g_ptr_array_index(peer->endpoints, j));
    }
}

/* Behind an Ethernet device are the networks of its own addresses. */
static void take_network_of(CulvertServiceFirewall *self, NMIPAddress *address)
{
    g_autofree char *text = g_strdup_printf("%s/%u", nm_ip_address_get_address(address),
                                            nm_ip_address_get_prefix(address));
    WgPrefix prefix;

    if (self->is_ethernet && culvert_text_parse_prefix(text, &prefix))
        take_network(self, prefix);
}

/* NetworkManager gives the device these, too. */
static void take_addresses(CulvertServiceFirewall *self, NMSettingIPConfig *setting)
{
    guint n = setting ? nm_setting_ip_config_get_num_addresses(setting) : 0;

    for (guint i = 0; i < n; i++) {
        NMIPAddress *address = nm_setting_ip_config_get_address(setting, i);

        g_ptr_array_add(self->addresses,
                        g_inet_address_new_from_string(nm_ip_address_get_address(address)));
        take_network_of(self, address);
    }
}

CulvertServiceFirewall *culvert_service_firewall_new(const CulvertProfile *profile,
                                                     NMConnection *connection)
{
    CulvertServiceFirewall *self = g_new0(CulvertServiceFirewall, 1);

    self->id = g_strdup(nm_connection_get_id(connection));
    self->table = culvert_firewall_table(nm_connection_get_uuid(connection));
    self->addresses = g_ptr_array_new_with_free_func(g_object_unref);
    self->beyond = g_ptr_array_new_with_free_func(g_object_unref);
    self->is_ethernet = profile->device_type == CULVERT_DEVICE_TAP;
    self->is_switch = profile->kill_switch != CULVERT_KILL_SWITCH_NO;
    self->rules.mark = profile->fwmark ? profile->fwmark : CULVERT_FIREWALL_MARK;
    self->rules.local = profile->kill_switch == CULVERT_KILL_SWITCH_ALLOW_LOCAL;
    self->rules.beyond = self->beyond;
    take_profile(self, profile);
    take_addresses(self, nm_connection_get_setting_ip4_config(connection));
    take_addresses(self, nm_connection_get_setting_ip6_config(connection));
    return self;
}

guint32 culvert_service_firewall_mark(const CulvertServiceFirewall *self)
{
    return self->is_switch ? self->rules.mark : 0;
}

/* ---- Coming --------------------------------------------------------------------------------- */

static void append(GString *text, char *more)
{
    g_string_append(text, more);
    g_free(more);
}

/* Whoever starts another connection has made up their mind. */
static void append_removals(CulvertServiceFirewall *self, GString *text, GPtrArray *stale)
{
    for (guint i = 0; i < stale->len; i++) {
        const char *table = g_ptr_array_index(stale, i);
        gboolean own = g_strcmp0(table, self->table) == 0;

        if (own && self->is_switch)
            continue; /* replaced, without a moment in between */
        g_message("Removing the kill switch “%s”, left by %s", table,
                  own ? "this connection" : "another connection");
        append(text, culvert_firewall_format_removal(table));
    }
}

static gboolean begin(CulvertServiceFirewall *self, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autofree char *listing = NULL;
    g_autoptr(GPtrArray) stale = NULL;

    self->firewall = culvert_firewall_open(error);
    listing = self->firewall ? culvert_firewall_list(self->firewall, error) : NULL;
    if (!listing)
        return FALSE;
    stale = culvert_firewall_find_stale(listing);
    append_removals(self, text, stale);
    if (self->is_switch) {
        self->found = culvert_firewall_find(listing, self->table);
        append(text, culvert_firewall_format_switch(self->table, &self->rules));
        append(text, culvert_firewall_format_tunnel(self->table, 0, self->addresses));
    }
    return text->len == 0 || culvert_firewall_run(self->firewall, text->str, error);
}

static gboolean refuse(const GError *cause, GError **error)
{
    g_set_error(error, NM_VPN_PLUGIN_ERROR, NM_VPN_PLUGIN_ERROR_LAUNCH_FAILED,
                _("kill-switch: it cannot be put in place, and without it the profile is not to be "
                  "connected: %s"),
                cause->message);
    return FALSE;
}

gboolean culvert_service_firewall_begin(CulvertServiceFirewall *self, GError **error)
{
    g_autoptr(GError) cause = NULL;

    if (!self->table)
        cause = g_error_new(NM_VPN_PLUGIN_ERROR, NM_VPN_PLUGIN_ERROR_INVALID_CONNECTION,
                            _("the connection has no valid UUID"));
    else if (begin(self, &cause))
        self->begun = TRUE;
    if (self->begun || !self->is_switch) {
        if (cause)
            g_info("Packets to the tunnel's addresses from outside are not kept off: %s",
                   cause->message);
        else if (self->is_switch)
            g_message("Kill switch “%s”: nothing leaves but the tunnel%s%s", self->table,
                      self->rules.local ? ", what is for the local network" : "",
                      self->rules.names ? " and, until a gateway answers, the system's look-ups of "
                                          "names"
                                        : "");
        return TRUE;
    }
    return refuse(cause, error);
}

gboolean culvert_service_firewall_ready(CulvertServiceFirewall *self, guint ifindex, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(GError) cause = NULL;

    if (!self->begun)
        return TRUE;
    self->rules.names = FALSE;
    if (self->is_switch)
        append(text, culvert_firewall_format_switch(self->table, &self->rules));
    append(text, culvert_firewall_format_tunnel(self->table, ifindex, self->addresses));
    if (culvert_firewall_run(self->firewall, text->str, &cause)) {
        self->is_kept = self->is_switch;
        return TRUE;
    }
    if (self->is_switch)
        return refuse(cause, error);
    g_warning("Packets to the tunnel's addresses from outside are not kept off: %s",
              cause->message);
    return TRUE;
}

/* ---- Going ---------------------------------------------------------------------------------- */

static void remove_switch(CulvertServiceFirewall *self)
{
    g_autofree char *text = culvert_firewall_format_removal(self->table);
    g_autoptr(GError) error = NULL;

    if (!culvert_firewall_run(self->firewall, text, &error))
        g_warning("The kill switch “%s” could not be removed: %s", self->table, error->message);
}

/* Nobody looks for the gateway any more. */
static void leave_switch(CulvertServiceFirewall *self)
{
    g_autofree char *text = NULL;
    g_autoptr(GError) error = NULL;

    self->rules.names = FALSE;
    text = culvert_firewall_format_switch(self->table, &self->rules);
    if (!culvert_firewall_run(self->firewall, text, &error))
        g_warning("The kill switch “%s” lets out look-ups of names: %s", self->table,
                  error->message);
    g_warning("The kill switch of “%s” stays: nothing leaves this computer until the connection is "
              "up again, or is disconnected by somebody. To remove it by hand: nft delete table "
              "inet %s",
              self->id, self->table);
}

void culvert_service_firewall_end(CulvertServiceFirewall *self, gboolean wanted)
{
    if (self->begun && self->is_switch) {
        if (wanted || (!self->is_kept && !self->found))
            remove_switch(self);
        else
            leave_switch(self);
    }
    /* The other table goes with it. */
    culvert_firewall_close(self->firewall);
    g_ptr_array_unref(self->addresses);
    g_ptr_array_unref(self->beyond);
    g_free(self->table);
    g_free(self->id);
    g_free(self);
}
