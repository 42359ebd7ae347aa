/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * service-bridge.c: joining a bridge (SIOCBRADDIF), and again when the bridge is another one:
 * NetworkManager removes its bridge when that goes down. rtnetlink(7) tells of interfaces that
 * come; GIO has no word for either.
 */
#include "config.h"

#include "service-bridge.h"

#include <NetworkManager.h>
#include <errno.h>
#include <glib-unix.h>
#include <glib/gi18n-lib.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Interfaces change in flocks: one look a moment after the first change is enough. */
#define SETTLE_MS 100

struct _CulvertServiceBridge {
    char *name;
    CulvertTun *tun;
    int news_fd; /* -1: none */
    guint news_id;
    guint check_id;
};

/* ---- The kernel's words --------------------------------------------------------------------- */

/* Returns 0 or an errno. */
static int add_port(const char *name, int ifindex)
{
    struct ifreq request = {.ifr_ifindex = ifindex};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int status;

    if (fd < 0)
        return errno;
    g_strlcpy(request.ifr_name, name, sizeof request.ifr_name);
    status = ioctl(fd, SIOCBRADDIF, &request) == 0 ? 0 : errno;
    close(fd);
    return status;
}

static gboolean refuse(const char *name, int status, GError **error)
{
    const char *reason = g_strerror(status);

    if (status == ENODEV)
        reason = _("there is no such interface; first bring up the connection that makes it");
    else if (status == EOPNOTSUPP)
        reason = _("this interface is not a bridge");
    g_set_error(error, NM_VPN_PLUGIN_ERROR, NM_VPN_PLUGIN_ERROR_BAD_ARGUMENTS,
                _("bridge: “%s”: %s"), name, reason);
    return FALSE;
}

/* There is no interface with the number 0, of which a bridge complains with EINVAL (Linux,
 * net/bridge/br_ioctl.c); what is no bridge does not get so far. */
gboolean culvert_service_bridge_check(const char *name, GError **error)
{
    int status = add_port(name, 0);

    return status == EINVAL || refuse(name, status, error);
}

/* ---- Watching ------------------------------------------------------------------------------- */

/* EBUSY: it is a port already. */
static gboolean on_check(gpointer user_data)
{
    CulvertServiceBridge *self = user_data;
    int status;

    self->check_id = 0;
    if (!culvert_tun_is_here(self->tun)) {
        g_info("Interface %s is in another network namespace than the bridge “%s”",
               culvert_tun_get_name(self->tun), self->name);
        return G_SOURCE_REMOVE;
    }
    status = add_port(self->name, culvert_tun_get_ifindex(self->tun));
    if (status == 0)
        g_message("Interface %s is a port of the bridge “%s” again",
                  culvert_tun_get_name(self->tun), self->name);
    else if (status != EBUSY && status != ENODEV)
        g_warning("Interface %s cannot become a port of the bridge “%s” again: %s",
                  culvert_tun_get_name(self->tun), self->name, g_strerror(status));
    return G_SOURCE_REMOVE;
}

/* What exactly has changed does not matter. */
static gboolean on_news(int fd, GIOCondition condition, gpointer user_data)
{
    CulvertServiceBridge *self = user_data;
    guint8 byte;
    gssize n;

    do
        n = recv(fd, &byte, sizeof byte, MSG_DONTWAIT | MSG_TRUNC);
    while (n > 0 || (n < 0 && (errno == EINTR || errno == ENOBUFS)));
    if (self->check_id == 0)
        self->check_id = g_timeout_add(SETTLE_MS, on_check, self);
    return G_SOURCE_CONTINUE;
}

/* Without it, the device is a port of this bridge only. */
static void watch(CulvertServiceBridge *self)
{
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};

    self->news_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    if (self->news_fd >= 0 &&
        bind(self->news_fd, (struct sockaddr *) &address, sizeof address) == 0)
        self->news_id = g_unix_fd_add(self->news_fd, G_IO_IN, on_news, self);
    else
        g_info("Nobody tells of other bridges: %s", g_strerror(errno));
}

CulvertServiceBridge *culvert_service_bridge_join(const char *name, CulvertTun *tun, GError **error)
{
    int status = add_port(name, culvert_tun_get_ifindex(tun));
    CulvertServiceBridge *self;

    if (status != 0) {
        refuse(name, status, error);
        return NULL;
    }
    g_message("Interface %s is a port of the bridge “%s”", culvert_tun_get_name(tun), name);
    self = g_new0(CulvertServiceBridge, 1);
    self->name = g_strdup(name);
    self->tun = tun;
    watch(self);
    return self;
}

void culvert_service_bridge_free(CulvertServiceBridge *self)
{
    if (!self)
        return;
    g_clear_handle_id(&self->news_id, g_source_remove);
    g_clear_handle_id(&self->check_id, g_source_remove);
    if (self->news_fd >= 0)
        close(self->news_fd);
    g_free(self->name);
    g_free(self);
}
