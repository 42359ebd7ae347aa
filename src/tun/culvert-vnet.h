/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-vnet.h: struct virtio_net_hdr, which stands before each packet of a TUN device with
 * IFF_VNET_HDR, in host byte order, also where the system's headers are older than the kernel.
 */
#pragma once

#include <linux/virtio_net.h>

/* UDP segmentation, also called USO: Linux 6.2; Virtual I/O Device 1.3, 5.1.6. */
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif
