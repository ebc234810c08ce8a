/* For scripts/kills, by LD_PRELOAD: of all writes, renames and syncs below FAULT_BELOW the one with the number FAULT_AT fails, as
 * on a disk that is full or broken. What failed is told in the file FAULT_TOLD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long calls;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int below(const char *path) {
    const char *folder = getenv("FAULT_BELOW");
    return folder && path && strncmp(path, folder, strlen(folder)) == 0;
}

/* Whether this call is the one that fails. */
static int fails(const char *call, const char *path) {
    const char *at = getenv("FAULT_AT"), *told = getenv("FAULT_TOLD");
    if (!at || !below(path) || atomic_fetch_add(&calls, 1) + 1 != atol(at))
        return 0;
    FILE *file = told ? fopen(told, "w") : NULL;
    if (file) {
        fprintf(file, "%s %s\n", call, path);
        fclose(file);
    }
    return 1;
}

static int fails_of(const char *call, int descriptor) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return fails(call, path);
}

/* A path from the current directory, as a whole. */
static int fails_at(const char *call, const char *path) {
    char whole[8192];
    if (path[0] == '/')
        return fails(call, path);
    if (!getcwd(whole, 4096))
        return 0;
    size_t length = strlen(whole);
    snprintf(whole + length, sizeof whole - length, "/%s", path);
    return fails(call, whole);
}

ssize_t write(int descriptor, const void *bytes, size_t count) {
    if (fails_of("write", descriptor)) {
        errno = ENOSPC;
        return -1;
    }
    return REAL(write)(descriptor, bytes, count);
}

ssize_t writev(int descriptor, const struct iovec *parts, int count) {
    if (fails_of("writev", descriptor)) {
        errno = ENOSPC;
        return -1;
    }
    return REAL(writev)(descriptor, parts, count);
}

int rename(const char *from, const char *to) {
    if (fails_at("rename", to)) {
        errno = EIO;
        return -1;
    }
    return REAL(rename)(from, to);
}

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags) {
    if (fails_at("renameat2", to)) {
        errno = EIO;
        return -1;
    }
    return REAL(renameat2)(from_folder, from, to_folder, to, flags);
}

int fsync(int descriptor) {
    if (fails_of("fsync", descriptor)) {
        errno = EIO;
        return -1;
    }
    return REAL(fsync)(descriptor);
}

int fdatasync(int descriptor) {
    if (fails_of("fdatasync", descriptor)) {
        errno = EIO;
        return -1;
    }
    return REAL(fdatasync)(descriptor);
}

int mkdir(const char *path, mode_t mode) {
    if (fails_at("mkdir", path)) {
        errno = ENOSPC;
        return -1;
    }
    return REAL(mkdir)(path, mode);
}
