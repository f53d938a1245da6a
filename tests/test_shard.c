/* Which task of a job array does which images. */
#include "lp_test.h"

#include "host/shard.h"

static const char *const *vars; /* name, value, ..., NULL */

static char *env(const char *name)
{
    const char *const *v;

    for (v = vars; *v; v += 2)
        if (!strcmp(*v, name)) return (char *)(size_t)v[1];
    return NULL;
}

#define ENV(...)                                                                                   \
    vars = (const char *const[])                                                                   \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }

static void is(const char *text, int index, int count, const char *array)
{
    lp_shard s = {0};
    lp_err err = {LP_OK, ""};

    if (lp_shard_find(text, env, &s, &err)) fail_msg("%s", err.msg);
    assert_int_equal(s.index, index);
    assert_int_equal(s.count, count);
    if (array)
        assert_string_equal(s.array, array);
    else
        assert_null(s.array);
}

static void refused(const char *text, const char *part)
{
    lp_shard s = {7, 8, NULL};
    lp_err err = {LP_OK, ""};

    assert_int_equal(lp_shard_find(text, env, &s, &err), LP_EARG);
    assert_int_equal(s.index, 7);
    if (!strstr(err.msg, part)) fail_msg("'%s' does not say '%s'", err.msg, part);
}

static void as_given(void **state)
{
    static const char *const bad[] = {"",          "1",
                                      "/",         "1/",
                                      "/2",        "0/3",
                                      "4/3",       "-1/3",
                                      "1/2/3",     "1 /3",
                                      "a/b",       "0/0",
                                      "1/1e",      "1.5/3",
                                      "none ",     "1/99999999999999999999",
                                      "1/1000001", "00000000000000000001/3"};
    size_t i;

    (void)state;
    ENV("SLURM_ARRAY_TASK_ID", "3"); /* what is given counts */
    is("1/1", 1, 1, NULL);
    is("2/4", 2, 4, NULL);
    is("1000000/1000000", 1000000, 1000000, NULL);
    is("none", 1, 1, NULL);
    for (i = 0; i < sizeof bad / sizeof *bad; i++) refused(bad[i], "--shard");
}

static void from_the_queue(void **state)
{
    (void)state;
    ENV("HOME", "/");
    is(NULL, 1, 1, NULL);
#define SLURM(id, min, max, step, count)                                                           \
    ENV("SLURM_ARRAY_TASK_ID", id, "SLURM_ARRAY_TASK_MIN", min, "SLURM_ARRAY_TASK_MAX", max,       \
        "SLURM_ARRAY_TASK_STEP", step, "SLURM_ARRAY_TASK_COUNT", count, "PBS_ARRAY_INDEX", "1")
    SLURM("3", "1", "4", "1", "4");
    is(NULL, 3, 4, "SLURM_ARRAY_TASK_ID");
    SLURM("0", "0", "9", "1", "10");
    is(NULL, 1, 10, "SLURM_ARRAY_TASK_ID");
    SLURM("14", "2", "17", "4", "4");
    is(NULL, 4, 4, "SLURM_ARRAY_TASK_ID");
    SLURM("5", "5", "5", "1", "1");
    is(NULL, 1, 1, "SLURM_ARRAY_TASK_ID");
    SLURM("7", "1", "7", "1", "3"); /* --array=1,3,7 */
    refused(NULL, "gaps");
    SLURM("9", "1", "7", "1", "7");
    refused(NULL, "SLURM_ARRAY_TASK_ID=9");
    ENV("SLURM_ARRAY_TASK_ID", "3");
    refused(NULL, "--shard I/N");
    ENV("SGE_TASK_ID", "undefined", "SGE_TASK_LAST", "undefined", "LSB_JOBINDEX", "0",
        "LSB_JOBINDEX_END", "0");
    is(NULL, 1, 1, NULL);
    ENV("SGE_TASK_ID", "7", "SGE_TASK_FIRST", "1", "SGE_TASK_LAST", "10", "SGE_TASK_STEPSIZE", "3");
    is(NULL, 3, 4, "SGE_TASK_ID");
    ENV("LSB_JOBINDEX", "4", "LSB_JOBINDEX_END", "12", "LSB_JOBINDEX_STEP", "1");
    is(NULL, 4, 12, "LSB_JOBINDEX");
    ENV("PBS_ARRAY_INDEX", "4");
    refused(NULL, "$PBS_ARRAY_INDEX/N");
    ENV("PBS_ARRAYID", "4");
    refused(NULL, "$PBS_ARRAYID/N");
}

static void stable_and_even(void **state)
{
    int n[8] = {0}, i;
    char name[64];

    (void)state;
    /* These are promised: a campaign may go on after an update. */
    assert_int_equal(lp_shard_of("grid1_0001.mrc", 4), 2);
    assert_int_equal(lp_shard_of("below/x.tif", 7), 5);
    assert_int_equal(lp_shard_of("", 5), 3);
    assert_int_equal(lp_shard_of("anything", 1), 1);
    for (i = 0; i < 8000; i++) {
        snprintf(name, sizeof name, "grid_%05d.mrc", i);
        assert_in_range(lp_shard_of(name, 8), 1, 8);
        n[lp_shard_of(name, 8) - 1]++;
    }
    for (i = 0; i < 8; i++) assert_in_range(n[i], 850, 1150); /* 1000 +- 5 sigma */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_given),
        cmocka_unit_test(from_the_queue),
        cmocka_unit_test(stable_and_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
