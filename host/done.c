#include "done.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "atomic.h"
#include "read_text.h"

#define MAX_BYTES (1 << 20)
#define MAX_PAGES 1000000 /* as the readers; gather goes through all of them */

lp_done_input lp_done_look(const char *image)
{
    lp_done_input in = {.bytes = -1};
    struct stat s;

    if (stat(image, &s)) return in;
    in.bytes = s.st_size;
    snprintf(in.mtime, sizeof in.mtime, "%lld.%09ld", (long long)s.st_mtim.tv_sec,
             s.st_mtim.tv_nsec);
    return in;
}

lp_status lp_done_file(const char *base, const char *name, int make, char *path, lp_err *err)
{
    const char *slash = strrchr(base, '/'), *x = slash ? slash + 1 : base;
    int dir = (int)(x - base);

    if (snprintf(path, PATH_MAX, "%.*s" LP_DONE_FOLDER "/%s%s", dir, base, name ? name : x,
                 name ? "" : ".json") >= PATH_MAX)
        return lp_fail(err, LP_EIO, "%s: the path is too long", base);
    if (make) {
        char *end = strrchr(path, '/');

        *end = 0;
        if (mkdir(path, 0777) && errno != EEXIST)
            return lp_fail(err, LP_EIO,
                           "%s: cannot make the folder: %s; choose a folder that you may write to "
                           "with --savedir",
                           path, strerror(errno));
        *end = '/';
    }
    return LP_OK;
}

static const char *text(const cJSON *j, const char *key)
{
    const cJSON *x = cJSON_GetObjectItemCaseSensitive(j, key);

    return cJSON_IsString(x) ? x->valuestring : NULL;
}

/* A number from lo to hi; without where it is null or not there. *bad where it is another thing. */
static double number(const cJSON *j, const char *key, double lo, double hi, double without,
                     int *bad)
{
    const cJSON *x = cJSON_GetObjectItemCaseSensitive(j, key);

    if (!x || cJSON_IsNull(x)) return without;
    if (!cJSON_IsNumber(x) || !(x->valuedouble >= lo && x->valuedouble <= hi)) {
        *bad = 1;
        return without;
    }
    return x->valuedouble;
}

static lp_status parse(cJSON *j, lp_done *d, lp_err *err)
{
    const char *status = text(j, "status"), *mtime = text(j, "mtime");
    const cJSON *outputs = cJSON_GetObjectItemCaseSensitive(j, "outputs"), *x;
    int bad = 0;

    d->json = j;
    d->file = text(j, "file");
    d->error = text(j, "error");
    d->settings = text(j, "settings");
    if (!d->settings) d->settings = "";
    if (!d->file || !status || !cJSON_IsArray(outputs))
        return lp_fail(err, LP_EFORMAT, "no record: file, status or outputs is missing");
    if (strcmp(status, d->error ? "failed" : "ok"))
        return lp_fail(err, LP_EFORMAT, "no record: status and error disagree");
    cJSON_ArrayForEach(x, outputs) bad |= !cJSON_IsString(x);
    d->input.bytes = (int64_t)number(j, "bytes", 0, 9e15, -1, &bad);
    snprintf(d->input.mtime, sizeof d->input.mtime, "%s", mtime ? mtime : "");
    d->page = (int)number(j, "page", 1, MAX_PAGES, 1, &bad);
    d->pages = (int)number(j, "pages", 1, MAX_PAGES, 0, &bad);
    d->only_page = (int)number(j, "only_page", 1, MAX_PAGES, 0, &bad);
    d->particles = (int64_t)number(j, "particles", 0, 9e15, -1, &bad);
    d->Ly = (int)number(j, "ly", 1, INT_MAX, 0, &bad);
    d->Lx = (int)number(j, "lx", 1, INT_MAX, 0, &bad);
    d->pixel_nm = number(j, "pixel_nm", 0, 1e30, 0, &bad);
    d->wall_s = number(j, "wall_s", 0, 1e30, 0, &bad);
    d->peak_mib = number(j, "peak_mib", 0, 1e30, 0, &bad);
    return bad ? lp_fail(err, LP_EFORMAT, "no record: a value is out of range") : LP_OK;
}

lp_status lp_done_parse(const char *bytes, size_t n, lp_done *out, lp_err *err)
{
    lp_done d = {0};
    cJSON *j = NULL;
    char *copy;
    lp_status st;

    if (n > MAX_BYTES || memchr(bytes, 0, n)) return lp_fail(err, LP_EFORMAT, "not JSON");
    if (!(copy = malloc(n + 1))) return lp_fail_mem(err, "record", (double)n);
    memcpy(copy, bytes, n);
    copy[n] = 0;
    j = cJSON_ParseWithOpts(copy, NULL, 1);
    free(copy);
    if (!cJSON_IsObject(j)) {
        cJSON_Delete(j);
        return lp_fail(err, LP_EFORMAT, "not JSON");
    }
    if ((st = parse(j, &d, err))) {
        cJSON_Delete(j);
        return st;
    }
    *out = d;
    return LP_OK;
}

void lp_done_read(const char *base, lp_done *out)
{
    char path[PATH_MAX], *bytes = NULL, *slash;
    size_t n = 0;
    int fd;

    memset(out, 0, sizeof *out);
    if (lp_done_file(base, NULL, 0, path, NULL)) return;
    /* NFS remembers that a file was not there; it asks again once the folder is opened. */
    slash = strrchr(path, '/');
    *slash = 0;
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *slash = '/';
    if (fd < 0) return;
    close(fd);
    if (!lp_read_text(path, MAX_BYTES, &bytes, &n, NULL) && lp_done_parse(bytes, n, out, NULL))
        memset(out, 0, sizeof *out);
    free(bytes);
}

void lp_done_free(lp_done *d)
{
    if (!d) return;
    cJSON_Delete(d->json);
    memset(d, 0, sizeof *d);
}

/* Bytes that are not UTF-8 stand as \\xNN in a record (json_log.h). */
static void decode(char *s)
{
    char *w = s;

    while (*s) {
        unsigned v;

        if (s[0] == '\\' && s[1] == 'x' && sscanf(s + 2, "%2x", &v) == 1 && v >= 0x80) {
            *w++ = (char)v;
            s += 4;
        } else {
            *w++ = *s++;
        }
    }
    *w = 0;
}

int lp_done_whole(const lp_done *d, const char *base)
{
    const char *slash = strrchr(base, '/');
    int dir = slash ? (int)(slash + 1 - base) : 0;
    const cJSON *outputs, *x;
    char path[PATH_MAX];

    if (!d->json || d->error) return 0;
    outputs = cJSON_GetObjectItemCaseSensitive(d->json, "outputs");
    cJSON_ArrayForEach(x, outputs)
    {
        const char *name = strrchr(x->valuestring, '/');

        /* The folder may have moved since. */
        if (snprintf(path, sizeof path, "%.*s%s", dir, base, name ? name + 1 : x->valuestring) >=
            (int)sizeof path)
            return 0;
        if (access(path, F_OK)) {
            decode(path + dir);
            if (access(path, F_OK)) return 0;
        }
    }
    return 1;
}

int lp_done_holds(const lp_done *d, const char *base, const char *settings,
                  const lp_done_input *input)
{
    return d->json && !d->error && *settings && !strcmp(d->settings, settings) &&
           input->bytes >= 0 && d->input.bytes == input->bytes &&
           !strcmp(d->input.mtime, input->mtime) && lp_done_whole(d, base);
}

lp_status lp_done_write(const char *base, const char *line, lp_err *err)
{
    size_t n = strlen(line);
    char path[PATH_MAX], *text_;
    lp_status st = lp_done_file(base, NULL, 1, path, err);

    if (st) return st;
    if (!(text_ = malloc(n + 2))) return lp_fail_mem(err, path, (double)n);
    memcpy(text_, line, n);
    text_[n] = '\n';
    st = lp_atomic_write_file(path, text_, n + 1, err);
    free(text_);
    return st;
}

lp_status lp_done_forget(const char *base, lp_err *err)
{
    char path[PATH_MAX];
    int fd;
    lp_status st = lp_done_file(base, NULL, 0, path, err);

    if (st) return st;
    if (unlink(path)) {
        if (errno == ENOENT || errno == ENOTDIR) return LP_OK;
        return lp_fail(err, LP_EIO, "%s: cannot remove: %s", path, strerror(errno));
    }
    /* After a power cut it must not be back beside new results. */
    *strrchr(path, '/') = 0;
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return LP_OK;
    if (fsync(fd) && errno == EIO) /* others: a file system that cannot flush folders */
        st = lp_fail(err, LP_EIO, "%s: cannot write: %s; check the disk", path, strerror(errno));
    close(fd);
    return st;
}
