/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tun-owner.h: who may join a device with many queues: read what leaves through it in this
 * program's place, write what arrives, and change it. Without an owner that is every user of the
 * machine.
 */
#pragma once

#include <glib.h>
#include <sys/types.h>

G_BEGIN_DECLS

/* culvert_tun_own: gives the device to a user and a group, either of which may be -1. Where both
 * are, it goes to this process's user: root. `fd`: any queue's. FALSE (errno set): the kernel
 * refuses, as for a user that its user namespace does not have. */
gboolean culvert_tun_own(int fd, uid_t owner, gid_t group);

/* culvert_tun_is_own: whether the device is as culvert_tun_own() left it and has `n_queues` queues
 * and no more: so nobody joined it before it had an owner, nor can from now on. TRUE also where the
 * kernel does not tell (before Linux 4.17). */
gboolean culvert_tun_is_own(int ifindex, guint n_queues, uid_t owner, gid_t group);

G_END_DECLS
