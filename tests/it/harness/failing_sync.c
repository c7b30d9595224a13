/* Preloaded into a server: while the file FAILING_SYNC_TRIGGER is there, syncing a file whose name
   ends in FAILING_SYNC_SUFFIX fails once as it does on a disk that lost what was written, and takes
   the trigger away: the system tells nobody twice. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fails(int fd) {
    const char *suffix = getenv("FAILING_SYNC_SUFFIX"), *trigger = getenv("FAILING_SYNC_TRIGGER");
    char link[64], name[4096];
    ssize_t length;
    if (!suffix || !trigger)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    length = readlink(link, name, sizeof name - 1);
    if (length < (ssize_t)strlen(suffix))
        return 0;
    name[length] = '\0';
    return !strcmp(name + length - strlen(suffix), suffix) && !unlink(trigger);
}

static int sync_with(const char *function, int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, function);
    if (fails(fd)) {
        errno = EIO;
        return -1;
    }
    return real(fd);
}

int fsync(int fd) { return sync_with("fsync", fd); }

int fdatasync(int fd) { return sync_with("fdatasync", fd); }
