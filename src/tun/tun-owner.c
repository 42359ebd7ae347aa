/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tun-owner.c: setting a device's owner, and asking the kernel over netlink (rtnetlink(7)) for it
 * and for the number of queues, in one answer.
 */
#include "tun-owner.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define NOBODY ((guint32) -1)

/* An interface's message, all attributes included, is a few kilobytes. */
#define ANSWER_MAX 16384

/* What the kernel tells of a device. */
typedef struct {
    guint32 owner;
    guint32 group;
    guint32 queues;
    guint32 disabled;
    gboolean knows_queues;
} Told;

gboolean culvert_tun_own(int fd, uid_t owner, gid_t group)
{
    if (owner == (uid_t) -1 && group == (gid_t) -1)
        owner = geteuid();
    if (owner != (uid_t) -1 && ioctl(fd, TUNSETOWNER, (unsigned long) owner) != 0)
        return FALSE;
    return group == (gid_t) -1 || ioctl(fd, TUNSETGROUP, (unsigned long) group) == 0;
}

/* ---- Netlink -------------------------------------------------------------------------------- */

static gssize ask(int ifindex, guint8 *answer, gsize size)
{
    struct {
        struct nlmsghdr header;
        struct ifinfomsg link;
    } request = {
        .header = {.nlmsg_len = sizeof request,
                   .nlmsg_type = RTM_GETLINK,
                   .nlmsg_flags = NLM_F_REQUEST},
        .link = {.ifi_family = AF_UNSPEC, .ifi_index = ifindex},
    };
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    gssize n = -1;

    if (fd < 0)
        return -1;
    if (send(fd, &request, sizeof request, 0) == sizeof request) {
        do
            n = recv(fd, answer, size, 0);
        while (n < 0 && errno == EINTR);
    }
    close(fd);
    return n;
}

/* The attribute of this type among `len` bytes of them; NULL if there is none. */
static const struct rtattr *find(const struct rtattr *attribute, gsize len, guint16 type)
{
    for (; RTA_OK(attribute, len); attribute = RTA_NEXT(attribute, len)) {
        if ((attribute->rta_type & NLA_TYPE_MASK) == type)
            return attribute;
    }
    return NULL;
}

static const struct rtattr *find_in(const struct rtattr *outer, guint16 type)
{
    return outer ? find(RTA_DATA(outer), RTA_PAYLOAD(outer), type) : NULL;
}

static gboolean get(const struct rtattr *data, guint16 type, guint32 *value)
{
    const struct rtattr *attribute = find_in(data, type);

    if (!attribute || RTA_PAYLOAD(attribute) < sizeof *value)
        return FALSE;
    memcpy(value, RTA_DATA(attribute), sizeof *value);
    return TRUE;
}

static void read_answer(const struct nlmsghdr *header, gsize len, Told *told)
{
    const struct rtattr *data;

    if (!NLMSG_OK(header, len) || header->nlmsg_type != RTM_NEWLINK)
        return;
    data = find(IFLA_RTA(NLMSG_DATA(header)), IFLA_PAYLOAD(header), IFLA_LINKINFO);
    data = find_in(data, IFLA_INFO_DATA);
    get(data, IFLA_TUN_OWNER, &told->owner);
    get(data, IFLA_TUN_GROUP, &told->group);
    told->knows_queues = get(data, IFLA_TUN_NUM_QUEUES, &told->queues);
    get(data, IFLA_TUN_NUM_DISABLED_QUEUES, &told->disabled);
}

gboolean culvert_tun_is_own(int ifindex, guint n_queues, uid_t owner, gid_t group)
{
    g_autofree guint8 *answer = g_malloc(ANSWER_MAX);
    Told told = {.owner = NOBODY, .group = NOBODY};
    gssize len = ask(ifindex, answer, ANSWER_MAX);

    if (owner == (uid_t) -1 && group == (gid_t) -1)
        owner = geteuid();
    if (len > 0)
        read_answer((const struct nlmsghdr *) (gpointer) answer, (gsize) len, &told);
    return !told.knows_queues ||
           (told.queues + told.disabled == n_queues && told.owner == owner && told.group == group);
}
