/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sandbox-landlock.c: which files a process may still open, and for what (landlock(7)). Raw system
 * calls: no library of a distribution has words for them.
 */
#include "config.h"

#include "sandbox-private.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gi18n-lib.h>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Newer than the headers of Debian 12, with the version of the interface that knows them. */
#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
#endif
#define VERSION_REFER     2
#define VERSION_TRUNCATE  3
#define VERSION_IOCTL_DEV 5

#define LOOK (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define SET  (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE)
#define USE_DEVICE                                                                                 \
    (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_IOCTL_DEV)
#define HAVE_SOCKETS                                                                               \
    (LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REMOVE_FILE)

/* What the first version of the interface knows to be for files; the rest is for folders alone. */
#define FILE_ACCESS                                                                                \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |   \
     LANDLOCK_ACCESS_FS_TRUNCATE | LANDLOCK_ACCESS_FS_IOCTL_DEV)

typedef struct {
    const char *path;
    guint64 access;
} Rule;

/* Nothing here holds a secret. Names are found by another process. */
static const Rule daemon_rules[] = {
    {"/dev/net/tun", USE_DEVICE},
    {"/dev/null", USE_DEVICE},            /* takes the place of the terminal */
    {"/var/run/wireguard", HAVE_SOCKETS}, /* the configuration socket comes and goes */
    {CULVERT_LOCALEDIR, LOOK},            /* translations, which gettext opens when it needs them */
    {"/usr/share/locale", LOOK},
    {"/usr/share/locale-langpack", LOOK},
    {"/usr/share/zoneinfo", LOOK}, /* syslog(3) looks whether the time zone has changed */
    {"/etc/localtime", LOOK},
    {"/sys/devices/system/cpu", LOOK}, /* how many processors there are */
    {"/proc/sys/net/ipv6/conf", SET},  /* a device that is not to configure itself */
    {"/etc/nsswitch.conf", LOOK},      /* for libnftables: the names of protocols and ports */
    {"/etc/protocols", LOOK},
    {"/etc/services", LOOK},
    {"/etc/iproute2", LOOK},
    {"/usr/share/iproute2", LOOK},
    {NULL, 0},
};

/* All that a module of the name service switch may read (nsswitch.conf(5)). Secrets in these
 * folders are root's alone, and the resolver is not root. */
static const Rule resolver_rules[] = {
    {"/etc", LOOK}, {"/run", LOOK}, {"/usr", LOOK},         {"/lib", LOOK}, {"/lib64", LOOK},
    {"/nix", LOOK}, {"/gnu", LOOK}, {"/var/lib/sss", LOOK}, {NULL, 0},
};

static const Rule no_rules[] = {{NULL, 0}};

static const Rule *rules_for(SandboxRole role)
{
    switch (role) {
    case SANDBOX_DAEMON:
        return daemon_rules;
    case SANDBOX_RESOLVER:
        return resolver_rules;
    default:
        return no_rules;
    }
}

static guint64 known_access(int version)
{
    guint64 access = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1; /* the last of version 1 */

    if (version >= VERSION_REFER)
        access |= LANDLOCK_ACCESS_FS_REFER;
    if (version >= VERSION_TRUNCATE)
        access |= LANDLOCK_ACCESS_FS_TRUNCATE;
    if (version >= VERSION_IOCTL_DEV)
        access |= LANDLOCK_ACCESS_FS_IOCTL_DEV;
    return access;
}

/* A path that is not there needs no rule. */
static gboolean allow(int ruleset, const Rule *rule, guint64 known)
{
    struct landlock_path_beneath_attr beneath = {
        .allowed_access = rule->access & known,
        .parent_fd = open(rule->path, O_PATH | O_CLOEXEC),
    };
    gboolean ok;

    if (beneath.parent_fd < 0)
        return TRUE;
    if (!g_file_test(rule->path, G_FILE_TEST_IS_DIR))
        beneath.allowed_access &= FILE_ACCESS;
    ok = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) == 0;
    close(beneath.parent_fd);
    return ok;
}

static gboolean cannot(int errsv, GError **error)
{
    g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errsv),
                _("Cannot give up access to files that are not needed (Landlock): %s"),
                g_strerror(errsv));
    return FALSE;
}

gboolean sandbox_restrict_files(SandboxRole role, GError **error)
{
    const Rule *rules = rules_for(role);
    struct landlock_ruleset_attr attributes = {0};
    int version =
        (int) syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    gboolean ok = TRUE;
    int ruleset, errsv;

    if (version < 1) {
        g_info("The kernel does not confine file access (Landlock): %s", g_strerror(errno));
        return TRUE;
    }
    attributes.handled_access_fs = known_access(version);
    ruleset = (int) syscall(SYS_landlock_create_ruleset, &attributes,
                            sizeof attributes.handled_access_fs, 0);
    if (ruleset < 0)
        return cannot(errno, error);
    for (guint i = 0; ok && rules[i].path; i++)
        ok = allow(ruleset, &rules[i], attributes.handled_access_fs);
    ok = ok && syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
    errsv = errno;
    close(ruleset);
    return ok || cannot(errsv, error);
}
