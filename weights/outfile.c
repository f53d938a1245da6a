#include "outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static lp_status cannot(const char *path, int e, lp_err *err)
{
    return lp_fail(err, LP_EIO, "%s: cannot write: %s", path, strerror(e));
}

lp_status lp_outfile_begin(const char *path, char **tmp, lp_err *err)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    size_t size = strlen(path) + 48;
    char *name = malloc(size);
    int fd = -1, try, e;

    if (!name) return lp_fail_mem(err, path, (double)size);
    for (try = 0; try < 100; try++) {
        snprintf(name, size, "%.*s.%s.%ld.%d.tmp", (int)(base - path), path, base, (long)getpid(),
                 try);
        fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0 || errno != EEXIST) break;
    }
    if (fd < 0) {
        e = errno;
        free(name);
        return cannot(path, e, err);
    }
    close(fd);
    *tmp = name;
    return LP_OK;
}

lp_status lp_outfile_commit(const char *tmp, const char *path, lp_err *err)
{
    const char *slash = strrchr(path, '/');
    char *dir;
    int fd = open(tmp, O_WRONLY | O_CLOEXEC), e = 0;

    if (fd < 0 || fsync(fd)) e = errno;
    if (fd >= 0 && close(fd) && !e) e = errno;
    if (!e && rename(tmp, path)) e = errno;
    if (e) {
        unlink(tmp);
        return cannot(path, e, err);
    }
    /* The folder too, where the file system can: the data themselves are safe. */
    dir = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    if (dir && (fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) >= 0) {
        (void)fsync(fd);
        close(fd);
    }
    free(dir);
    return LP_OK;
}

void lp_outfile_discard(const char *tmp)
{
    if (tmp) unlink(tmp);
}

lp_status lp_outfile_write(const char *path, const void *data, size_t n, lp_err *err)
{
    const char *p = data;
    char *tmp = NULL;
    int fd, e = 0;
    lp_status st = lp_outfile_begin(path, &tmp, err);

    if (st) return st;
    if ((fd = open(tmp, O_WRONLY | O_CLOEXEC)) < 0) e = errno;
    while (!e && n) {
        ssize_t k = write(fd, p, n > 1 << 30 ? 1 << 30 : n);

        if (k < 0 && errno == EINTR) continue;
        if (k < 0)
            e = errno;
        else {
            p += k;
            n -= (size_t)k;
        }
    }
    if (fd >= 0 && close(fd) && !e) e = errno;
    if (e) {
        lp_outfile_discard(tmp);
        st = cannot(path, e, err);
    } else {
        st = lp_outfile_commit(tmp, path, err);
    }
    free(tmp);
    return st;
}
