/* tmp_dir - a folder for one test, below $TMPDIR or /tmp, and whole files in memory. */
#ifndef LP_TMP_DIR_H
#define LP_TMP_DIR_H

#include <dirent.h>
#include <ftw.h>

#include "lp_test.h"

/* New folder; its path is the caller's, to lp_tmp_remove(). */
static inline char *lp_tmp_dir(void)
{
    const char *t = getenv("TMPDIR");
    char *path = malloc(1024);

    assert_non_null(path);
    snprintf(path, 1024, "%s/lipopose-test-XXXXXX", t && *t ? t : "/tmp");
    assert_non_null(mkdtemp(path));
    return path;
}

/* dir/name in static storage (four alive at a time). */
static inline const char *lp_tmp_path(const char *dir, const char *name)
{
    static char path[4][2048];
    static int k;

    k = (k + 1) % 4;
    snprintf(path[k], sizeof path[k], "%s/%s", dir, name);
    return path[k];
}

/* Number of entries of the folder; the last name met into name [256] where not NULL. */
static inline int lp_tmp_count(const char *dir, char *name)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    int n = 0;

    assert_non_null(d);
    while ((e = readdir(d))) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        if (name) snprintf(name, 256, "%s", e->d_name);
        n++;
    }
    closedir(d);
    return n;
}

static inline int lp_tmp_remove_one(const char *path, const struct stat *sb, int kind,
                                    struct FTW *at)
{
    (void)sb;
    (void)kind;
    (void)at;
    return remove(path);
}

/* With all that is in it. */
static inline void lp_tmp_remove(char *dir)
{
    nftw(dir, lp_tmp_remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(dir);
}

/* The whole file, NUL-terminated; to free(). */
static inline char *lp_tmp_read(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    char *b;
    long n;

    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    n = ftell(f);
    rewind(f);
    b = malloc((size_t)n + 1);
    assert_non_null(b);
    assert_int_equal(fread(b, 1, (size_t)n, f), n);
    b[n] = 0;
    fclose(f);
    if (size) *size = (size_t)n;
    return b;
}

/* An empty file. */
static inline void lp_tmp_touch(const char *dir, const char *name)
{
    FILE *f = fopen(lp_tmp_path(dir, name), "w");

    assert_non_null(f);
    fclose(f);
}

/* The name without its folder, "-" for none. */
static inline const char *lp_tmp_base(const char *path)
{
    return path ? strrchr(path, '/') + 1 : "-";
}

#endif
