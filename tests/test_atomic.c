/* Files appear whole or not at all, and failures leave nothing behind. */
#include "tmp_dir.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "host/atomic.h"

static void appears_at_commit(void **state)
{
    char *dir = lp_tmp_dir(), name[256], *text;
    const char *path = lp_tmp_path(dir, "x.csv");
    struct stat sb;
    lp_atomic *a = NULL;
    lp_err err;
    mode_t mask = umask(022);

    (void)state;
    assert_int_equal(lp_atomic_write_file(path, "old", 3, &err), LP_OK);
    assert_int_equal(lp_atomic_open(path, &a, &err), LP_OK);
    assert_int_equal(lp_tmp_count(dir, NULL), 2);
    assert_int_equal(lp_atomic_write(a, "new ", 4, &err), LP_OK);
    assert_int_equal(lp_atomic_write(a, "text", 4, &err), LP_OK);
    text = lp_tmp_read(path, NULL);
    assert_string_equal(text, "old");
    free(text);
    assert_int_equal(lp_atomic_commit(&a, &err), LP_OK);
    assert_null(a);
    assert_int_equal(lp_tmp_count(dir, name), 1);
    assert_string_equal(name, "x.csv");
    text = lp_tmp_read(path, NULL);
    assert_string_equal(text, "new text");
    free(text);
    assert_int_equal(stat(path, &sb), 0);
    assert_int_equal(sb.st_mode & 0777, 0644);
    umask(mask);
    lp_tmp_remove(dir);
}

static void abort_keeps_the_old_file(void **state)
{
    char *dir = lp_tmp_dir(), *text;
    const char *path = lp_tmp_path(dir, "x.csv");
    lp_atomic *a = NULL;
    lp_err err;

    (void)state;
    assert_int_equal(lp_atomic_write_file(path, "old", 3, &err), LP_OK);
    assert_int_equal(lp_atomic_open(path, &a, &err), LP_OK);
    assert_int_equal(lp_atomic_write(a, "new", 3, &err), LP_OK);
    lp_atomic_abort(&a);
    assert_null(a);
    lp_atomic_abort(&a);
    lp_atomic_abort(NULL);
    assert_int_equal(lp_tmp_count(dir, NULL), 1);
    text = lp_tmp_read(path, NULL);
    assert_string_equal(text, "old");
    free(text);
    lp_tmp_remove(dir);
}

static void a_pipe_is_not_replaced(void **state)
{
    char *dir = lp_tmp_dir();
    const char *path = lp_tmp_path(dir, "pipe");
    lp_atomic *a = NULL;
    struct stat sb;
    lp_err err;

    (void)state;
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(lp_atomic_open(path, &a, &err), LP_EIO);
    assert_null(a);
    assert_non_null(strstr(err.msg, path));
    assert_int_equal(lp_atomic_write_file(path, "x", 1, &err), LP_EIO);
    assert_int_equal(stat(path, &sb), 0);
    assert_true(S_ISFIFO(sb.st_mode));
    assert_int_equal(lp_tmp_count(dir, NULL), 1);
    lp_tmp_remove(dir);
}

static void killed_writer_leaves_a_temporary(void **state)
{
    char *dir = lp_tmp_dir(), name[256], expect[64];
    pid_t child = fork();
    int status;

    (void)state;
    if (child == 0) {
        lp_atomic *a = NULL;

        if (lp_atomic_open(lp_tmp_path(dir, "x.tif"), &a, NULL)) _exit(1);
        lp_atomic_write(a, "half", 4, NULL);
        _exit(7);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), 7);
    assert_int_equal(lp_tmp_count(dir, name), 1);
    snprintf(expect, sizeof expect, ".x.tif.%ld-", (long)child);
    assert_int_equal(strncmp(name, expect, strlen(expect)), 0);
    assert_string_equal(name + strlen(name) - 4, ".tmp");
    assert_int_equal(strlen(name), strlen(expect) + 6 + 4);
    lp_tmp_remove(dir);
}

/* A file size limit stands in for the full disk: the same path through the code. */
static void full_disk(void **state)
{
    char *dir = lp_tmp_dir();
    const char *path = lp_tmp_path(dir, "x.tif");
    struct rlimit old, small;
    static char big[100000];
    lp_status st;
    lp_err err;

    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 5000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    st = lp_atomic_write_file(path, big, sizeof big, &err);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(st, LP_EIO);
    assert_non_null(strstr(err.msg, path));
    assert_non_null(strstr(err.msg, strerror(EFBIG)));
    assert_null(strchr(err.msg, '\n'));
    assert_int_equal(lp_tmp_count(dir, NULL), 0);
    lp_tmp_remove(dir);
}

static void first_error_counts(void **state)
{
    char *dir = lp_tmp_dir();
    lp_atomic *a = NULL;
    lp_err err;

    (void)state;
    assert_int_equal(lp_atomic_open(lp_tmp_path(dir, "x"), &a, &err), LP_OK);
    lp_atomic_failed(a, ENOSPC);
    lp_atomic_failed(a, ENOMEM);
    assert_int_equal(lp_atomic_write(a, "x", 1, &err), LP_EIO);
    assert_int_equal(lp_atomic_commit(&a, &err), LP_EIO);
    assert_non_null(strstr(err.msg, strerror(ENOSPC)));
    assert_int_equal(lp_tmp_count(dir, NULL), 0);
    lp_tmp_remove(dir);
}

static void impossible_places(void **state)
{
    char *dir = lp_tmp_dir(), longname[400];
    lp_atomic *a = NULL;
    lp_err err;

    (void)state;
    assert_int_equal(lp_atomic_write_file(lp_tmp_path(dir, "file"), "x", 1, &err), LP_OK);
    assert_int_equal(lp_atomic_open(lp_tmp_path(dir, "file/x.csv"), &a, &err), LP_EIO);
    assert_non_null(strstr(err.msg, "file/x.csv"));
    assert_int_equal(lp_atomic_open(lp_tmp_path(dir, "no/x.csv"), &a, &err), LP_EIO);
    assert_int_equal(lp_atomic_open(lp_tmp_path(dir, ""), &a, &err), LP_EARG);
    assert_int_equal(lp_atomic_open("", &a, &err), LP_EARG);
    assert_int_equal(lp_atomic_open(dir, &a, &err), LP_EIO); /* a folder is in the way */
    assert_null(a);
    /* The longest name that a file may have still gets a temporary. */
    memset(longname, 'n', 255);
    longname[255] = 0;
    assert_int_equal(lp_atomic_write_file(lp_tmp_path(dir, longname), "x", 1, &err), LP_OK);
    longname[255] = 'n';
    longname[256] = 0;
    assert_int_equal(lp_atomic_write_file(lp_tmp_path(dir, longname), "x", 1, &err), LP_EIO);
    assert_int_equal(lp_tmp_count(dir, NULL), 2);
    if (geteuid()) {
        assert_int_equal(chmod(dir, 0500), 0);
        assert_int_equal(lp_atomic_open(lp_tmp_path(dir, "x"), &a, &err), LP_EIO);
        assert_non_null(strstr(err.msg, strerror(EACCES)));
        chmod(dir, 0700);
    }
    lp_tmp_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appears_at_commit),
        cmocka_unit_test(abort_keeps_the_old_file),
        cmocka_unit_test(a_pipe_is_not_replaced),
        cmocka_unit_test(killed_writer_leaves_a_temporary),
        cmocka_unit_test(full_disk),
        cmocka_unit_test(first_error_counts),
        cmocka_unit_test(impossible_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
