/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-tun.h: the TUN device: a network interface whose packets this program reads and writes
 * (Documentation/networking/tuntap.rst of Linux).
 *
 * The device exists as long as the CulvertTun does: the kernel removes it with the descriptor,
 * also when the process is killed.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

typedef struct _CulvertTun CulvertTun;

/* The largest packet a device can hand over. */
#define CULVERT_TUN_MAX_PACKET 65535

/* culvert_tun_open: creates the device. `name` is an interface name of at most 15 bytes, may
 * contain one "%d" for the first free number, and is "culvert%d" if NULL. The device is down,
 * without addresses, non-blocking and without packet information (IFF_NO_PI). An error says which
 * name was tried, why it failed and what to do; domain G_IO_ERROR. Needs CAP_NET_ADMIN. */
CulvertTun *culvert_tun_open(const char *name, GError **error);

/* culvert_tun_free: closes and thereby removes the device. */
void culvert_tun_free(CulvertTun *tun);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(CulvertTun, culvert_tun_free)

/* culvert_tun_get_name: the interface's name now: it can be renamed under us. */
const char *culvert_tun_get_name(CulvertTun *tun);
int culvert_tun_get_ifindex(const CulvertTun *tun);

/* culvert_tun_get_fd: for waiting only. */
int culvert_tun_get_fd(const CulvertTun *tun);

/* culvert_tun_set_mtu, culvert_tun_get_mtu: the interface's MTU in bytes; 0 on error. */
gboolean culvert_tun_set_mtu(CulvertTun *tun, guint mtu, GError **error);
guint culvert_tun_get_mtu(CulvertTun *tun);

/* culvert_tun_read: one packet from the device, without waiting. Returns its length, 0 if there
 * is none, -1 (errno set) if the device is gone or down. One thread at a time. */
gssize culvert_tun_read(CulvertTun *tun, guint8 *buffer, gsize size);

/* culvert_tun_write: one packet to the device, without waiting; -1 (errno set) if it was not
 * taken. One thread at a time, which may be another than the reader's. */
gssize culvert_tun_write(CulvertTun *tun, const guint8 *packet, gsize len);

G_END_DECLS
