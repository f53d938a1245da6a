/* Limits of control groups, from trees of files as Linux shows them. */
#include "tmp_dir.h"

#include <ftw.h>
#include <sys/stat.h>

#include "host/machine.h"

static void put(const char *dir, const char *name, const char *text)
{
    FILE *f = fopen(lp_tmp_path(dir, name), "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void folder(const char *dir, const char *name)
{
    assert_int_equal(mkdir(lp_tmp_path(dir, name), 0700), 0);
}

static int remove_one(const char *path, const struct stat *sb, int type, struct FTW *at)
{
    (void)sb, (void)type, (void)at;
    return remove(path);
}

static void done(char *dir)
{
    assert_int_equal(nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
    free(dir);
}

static double memory(const char *dir)
{
    char proc[512];

    snprintf(proc, sizeof proc, "%s", lp_tmp_path(dir, "proc"));
    return lp_machine_group_memory(proc, dir);
}

static double cpus(const char *dir)
{
    char proc[512];

    snprintf(proc, sizeof proc, "%s", lp_tmp_path(dir, "proc"));
    return lp_machine_group_cpus(proc, dir);
}

/* The limit of a parent counts, and in a container the path is not there. */
static void version_2(void **state)
{
    char *dir = lp_tmp_dir();

    (void)state;
    assert_true(memory(dir) == 0 && cpus(dir) == 0); /* no proc */
    put(dir, "proc", "0::/job/step\n");
    assert_true(memory(dir) == 0 && cpus(dir) == 0);
    put(dir, "memory.max", "8589934592\n");
    put(dir, "cpu.max", "250000 100000\n");
    assert_true(memory(dir) == 8589934592.0 && cpus(dir) == 2.5);
    folder(dir, "job");
    folder(dir, "job/step");
    put(dir, "job/memory.max", "1073741824\n");
    put(dir, "job/cpu.max", "max 100000\n");
    put(dir, "job/step/memory.max", "max\n");
    put(dir, "job/step/cpu.max", "50000 100000\n");
    assert_true(memory(dir) == 1073741824.0 && cpus(dir) == 0.5);
    put(dir, "proc", "0::/\n");
    assert_true(memory(dir) == 8589934592.0 && cpus(dir) == 2.5);
    done(dir);
}

static void version_1(void **state)
{
    char *dir = lp_tmp_dir();

    (void)state;
    put(dir, "proc", "5:cpuset:/x\n4:memory:/job\n3:cpuacct,cpu:/job\n0::/\n");
    folder(dir, "memory");
    folder(dir, "memory/job");
    folder(dir, "cpu");
    put(dir, "memory/memory.limit_in_bytes", "9223372036854771712\n");
    put(dir, "cpu/cpu.cfs_quota_us", "-1\n");
    put(dir, "cpu/cpu.cfs_period_us", "100000\n");
    assert_true(memory(dir) == 0 && cpus(dir) == 0);
    put(dir, "memory/job/memory.limit_in_bytes", "2147483648\n");
    put(dir, "cpu/cpu.cfs_quota_us", "400000\n");
    assert_true(memory(dir) == 2147483648.0 && cpus(dir) == 4);
    put(dir, "proc", "\n:\n::\nnonsense\n4:memory\n");
    assert_true(memory(dir) == 0);
    done(dir);
}

static void this_machine(void **state)
{
    (void)state;
    assert_true(lp_machine_memory() > 1e6 && lp_machine_memory() < 1e15);
    assert_true(lp_machine_threads() >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_2),
        cmocka_unit_test(version_1),
        cmocka_unit_test(this_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
