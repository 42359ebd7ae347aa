/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * clock.c: preloaded, shifts the clocks of a program. LAB_CLOCK names a file with two numbers of
 * eight bytes: seconds that the wall clock is ahead, and seconds that the machine has been asleep.
 * The file is mapped, so that what is written there is so at once; the second one may be missing.
 * LAB_CLOCK_SPEED: so many times as fast run the clocks that keys and timers go by, that of
 * WireGuard and the monotonic one; the wall clock does not.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/param.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

typedef struct {
    int64_t ahead;
    int64_t asleep;
} Shift;

#define NANOSECONDS 1000000000

static const volatile Shift *shift;
static int64_t speed = 1;

__attribute__((constructor)) static void read_speed(void)
{
    const char *text = getenv("LAB_CLOCK_SPEED");

    if (text)
        speed = atoi(text);
}

__attribute__((constructor)) static void map_shift(void)
{
    const char *path = getenv("LAB_CLOCK");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *mapped;

    if (fd < 0)
        return;
    mapped = mmap(NULL, sizeof(Shift), PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (mapped != MAP_FAILED)
        shift = mapped;
}

static int64_t to_nanoseconds(const struct timespec *time)
{
    return time->tv_sec * INT64_C(1000000000) + time->tv_nsec;
}

static struct timespec from_nanoseconds(int64_t time)
{
    return (struct timespec){time / NANOSECONDS, time % NANOSECONDS};
}

EXPORT int clock_gettime(clockid_t clock, struct timespec *time)
{
    static int (*real)(clockid_t, struct timespec *);
    int result;

    if (!real)
        real = dlsym(RTLD_NEXT, "clock_gettime");
    result = real(clock, time);
    if (shift && clock == CLOCK_REALTIME)
        time->tv_sec += shift->ahead;
    if (shift && clock == CLOCK_BOOTTIME)
        time->tv_sec += shift->asleep;
    if (speed != 1 && (clock == CLOCK_BOOTTIME || clock == CLOCK_MONOTONIC))
        *time = from_nanoseconds(to_nanoseconds(time) * speed);
    return result;
}

/* A time of the clock as it is here, in the kernel's. Zero stops the timer. */
EXPORT int timerfd_settime(int fd, int flags, const struct itimerspec *when, struct itimerspec *old)
{
    static int (*real)(int, int, const struct itimerspec *, struct itimerspec *);
    struct itimerspec there = *when;
    int64_t time = to_nanoseconds(&when->it_value);

    if (!real)
        real = dlsym(RTLD_NEXT, "timerfd_settime");
    if (time > 0) {
        time = time / speed + 1;
        if (shift && flags & TFD_TIMER_ABSTIME)
            time = MAX(time - shift->asleep * NANOSECONDS, 1);
        there.it_value = from_nanoseconds(time);
    }
    return real(fd, flags, &there, old);
}

EXPORT int gettimeofday(struct timeval *restrict time, void *restrict zone)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return 0;
}
