/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-service-device.c: hardware addresses, and who is to own a device.
 */
#include "config.h"

#include <grp.h>
#include <pwd.h>

#include "service/service-device.h"
#include "wait-until.h"

/* A connection keeps its address over versions of Culvert: whoever gives out addresses on the
 * network knows it. */
static void test_mac(void)
{
    static const guint8 EXPECTED[] = {0x1a, 0x81, 0xef, 0xa7, 0x58, 0x38};
    guint8 mac[6], again[6], other[6];

    culvert_service_device_mac("df99ce40-3b45-4b6f-9d4c-0e3f1a5a7a0d", mac);
    culvert_service_device_mac("df99ce40-3b45-4b6f-9d4c-0e3f1a5a7a0d", again);
    culvert_service_device_mac("df99ce40-3b45-4b6f-9d4c-0e3f1a5a7a0e", other);
    g_assert_cmpmem(mac, 6, EXPECTED, 6);
    g_assert_cmpmem(mac, 6, again, 6);
    g_assert_cmpint(memcmp(mac, other, 6), !=, 0);
}

/* Any of them is that of one station, and nobody's by right. */
static void test_mac_is_local(void)
{
    for (guint i = 0; i < 1000; i++) {
        g_autofree char *uuid = g_uuid_string_random();
        guint8 mac[6];

        culvert_service_device_mac(uuid, mac);
        g_assert_cmpuint(mac[0] & 3, ==, 2);
    }
}

typedef struct {
    gboolean done;
    uid_t user;
    gid_t group;
    GError *error;
} Answer;

static void on_found(GObject *source, GAsyncResult *result, gpointer user_data)
{
    Answer *answer = user_data;

    answer->done = TRUE;
    culvert_service_device_find_owner_finish(result, &answer->user, &answer->group, &answer->error);
}

static Answer find(const char *user, const char *group)
{
    g_autoptr(CulvertProfile) profile = culvert_profile_new();
    Answer answer = {0};

    profile->tun_user = g_strdup(user);
    profile->tun_group = g_strdup(group);
    culvert_service_device_find_owner_async(profile, NULL, on_found, &answer);
    wait_until(answer.done);
    return answer;
}

static void test_owner(void)
{
    const struct passwd *nobody = getpwnam("nobody");
    const struct group *root = getgrgid(0);
    Answer answer = find("nobody", root->gr_name);

    g_assert_no_error(answer.error);
    g_assert_cmpuint(answer.user, ==, nobody->pw_uid);
    g_assert_cmpuint(answer.group, ==, 0);
    answer = find("4000000000", NULL);
    g_assert_no_error(answer.error);
    g_assert_cmpuint(answer.user, ==, 4000000000u);
    g_assert_cmpuint(answer.group, ==, (gid_t) -1);
    answer = find(NULL, "0");
    g_assert_no_error(answer.error);
    g_assert_cmpuint(answer.user, ==, (uid_t) -1);
    g_assert_cmpuint(answer.group, ==, 0);
}

static void assert_unknown(const char *user, const char *group, const char *message)
{
    Answer answer = find(user, group);
    g_autoptr(GError) error = answer.error;

    g_assert_error(error, NM_VPN_PLUGIN_ERROR, NM_VPN_PLUGIN_ERROR_BAD_ARGUMENTS);
    g_assert_cmpstr(error->message, ==, message);
}

static void test_unknown_owner(void)
{
    assert_unknown("no-such-user", NULL,
                   "tun-user: there is no user “no-such-user” on this computer");
    assert_unknown("nobody", "no-such-group",
                   "tun-group: there is no group “no-such-group” on this computer");
    assert_unknown(NULL, "no-such-group",
                   "tun-group: there is no group “no-such-group” on this computer");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/service-device/mac", test_mac);
    g_test_add_func("/service-device/mac-is-local", test_mac_is_local);
    g_test_add_func("/service-device/owner", test_owner);
    g_test_add_func("/service-device/unknown-owner", test_unknown_owner);
    return g_test_run();
}
