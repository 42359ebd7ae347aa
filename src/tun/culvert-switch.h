/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-switch.h: where Ethernet frames go: a learning bridge (IEEE 802.1Q, 8) between the TAP
 * device and any number of remote VXLAN ends. It moves no frames, it decides.
 *
 * Remote ends do not trust each other, hence the differences from a bridge of cables: the table has
 * a part for each port, which no other port can fill; a station stays with its remote port until it
 * has aged, whoever else claims its address; and what one port makes others copy is limited. The
 * device is trusted: a station that is heard there is there at once, and stays while it is heard
 * from time to time; those that are the machine's own stay for ever.
 *
 * A station is known by its address and the VLAN of its frames.
 *
 * Thread safe, but for new and free. The lock is short and never held while a caller works.
 * Constant memory but in culvert_switch_set_remotes().
 */
#pragma once

#include "culvert-vxlan.h"

G_BEGIN_DECLS

/* The port of the TAP device; those of remotes have other numbers. */
#define CULVERT_SWITCH_DEVICE 0

#define CULVERT_SWITCH_REMOTES_MAX 4095

/* How long a station is remembered that is not heard of, in microseconds: the default of IEEE
 * 802.1Q (8.8.3) and of the kernel's bridge. */
#define CULVERT_SWITCH_AGEING (300 * G_USEC_PER_SEC)

/* How long a station has to be silent at the device before a remote may have it, in microseconds:
 * it was carried to the other site, or is a virtual machine that moved there and announces itself.
 * One that is there, and only silent for so long, can be claimed; it has its place back when it
 * speaks. */
#define CULVERT_SWITCH_LEAVING (10 * G_USEC_PER_SEC)

/* Stations that are remembered: of a remote, which may be a bridge with a network behind it, and of
 * the device, behind which there are all of the others. */
#define CULVERT_SWITCH_REMOTE_STATIONS 256
#define CULVERT_SWITCH_DEVICE_STATIONS 4096

/* Addresses of this machine: the device's own, and that of the bridge it is a port of. */
#define CULVERT_SWITCH_OWN_MAX 2

/* Copies in a second that are made of the frames of one port, where the device is one of those who
 * get a group's; as many may come at once.
 * To ten remotes that is 1,000 frames: ARP, DHCP and mDNS of a busy network with some hundred
 * stations are tens, and a video stream by multicast of 10 Mbit/s is 950. */
#define CULVERT_SWITCH_COPIES_PER_SECOND 10000

typedef struct _CulvertSwitch CulvertSwitch;

CulvertSwitch *culvert_switch_new(void);
void culvert_switch_free(CulvertSwitch *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(CulvertSwitch, culvert_switch_free)

/* culvert_switch_set_remotes: the remote ends there are from now on. Those that there were keep
 * their port and stations, those that are gone are forgotten with theirs. One that is named twice
 * is one; beyond CULVERT_SWITCH_REMOTES_MAX they are left out. Returns how many were left out. */
guint culvert_switch_set_remotes(CulvertSwitch *self, const CulvertVtep *remotes, guint n);

/* culvert_switch_find_remote: its port; 0: there is no such remote. The number of a port that is
 * gone is not given to another remote before a million others had it. */
guint culvert_switch_find_remote(CulvertSwitch *self, const CulvertVtep *remote);

/* culvert_switch_set_own: the `n` MAC addresses that are this machine's, one behind the other, at
 * most CULVERT_SWITCH_OWN_MAX; one that is all zero is none. They are at the device, in any VLAN:
 * a remote's frames in their name are dropped, as "moved". */
void culvert_switch_set_own(CulvertSwitch *self, const guint8 *addresses, guint n);

/* What becomes of a frame; never that it goes back where it came from. All FALSE or 0: dropped, and
 * counted. */
typedef struct {
    gboolean to_device;
    guint remote;     /* the port to which alone it goes, besides; 0: none */
    CulvertVtep vtep; /* its address */
    gboolean flood;   /* to each remote but the source, see culvert_switch_next_remote() */
    gboolean known;   /* the same for the next frames between these two stations: for a moment */
} CulvertForwarding;

/* culvert_switch_forward: a frame of `len` bytes has come in at the port `from`; it stands for
 * `count` frames on the wire. Learns where its source is. `now` in microseconds, of a clock that
 * does not go back. */
void culvert_switch_forward(CulvertSwitch *self, guint from, const guint8 *frame, gsize len,
                            guint count, gint64 now, CulvertForwarding *to);

/* culvert_switch_next_remote: the remotes one by one, but for the port `except`. *port is 0 at
 * first, and is then where the last one was; FALSE: there are no more. */
gboolean culvert_switch_next_remote(CulvertSwitch *self, guint *port, guint except,
                                    CulvertVtep *vtep);

/* Frames that were dropped, and why. */
typedef struct {
    guint64 malformed; /* too short, or the source is a group or nobody */
    guint64 reserved;  /* of a link's own protocols (IEEE 802.1Q, 8.6.3): STP, LACP, pause */
    guint64 moved;     /* their source is at another port */
    guint64 flooded;   /* nobody got them: beyond the limit, or there is nobody to copy to */
    guint64 gone;      /* the port where they came in is no more */
    guint64 local;     /* their destination is where they came from; as it has to be */
} CulvertSwitchStats;

void culvert_switch_get_stats(CulvertSwitch *self, CulvertSwitchStats *stats);

G_END_DECLS
