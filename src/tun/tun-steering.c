/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tun-steering.c: a program for the kernel (eBPF, bpf(2)) that hashes a packet's addresses, also in
 * a frame. In instructions: a compiler and a library would be much for so few of them.
 */
#include "tun-steering.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_tun.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "culvert-ethernet.h"
#include "culvert-hash.h"

/* Register 6 has the packet, 7 the hash, 8 where the IP header of a frame is. A load of packet data
 * goes to register 0; beyond the packet's end it ends the program with 0 (Linux,
 * Documentation/bpf/classic_vs_extended.rst). */
#define PACKET 6
#define HASH   7
#define IP     8

#define INSN (struct bpf_insn)
#define LOAD(size, offset)                                                                         \
    INSN                                                                                           \
    {                                                                                              \
        .code = BPF_LD | BPF_ABS | (size), .imm = (offset)                                         \
    }
#define LOAD_BEHIND(base, size, offset)                                                            \
    INSN                                                                                           \
    {                                                                                              \
        .code = BPF_LD | BPF_IND | (size), .src_reg = (base), .imm = (offset)                      \
    }
#define ADD(to, value)                                                                             \
    INSN                                                                                           \
    {                                                                                              \
        .code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = (to), .imm = (value)                       \
    }
#define MOVE(to, from)                                                                             \
    INSN                                                                                           \
    {                                                                                              \
        .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = (to), .src_reg = (from)                    \
    }
#define SET(to, value)                                                                             \
    INSN                                                                                           \
    {                                                                                              \
        .code = BPF_ALU | BPF_MOV | BPF_K, .dst_reg = (to), .imm = (value)                         \
    }
#define XOR(to, from)                                                                              \
    INSN                                                                                           \
    {                                                                                              \
        .code = BPF_ALU | BPF_XOR | BPF_X, .dst_reg = (to), .src_reg = (from)                      \
    }
#define MULTIPLY(to, value)                                                                        \
    INSN                                                                                           \
    {                                                                                              \
        .code = BPF_ALU | BPF_MUL | BPF_K, .dst_reg = (to), .imm = (value)                         \
    }
#define SHIFT(to, bits)                                                                            \
    INSN                                                                                           \
    {                                                                                              \
        .code = BPF_ALU | BPF_RSH | BPF_K, .dst_reg = (to), .imm = (bits)                          \
    }
#define IF_0_IS(value, by)                                                                         \
    INSN                                                                                           \
    {                                                                                              \
        .code = BPF_JMP | BPF_JEQ | BPF_K, .imm = (value), .off = (by)                             \
    }
#define SKIP(by)                                                                                   \
    INSN                                                                                           \
    {                                                                                              \
        .code = BPF_JMP | BPF_JA, .off = (by)                                                      \
    }
#define END                                                                                        \
    INSN                                                                                           \
    {                                                                                              \
        .code = BPF_JMP | BPF_EXIT                                                                 \
    }

/* Jumps go over a number of instructions: so many are in the macros below, and in what hashes the
 * addresses of a frame, and of a packet of each version with the jump behind the first. */
#define MIX_SIZE  3
#define TAG_SIZE  5
#define MAC_SIZE  (3 * MIX_SIZE)
#define IPV4_SIZE (2 * MIX_SIZE)
#define IPV6_SIZE (8 * MIX_SIZE)
#define SKIP_SIZE 1

/* A word of the packet into the hash, as FNV-1a does it with bytes; MIX_SIZE instructions. */
#define MIX(offset) LOAD(BPF_W, offset), XOR(HASH, 0), MULTIPLY(HASH, CULVERT_HASH_PRIME)

static const struct bpf_insn by_addresses[] = {
    MOVE(PACKET, 1),
    SET(HASH, (int32_t) CULVERT_HASH_BEGIN),
    LOAD(BPF_B, 0),
    SHIFT(0, 4),
    IF_0_IS(6, IPV4_SIZE + SKIP_SIZE), /* to IPv6 */
    MIX(12),                           /* IPv4 */
    MIX(16),
    SKIP(IPV6_SIZE), /* to the end */
    MIX(8),          /* IPv6 */
    MIX(12),
    MIX(16),
    MIX(20),
    MIX(24),
    MIX(28),
    MIX(32),
    MIX(36),
    MOVE(0, HASH),
    SHIFT(0, 16), /* the upper half is mixed best */
    END,
};
G_STATIC_ASSERT(G_N_ELEMENTS(by_addresses) == 5 + IPV4_SIZE + SKIP_SIZE + IPV6_SIZE + 3);

/* The same behind the IP header's place. */
#define MIX_IP(offset)                                                                             \
    LOAD_BEHIND(IP, BPF_W, offset), XOR(HASH, 0), MULTIPLY(HASH, CULVERT_HASH_PRIME)

/* Past a VLAN tag, if register 0 has the type of one (IEEE 802.1Q, 802.1ad), to the type that it
 * stands before. One that the kernel has beside the frame is not seen here. */
#define PASS_TAG                                                                                   \
    IF_0_IS(ETHERNET_TYPE_CTAG, 2), IF_0_IS(ETHERNET_TYPE_STAG, 1), SKIP(2),                       \
        ADD(IP, ETHERNET_VLAN_TAG_SIZE), LOAD_BEHIND(IP, BPF_H, -2)

static const struct bpf_insn by_addresses_in_frame[] = {
    MOVE(PACKET, 1),
    SET(HASH, (int32_t) CULVERT_HASH_BEGIN),
    SET(IP, ETHERNET_HEADER_SIZE),
    LOAD(BPF_H, ETHERNET_TYPE),
    PASS_TAG,
    PASS_TAG,
    IF_0_IS(ETHERNET_TYPE_IPV4, SKIP_SIZE + MAC_SIZE + SKIP_SIZE),             /* to IPv4 */
    IF_0_IS(ETHERNET_TYPE_IPV6, MAC_SIZE + SKIP_SIZE + IPV4_SIZE + SKIP_SIZE), /* to IPv6 */
    MIX(0), /* the MAC addresses: three words */
    MIX(4),
    MIX(8),
    SKIP(IPV4_SIZE + SKIP_SIZE + IPV6_SIZE), /* to the end */
    MIX_IP(12),                              /* IPv4 */
    MIX_IP(16),
    SKIP(IPV6_SIZE), /* to the end */
    MIX_IP(8),       /* IPv6 */
    MIX_IP(12),
    MIX_IP(16),
    MIX_IP(20),
    MIX_IP(24),
    MIX_IP(28),
    MIX_IP(32),
    MIX_IP(36),
    MOVE(0, HASH),
    SHIFT(0, 16),
    END,
};
G_STATIC_ASSERT(G_N_ELEMENTS(by_addresses_in_frame) == 4 + 2 * TAG_SIZE + 2 + MAC_SIZE + SKIP_SIZE +
                                                           IPV4_SIZE + SKIP_SIZE + IPV6_SIZE + 3);

/* Kept, for packets and for frames, if they were loaded beforehand; else -1. Written before there
 * is a second thread. */
static int prepared_fds[] = {-1, -1};

static int load_program(gboolean is_tap)
{
    union bpf_attr program = {
        .prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
        .insn_cnt = is_tap ? G_N_ELEMENTS(by_addresses_in_frame) : G_N_ELEMENTS(by_addresses),
        .insns = (uintptr_t) (is_tap ? by_addresses_in_frame : by_addresses),
        .license = (uintptr_t) "LGPL-2.1-or-later",
    };

    return (int) syscall(SYS_bpf, BPF_PROG_LOAD, &program, sizeof program);
}

void culvert_tun_prepare_steering(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(prepared_fds); i++) {
        if (prepared_fds[i] < 0)
            prepared_fds[i] = load_program(i == 1);
    }
}

gboolean culvert_tun_steer(int fd, gboolean is_tap)
{
    int prepared_fd = prepared_fds[is_tap ? 1 : 0];
    int program_fd = prepared_fd >= 0 ? prepared_fd : load_program(is_tap);
    gboolean steered;
    int errsv;

    if (program_fd < 0)
        return FALSE;
    steered = ioctl(fd, TUNSETSTEERINGEBPF, &program_fd) == 0;
    errsv = errno;
    if (program_fd != prepared_fd)
        close(program_fd); /* the device keeps it */
    errno = errsv;
    return steered;
}
