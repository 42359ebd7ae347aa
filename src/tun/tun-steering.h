/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tun-steering.h: which queue of a device with many a packet waits in.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* culvert_tun_steer: from now on the kernel chooses the queue of an IP packet by its addresses:
 * what is sent from one to the other never changes the queue, and so stays in order, fragments
 * included. With `is_tap` those of the packet in a frame, behind up to two VLAN tags, and the MAC
 * addresses where there is none. Without it, a flow moves to the queue that its answer was written
 * to, past what still waits in the one before (Linux, drivers/net/tun.c, tun_flow_update). `fd`:
 * any queue's. FALSE (errno set): this kernel cannot, or this process may not (CAP_BPF; before
 * Linux 5.8 CAP_SYS_ADMIN). */
gboolean culvert_tun_steer(int fd, gboolean is_tap);

/* culvert_tun_prepare_steering: loads now, and keeps, what culvert_tun_steer() needs the privilege
 * for. Call it before there is a second thread: a confined process may not load it. */
void culvert_tun_prepare_steering(void);

G_END_DECLS
