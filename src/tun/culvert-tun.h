/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-tun.h: the TUN or TAP device: a network interface whose IP packets, or Ethernet frames,
 * this program reads and writes (Documentation/networking/tuntap.rst of Linux).
 *
 * The device exists as long as the CulvertTun does: the kernel removes it with the descriptor,
 * also when the process is killed.
 */
#pragma once

#include <gio/gio.h>
#include <sys/uio.h>

#include "culvert-ethernet.h"
#include "culvert-vnet.h"

G_BEGIN_DECLS

typedef struct _CulvertTun CulvertTun;

/* More queues than this bring nothing: a tunnel's other end has to keep up. */
#define CULVERT_TUN_QUEUES_MAX 8

/* What the kernel takes in one write, and hands over in one read if it takes it. Missing on older
 * kernels, or switched off. */
typedef struct {
    gboolean headers; /* each packet has a virtio-net header: checksums may be left to do */
    gboolean tcp;     /* many TCP segments as one */
    gboolean udp;     /* many UDP datagrams as one (Linux 6.2) */
} CulvertTunOffload;

/* The largest IP packet a device can hand over. In a frame, up to ETHERNET_LINK_SIZE_MAX bytes of
 * culvert-ethernet.h are before it. */
#define CULVERT_TUN_MAX_PACKET 65535

/* What a device should be. */
typedef struct {
    const char
        *name;      /* at most 15 bytes, with one "%d" for the first free number; NULL: culvert%d */
    guint n_queues; /* 1 to CULVERT_TUN_QUEUES_MAX: how many threads can read at once */
    gboolean offload; /* FALSE: as if the kernel had no offload */
    gboolean tap;     /* Ethernet frames instead of IP packets */
    /* Who may join a device of many queues without being root, and thereby do anything to it and
     * to its traffic; -1: nobody. With both given, the user, while in the group (tun_not_capable of
     * Linux). A device of one queue nobody can join, but `ip tuntap` shows these of it, too. */
    uid_t owner;
    gid_t group;
    guint8 mac[ETHERNET_ADDRESS_SIZE]; /* of a TAP device; all zero: a random one */
} CulvertTunOptions;

/* A TUN device of one queue that is root's. */
#define CULVERT_TUN_OPTIONS_INIT                                                                   \
    {                                                                                              \
        .n_queues = 1, .offload = TRUE, .owner = (uid_t) -1, .group = (gid_t) -1                   \
    }

/* culvert_tun_open: creates the device. What is sent from one address to another is always in the
 * same queue: by the IP addresses, of a frame without IP by those of Ethernet. There may be fewer
 * queues than asked for. The device is down, without addresses, non-blocking and without packet
 * information (IFF_NO_PI). An error says which name was tried, why it failed and what to do; domain
 * G_IO_ERROR. Needs CAP_NET_ADMIN. */
CulvertTun *culvert_tun_open(const CulvertTunOptions *options, GError **error);

/* culvert_tun_is_tap: whether it carries Ethernet frames. */
gboolean culvert_tun_is_tap(const CulvertTun *tun);

/* culvert_tun_free: closes and thereby removes the device. */
void culvert_tun_free(CulvertTun *tun);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(CulvertTun, culvert_tun_free)

/* culvert_tun_get_name: the interface's name now: it can be renamed under us. */
const char *culvert_tun_get_name(CulvertTun *tun);

/* culvert_tun_get_ifindex: the interface's number in the network namespace where it was last seen:
 * at first this process's, later see culvert_tun_follow(). */
int culvert_tun_get_ifindex(const CulvertTun *tun);

/* culvert_tun_exists: whether the device is still there, in whichever network namespace. */
gboolean culvert_tun_exists(const CulvertTun *tun);

/* culvert_tun_is_here: whether an interface of the device's number and name is in this process's
 * network namespace. One that was moved leaves a number behind that others may have. */
gboolean culvert_tun_is_here(CulvertTun *tun);

/* culvert_tun_follow: looks for the interface where it is now: it can be moved to another network
 * namespace under us, where it may get another number. From then on the MTU is the one it has
 * there. FALSE (errno set): the device is gone, or this process may not look into that namespace
 * (CAP_SYS_ADMIN). In the thread that uses the interface's name and MTU. */
gboolean culvert_tun_follow(CulvertTun *tun);

/* culvert_tun_open_socket: as socket(2), in the network namespace of the device. -1 (errno set) as
 * culvert_tun_follow(). */
int culvert_tun_open_socket(const CulvertTun *tun, int domain, int type, int protocol);

guint culvert_tun_get_n_queues(const CulvertTun *tun);

/* culvert_tun_get_fd: of a queue, for waiting only. */
int culvert_tun_get_fd(const CulvertTun *tun, guint queue);

/* culvert_tun_get_offload: what there is. */
CulvertTunOffload culvert_tun_get_offload(const CulvertTun *tun);

/* culvert_tun_set_mtu, culvert_tun_get_mtu: the interface's MTU in bytes; 0 on error. */
gboolean culvert_tun_set_mtu(CulvertTun *tun, guint mtu, GError **error);
guint culvert_tun_get_mtu(CulvertTun *tun);

/* culvert_tun_read: one packet from a queue, without waiting, to `buffer`, which should hold
 * CULVERT_TUN_MAX_PACKET bytes; of a TAP device one frame, all VLAN tags in their place. `vnet`
 * says what is left to do before it can be sent (see culvert-segment.h); zero without offload.
 * Returns the packet's length, 0 if there is none, -1 (errno set) if the device is gone. One thread
 * a queue at a time. */
gssize culvert_tun_read(CulvertTun *tun, guint queue, struct virtio_net_hdr *vnet, guint8 *buffer,
                        gsize size);

/* culvert_tun_write: one packet, or several as one (see culvert-coalesce.h), without waiting.
 * iov[0] is a struct virtio_net_hdr, zero for an ordinary packet; the packet follows. FALSE (errno
 * set): it was not taken. Any thread. */
gboolean culvert_tun_write(CulvertTun *tun, guint queue, const struct iovec *iov, guint n);

/* culvert_tun_write_packet: one ordinary packet. */
gboolean culvert_tun_write_packet(CulvertTun *tun, guint queue, const guint8 *packet, gsize len);

G_END_DECLS
