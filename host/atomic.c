#include "atomic.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct lp_atomic {
    char *path, *dir, *tmp;
    int fd;
    int err_no; /* first error, 0 = none */
};

static const char *advice(int e)
{
    switch (e) {
    case ENOSPC:
    case EDQUOT:
        return "free space or choose another --savedir";
    case EFBIG:
        return "raise the file size limit (ulimit -f)";
    case EACCES:
    case EPERM:
    case EROFS:
        return "choose a folder that you may write to with --savedir";
    case ENOENT:
    case ENOTDIR:
        return "check that its folder exists";
    case EISDIR:
        return "a folder of that name is in the way";
    default:
        return "check the disk and the folder";
    }
}

static lp_status fail_errno(const char *path, int e, lp_err *err)
{
    return lp_fail(err, LP_EIO, "%.800s: cannot write: %s; %s", path, strerror(e), advice(e));
}

static void destroy(lp_atomic **pa)
{
    lp_atomic *a = *pa;

    free(a->path);
    free(a->dir);
    free(a->tmp);
    free(a);
    *pa = NULL;
}

/* Mode 0666 and not mkstemp's 0600, so that the user's umask decides. */
static int create_tmp(lp_atomic *a, const char *name)
{
    size_t cap = strlen(a->dir) + NAME_MAX + 2;
    int attempt;

    a->tmp = malloc(cap);
    if (!a->tmp) return ENOMEM;
    for (attempt = 0; attempt < 100; attempt++) {
        static const char digits[] = "abcdefghijklmnopqrstuvwxyz012345";
        unsigned char r[6];
        char x[7];
        int i;

        if (getrandom(r, sizeof r, GRND_NONBLOCK) != sizeof r) {
            struct timespec t;

            clock_gettime(CLOCK_MONOTONIC, &t);
            memcpy(r, &t.tv_nsec, 4);
            r[4] = (unsigned char)attempt;
            r[5] = (unsigned char)t.tv_sec;
        }
        for (i = 0; i < 6; i++) x[i] = digits[r[i] & 31];
        x[6] = 0;
        snprintf(a->tmp, cap, "%s/.%.200s.%ld-%s.tmp", a->dir, name, (long)getpid(), x);
        a->fd = open(a->tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (a->fd >= 0) return 0;
        if (errno != EEXIST && errno != EINTR) return errno;
    }
    return EEXIST;
}

lp_status lp_atomic_open(const char *path, lp_atomic **out, lp_err *err)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    struct stat sb;
    lp_atomic *a;
    int e;

    if (!*name) return lp_fail(err, LP_EARG, "%.800s: cannot write: no file name", path);
    if (stat(path, &sb) == 0) {
        if (S_ISDIR(sb.st_mode)) return fail_errno(path, EISDIR, err);
        /* The rename would put a file in the place of /dev/null. */
        if (!S_ISREG(sb.st_mode))
            return lp_fail(err, LP_EIO, "%.800s: cannot write: is a device or a pipe; name a file",
                           path);
    }
    a = calloc(1, sizeof *a);
    if (!a) return lp_fail_mem(err, path, sizeof *a);
    a->fd = -1;
    a->path = strdup(path);
    a->dir = !slash ? strdup(".") : slash == path ? strdup("/") : strndup(path, slash - path);
    e = a->path && a->dir ? create_tmp(a, name) : ENOMEM;
    if (e) {
        destroy(&a);
        return fail_errno(path, e, err);
    }
    *out = a;
    return LP_OK;
}

int lp_atomic_fd(const lp_atomic *a)
{
    return a->fd;
}

void lp_atomic_failed(lp_atomic *a, int err_no)
{
    if (!a->err_no) a->err_no = err_no ? err_no : EIO;
}

lp_status lp_atomic_write(lp_atomic *a, const void *buf, size_t n, lp_err *err)
{
    const char *p = buf;

    while (n && !a->err_no) {
        ssize_t k = write(a->fd, p, n < ((size_t)1 << 30) ? n : (size_t)1 << 30);

        if (k > 0) {
            p += k;
            n -= (size_t)k;
        } else if (k == 0 || errno != EINTR) {
            lp_atomic_failed(a, k == 0 ? ENOSPC : errno);
        }
    }
    return a->err_no ? fail_errno(a->path, a->err_no, err) : LP_OK;
}

/* Some network file systems refuse to sync a folder; the file itself is safe there. */
static int sync_dir(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), e = 0;

    if (fd < 0) return 0; /* writable but not readable */
    if (fsync(fd) && errno == EIO) e = EIO;
    close(fd);
    return e;
}

lp_status lp_atomic_commit(lp_atomic **pa, lp_err *err)
{
    lp_atomic *a = *pa;
    lp_status st = LP_OK;

    if (!a->err_no && fsync(a->fd)) lp_atomic_failed(a, errno);
    if (close(a->fd) && errno != EINTR) lp_atomic_failed(a, errno);
    if (!a->err_no && rename(a->tmp, a->path)) lp_atomic_failed(a, errno);
    if (a->err_no)
        unlink(a->tmp);
    else
        a->err_no = sync_dir(a->dir);
    if (a->err_no) st = fail_errno(a->path, a->err_no, err);
    destroy(pa);
    return st;
}

void lp_atomic_abort(lp_atomic **pa)
{
    if (!pa || !*pa) return;
    close((*pa)->fd);
    unlink((*pa)->tmp);
    destroy(pa);
}

lp_status lp_atomic_write_file(const char *path, const void *buf, size_t n, lp_err *err)
{
    lp_atomic *a = NULL;
    lp_status st = lp_atomic_open(path, &a, err);

    if (st) return st;
    lp_atomic_write(a, buf, n, NULL);
    return lp_atomic_commit(&a, err);
}
