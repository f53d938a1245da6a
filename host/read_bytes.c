#include "read_bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "read_unpack.h"

struct lp_bytes {
    char *path;
    int fd;             /* -1 for bytes in memory */
    const uint8_t *raw; /* [raw_size] where fd is -1 */
    int64_t raw_size;
    int64_t raw_pos; /* of the unpacker */
    lp_pack kind;
    lp_unpack *unpack; /* NULL until the first read, and after lp_bytes_load */
    int64_t pos;       /* unpacked bytes delivered so far */
    uint8_t *loaded;   /* [size], owned: the whole unpacked file */
    int64_t size;      /* -1 while unknown */
};

/* Up to n bytes at off; short only at the end of the file. -1 with errno. */
static long raw_read(lp_bytes *b, int64_t off, uint8_t *buf, size_t n)
{
    size_t k = 0;

    if (off >= b->raw_size) return 0;
    if ((int64_t)n > b->raw_size - off) n = (size_t)(b->raw_size - off);
    if (b->fd < 0) {
        memcpy(buf, b->raw + off, n);
        return (long)n;
    }
    while (k < n) {
        ssize_t r = pread(b->fd, buf + k, n - k, (off_t)(off + (int64_t)k));

        if (r < 0 && errno == EINTR) continue;
        if (r < 0) return -1;
        if (r == 0) break; /* the file shrank meanwhile */
        k += (size_t)r;
    }
    return (long)k;
}

static long fill(void *ctx, uint8_t *buf, size_t n)
{
    lp_bytes *b = ctx;
    long r = raw_read(b, b->raw_pos, buf, n);

    if (r > 0) b->raw_pos += r;
    return r;
}

static lp_status start(lp_bytes *b, lp_bytes **out, lp_err *err)
{
    uint8_t head[4];
    long n = raw_read(b, 0, head, sizeof head);

    if (n < 0) return lp_fail(err, LP_EIO, "%s: cannot be read: %s", b->path, strerror(errno));
    if (b->raw_size == 0) return lp_fail(err, LP_EFORMAT, "%s: the file is empty", b->path);
    b->kind = lp_unpack_kind(head, (size_t)n);
    b->size = b->kind ? -1 : b->raw_size;
    *out = b;
    return LP_OK;
}

lp_status lp_bytes_open(const char *path, lp_bytes **out, lp_err *err)
{
    struct stat sb;
    lp_status st;
    lp_bytes *b;

    /* stat before open: opening a named pipe would wait for ever. */
    if (stat(path, &sb)) {
        if (errno == ENOENT || errno == ENOTDIR)
            return lp_fail(err, LP_EIO, "%s: no such file", path);
        return lp_fail(err, LP_EIO, "%s: cannot be opened: %s", path, strerror(errno));
    }
    if (S_ISDIR(sb.st_mode))
        return lp_fail(err, LP_EIO, "%s: is a folder, an image file was expected", path);
    if (!S_ISREG(sb.st_mode)) return lp_fail(err, LP_EIO, "%s: is not a regular file", path);
    b = calloc(1, sizeof *b);
    if (!b) return lp_fail_mem(err, path, sizeof *b);
    b->fd = -1;
    b->path = strdup(path);
    if (!b->path) {
        st = lp_fail_mem(err, path, (double)strlen(path));
        goto fail;
    }
    b->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (b->fd < 0 || fstat(b->fd, &sb)) {
        st = lp_fail(err, LP_EIO, "%s: cannot be opened: %s", path, strerror(errno));
        goto fail;
    }
    b->raw_size = sb.st_size;
    if ((st = start(b, out, err))) goto fail;
    return LP_OK;
fail:
    lp_bytes_close(&b);
    return st;
}

lp_status lp_bytes_open_mem(const char *name, const void *data, size_t n, lp_bytes **out,
                            lp_err *err)
{
    lp_bytes *b = calloc(1, sizeof *b);
    lp_status st;

    if (!b) return lp_fail_mem(err, name, sizeof *b);
    b->fd = -1;
    b->raw = data;
    b->raw_size = (int64_t)n;
    b->path = strdup(name);
    st = b->path ? start(b, out, err) : lp_fail_mem(err, name, (double)strlen(name));
    if (st) lp_bytes_close(&b);
    return st;
}

void lp_bytes_close(lp_bytes **pb)
{
    lp_bytes *b = *pb;

    if (!b) return;
    lp_unpack_free(b->unpack);
    if (b->fd >= 0) close(b->fd);
    free(b->loaded);
    free(b->path);
    free(b);
    *pb = NULL;
}

int64_t lp_bytes_size(const lp_bytes *b)
{
    return b->size;
}

const char *lp_bytes_path(const lp_bytes *b)
{
    return b->path;
}

/* The next n unpacked bytes. */
static lp_status forward(lp_bytes *b, uint8_t *buf, size_t n, size_t *got, lp_err *err)
{
    const char *why = lp_unpack_read(b->unpack, buf, n, got);

    b->pos += (int64_t)*got;
    if (why) return lp_fail(err, LP_EFORMAT, "%s: the file %s", b->path, why);
    return LP_OK;
}

static lp_status unpacked_read(lp_bytes *b, int64_t off, uint8_t *buf, size_t n, size_t *got,
                               lp_err *err)
{
    uint8_t skip[16384];
    lp_status st;

    if (!b->unpack || off < b->pos) {
        lp_unpack_free(b->unpack);
        b->pos = b->raw_pos = 0;
        b->unpack = lp_unpack_new(b->kind, fill, b);
        if (!b->unpack) return lp_fail_mem(err, b->path, 65536);
    }
    while (b->pos < off) {
        int64_t left = off - b->pos;
        size_t want = left < (int64_t)sizeof skip ? (size_t)left : sizeof skip;

        if ((st = forward(b, skip, want, got, err))) return st;
        if (*got < want) {
            *got = 0;
            return LP_OK;
        }
    }
    return forward(b, buf, n, got, err);
}

lp_status lp_bytes_read(lp_bytes *b, int64_t off, void *buf, size_t n, size_t *got, lp_err *err)
{
    long r;

    *got = 0;
    if (off < 0) return lp_fail(err, LP_EFORMAT, "%s: read before the first byte", b->path);
    if (b->loaded) {
        if (off >= b->size) return LP_OK;
        *got = (int64_t)n < b->size - off ? n : (size_t)(b->size - off);
        memcpy(buf, b->loaded + off, *got);
        return LP_OK;
    }
    if (b->kind) return unpacked_read(b, off, buf, n, got, err);
    r = raw_read(b, off, buf, n);
    if (r < 0)
        return lp_fail(err, LP_EIO, "%s: cannot be read at byte %lld: %s", b->path, (long long)off,
                       strerror(errno));
    *got = (size_t)r;
    return LP_OK;
}

void lp_bytes_expect(const lp_bytes *b, int64_t off, int64_t n, int64_t end)
{
    if (b->fd < 0 || b->kind || off >= end) return;
    if (n > end - off) n = end - off;
    (void)posix_fadvise(b->fd, (off_t)off, (off_t)n, POSIX_FADV_WILLNEED);
}

lp_status lp_bytes_load(lp_bytes *b, int64_t limit, lp_err *err)
{
    size_t cap = 1 << 16, used = 0, got;
    uint8_t *mem = NULL, *grown;
    lp_status st;

    if (!b->kind || b->loaded) return LP_OK;
    for (;;) {
        if ((int64_t)cap > limit) cap = (size_t)limit + 1;
        grown = realloc(mem, cap);
        if (!grown) {
            st = lp_fail_mem(err, b->path, (double)cap);
            goto fail;
        }
        mem = grown;
        if ((st = unpacked_read(b, (int64_t)used, mem + used, cap - used, &got, err))) goto fail;
        used += got;
        if (used < cap) break;
        if ((int64_t)used > limit) {
            st = lp_fail(err, LP_ENOMEM,
                         "%s: unpacks to more than %.0f MiB, unpack it with gunzip or bunzip2",
                         b->path, (double)limit / 1048576.0);
            goto fail;
        }
        cap *= 2;
    }
    lp_unpack_free(b->unpack);
    b->unpack = NULL;
    b->loaded = mem;
    b->size = (int64_t)used;
    return LP_OK;
fail:
    free(mem);
    return st;
}
