/* read_util - what the readers' tests share: a temporary folder, files of given bytes. */
#ifndef READ_UTIL_H
#define READ_UTIL_H

#include "lp_test.h"
#include "tmp_dir.h"

#include "host/read.h"

static char *tmp_dir;

static inline int make_tmp(void **state)
{
    (void)state;
    tmp_dir = lp_tmp_dir();
    return 0;
}

static inline int drop_tmp(void **state)
{
    char cmd[1100];

    (void)state;
    snprintf(cmd, sizeof cmd, "rm -rf '%s'", tmp_dir);
    free(tmp_dir);
    return system(cmd);
}

/* Path of a file in the temporary folder; static storage, four at a time. */
static inline const char *tmp_path(const char *name)
{
    return lp_tmp_path(tmp_dir, name);
}

static inline const char *write_file(const char *name, const void *bytes, size_t n)
{
    const char *path = tmp_path(name);
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
    return path;
}

static inline uint8_t *slurp(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    uint8_t *p;

    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    *n = (size_t)ftell(f);
    rewind(f);
    p = malloc(*n + 1);
    assert_non_null(p);
    assert_int_equal(fread(p, 1, *n, f), *n);
    fclose(f);
    return p;
}

/* Reads a page that must be readable. */
static inline lp_image must_read(const char *path, int page)
{
    lp_image im;
    lp_err err;

    if (lp_read_image(path, page, &im, &err)) fail_msg("%s", err.msg);
    return im;
}

/* Reading must fail with this status and a message that names the path and holds `words`; the
 * result must not be touched. */
static inline void must_fail(const char *path, int page, lp_status want, const char *words)
{
    lp_image im, before;
    lp_err err = {0};
    lp_status st;

    memset(&im, 0x5a, sizeof im);
    before = im;
    st = lp_read_image(path, page, &im, &err);
    if (st != want) fail_msg("%s: status %d, expected %d: %s", path, st, want, err.msg);
    assert_memory_equal(&im, &before, sizeof im);
    assert_int_equal(err.status, want);
    if (!strstr(err.msg, path) || !strstr(err.msg, words) || strchr(err.msg, '\n'))
        fail_msg("message \"%s\" lacks \"%s\"", err.msg, words);
}

#endif
