/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gateway-ethernet.c: the options for an interface that carries Ethernet.
 */
#include "config.h"

#include "gateway-ethernet.h"

#include <gio/gio.h>
#include <glib/gi18n.h>
#include <string.h>
#include <sys/socket.h>

#include "gateway-environment.h"

void gateway_ethernet_read_environment(GatewayEthernetOptions *options)
{
    const char *vtep = g_getenv("CULVERT_VTEP");

    if (vtep && *vtep)
        options->tap = TRUE;
    if (!options->tap)
        return;
    gateway_take_variable(&options->vtep, "CULVERT_VTEP");
    gateway_take_variable(&options->vxlan_id, "CULVERT_VXLAN_ID");
}

/* That of one host, which others can send to. */
static gboolean is_usable(GInetAddress *address)
{
    return !g_inet_address_get_is_any(address) && !g_inet_address_get_is_multicast(address) &&
           !g_inet_address_get_is_loopback(address) && !g_inet_address_get_is_link_local(address);
}

static gboolean parse_vtep(const char *text, CulvertVtep *vtep, GError **error)
{
    g_autoptr(GInetAddress) address = g_inet_address_new_from_string(text);

    if (!address || !is_usable(address)) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                    _("“%s” cannot be this end's address inside the tunnel: give one IPv4 or IPv6 "
                      "address without a prefix length, like “--vtep 10.8.0.1”"),
                    text);
        return FALSE;
    }
    vtep->family = g_inet_address_get_family(address) == G_SOCKET_FAMILY_IPV4 ? AF_INET : AF_INET6;
    memcpy(vtep->address, g_inet_address_to_bytes(address),
           g_inet_address_get_native_size(address));
    return TRUE;
}

static gboolean parse_id(const char *text, guint32 *id, GError **error)
{
    guint64 value = GATEWAY_VXLAN_ID_DEFAULT;

    if (text && !g_ascii_string_to_unsigned(text, 10, 1, CULVERT_VXLAN_ID_MAX, &value, NULL)) {
        g_set_error(
            error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
            _("“%s” is not the number of a VXLAN: it can be 1 to %u, and has to be the same "
              "at all ends"),
            text, CULVERT_VXLAN_ID_MAX);
        return FALSE;
    }
    *id = (guint32) value;
    return TRUE;
}

gboolean gateway_ethernet_parse(const GatewayEthernetOptions *options, GatewayEthernet *ethernet,
                                GError **error)
{
    *ethernet = (GatewayEthernet){0};
    if (!options->tap && !options->vtep && !options->vxlan_id)
        return TRUE;
    if (!options->tap) {
        g_set_error_literal(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                            _("--vtep and --vxlan-id are for interfaces that carry Ethernet: add "
                              "--tap"));
        return FALSE;
    }
    if (!options->vtep) {
        g_set_error_literal(
            error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
            _("--tap needs --vtep, the address at which the peers find this end inside the tunnel, "
              "like “culvert --tap --vtep 10.8.0.1 tap0”. The peers allow it as 10.8.0.1/32; no "
              "interface has it, and stations of the Ethernet do not see it"));
        return FALSE;
    }
    return parse_vtep(options->vtep, &ethernet->vtep, error) &&
           parse_id(options->vxlan_id, &ethernet->vxlan_id, error);
}

void gateway_ethernet_options_clear(GatewayEthernetOptions *options)
{
    g_clear_pointer(&options->vtep, g_free);
    g_clear_pointer(&options->vxlan_id, g_free);
}
