/* The executor itself: planted faults must be found, right kernels must pass. */
#include "../lp_test.h"
#include "simt_test.h"

#include <signal.h>
#include <sys/wait.h>

#include "planted.h"

/* Runs f(fault) under every seed, each in a child, until one of them ends it; the child's stderr
 * must then have `word`, or, for "wrong", only f have said so. Returns under how many seeds the
 * fault was found, or ALL. f returns 0 where its result was right. */
#define ALL 1000
static int found(int (*f)(int), int fault, const char *word)
{
    static char text[1 << 16];
    int s, status, n = 0, of = 0;

    SIMT_SEEDS(seed)
    {
        FILE *err = tmpfile();
        pid_t pid;

        of++;
        assert_non_null(err);
        fflush(NULL);
        pid = fork();
        assert_true(pid >= 0);
        if (!pid) {
            signal(SIGABRT, SIG_DFL); /* not cmocka's */
            signal(SIGSEGV, SIG_DFL);
            dup2(fileno(err), 2);
            _exit(f(fault) ? 77 : 0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        rewind(err);
        s = (int)fread(text, 1, sizeof text - 1, err);
        text[s] = 0;
        fclose(err);
        if (!status) continue;
        n++;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
            if (!strcmp(word, "wrong")) continue;
            fail_msg("fault %d: only the result was wrong, expected: %s", fault, word);
        }
        if (!strstr(text, word)) fail_msg("fault %d: not \"%s\" but: %s", fault, word, text);
    }
    return n == of ? ALL : n;
}

static float in[256], out[256];

static int run_reverse(int fault)
{
    int i, bad = 0;

    for (i = 0; i < 256; i++) in[i] = (float)i, out[i] = -1;
    if (planted_reverse(out, in, 256, fault)) return 1;
    for (i = 0; i < 256; i++) {
        int k = fault == NO_WARP_BARRIER ? i ^ 31 : i / 64 * 64 + 63 - i % 64;

        bad += !(out[i] == in[k]);
    }
    return bad;
}

static void shared_memory(void **state)
{
    (void)state;
    assert_int_equal(found(run_reverse, RIGHT, ""), 0);
    assert_int_equal(found(run_reverse, NO_BARRIER, SIMT_RACE ? "shared memory at" : "wrong"), ALL);
    assert_int_equal(found(run_reverse, NO_WARP_BARRIER, SIMT_RACE ? "shared memory at" : "wrong"),
                     ALL);
    assert_int_equal(found(run_reverse, UNWRITTEN, SIMT_RACE ? "shared memory at" : "wrong"), ALL);
    if (!SIMT_RACE) {
        assert_int_equal(found(run_reverse, BEYOND_STATIC, "global-buffer-overflow"), ALL);
        assert_int_equal(found(run_reverse, BEYOND_DYNAMIC, "heap-buffer-overflow"), ALL);
    }
}

static int run_async(int fault)
{
    static _Alignas(16) float from[132];
    int i, bad = 0;

    for (i = 0; i < 132; i++) from[i] = (float)i;
    if (planted_async(out, from, fault)) return 1;
    for (i = 0; i < 128; i++) bad += !(out[i] == from[i]);
    return bad;
}

static void asynchronous(void **state)
{
    (void)state;
    assert_int_equal(found(run_async, RIGHT, ""), 0);
    assert_int_equal(found(run_async, NO_WAIT, "wrong"), ALL);
    assert_int_equal(found(run_async, WAIT_FOR_ONE, "wrong"), ALL);
    assert_int_equal(found(run_async, NO_COMMIT, "before it has waited"), ALL);
    assert_int_equal(found(run_async, NOT_SHARED, "not in shared memory"), ALL);
    assert_int_equal(found(run_async, UNALIGNED, "not aligned to 16"), ALL);
    if (SIMT_RACE)
        assert_int_equal(found(run_async, NO_BARRIER_AFTER_WAIT, "shared memory at"), ALL);
    else
        assert_true(found(run_async, NO_BARRIER_AFTER_WAIT, "wrong") > 0 || getenv("LP_SIMT_SEED"));
}

static void block_order(void **state)
{
    int last[SIMT_N_SEEDS], differ = 0, n;

    (void)state;
    SIMT_SEEDS(s)
    {
        n = 0;
        assert_int_equal(planted_order(&n, 1000, 0), 0);
        assert_int_equal(n, 1000);
        assert_int_equal(planted_order(&last[s], 1000, 1), 0);
        differ += s && last[s] != last[0];
    }
    if (!getenv("LP_SIMT_SEED")) assert_true(differ > 0);
}

static int run_barrier(int fault)
{
    int o[64], i, bad = 0;

    if (planted_barrier(o, fault)) return 1;
    for (i = 0; i < 64; i++) bad += o[i] != 64;
    return bad;
}

static void barriers(void **state)
{
    (void)state;
    assert_int_equal(found(run_barrier, RIGHT, ""), 0);
    assert_int_equal(found(run_barrier, HALF_WAITS, "__syncthreads"), ALL);
    assert_int_equal(found(run_barrier, TWO_PLACES, "waits at"), ALL);
    assert_int_equal(found(run_barrier, EARLY_RETURN, "return"), ALL);
}

static int run_shuffle(int fault)
{
    int o[32], i, bad = 0;

    if (planted_shuffle(o, fault)) return 1;
    for (i = 0; i < 32; i++) bad += o[i] != 496;
    return bad;
}

static void warps(void **state)
{
    int bad[32], i;

    (void)state;
    assert_int_equal(found(run_shuffle, 0, ""), 0);
    assert_int_equal(found(run_shuffle, NOT_IN_MASK, "is not in its mask"), ALL);
    assert_int_equal(found(run_shuffle, FROM_INACTIVE, "takes no part"), ALL);
    assert_int_equal(found(run_shuffle, HALF_A_WARP, "takes no part"), ALL);
    assert_int_equal(found(run_shuffle, DIFFERENT_MASKS, ""), ALL);
    assert_int_equal(found(run_shuffle, LANE_MISSING, "nobody can go on"), ALL);
    SIMT_SEEDS(s)
    {
        memset(bad, 0, sizeof bad);
        assert_int_equal(planted_warp_operations(bad), 0);
        for (i = 0; i < 32; i++)
            if (bad[i]) fail_msg("warp operation %d: wrong in %d lanes (seed %d)", i, bad[i], s);
    }
}

/* Small integers, exact in bfloat16 and in binary16. */
static uint16_t bits(int v, int f16)
{
    float f = (float)v;
    uint32_t u;
    int e = 0;

    if (!f16) {
        memcpy(&u, &f, 4);
        return (uint16_t)(u >> 16);
    }
    if (!v) return 0;
    for (u = (uint32_t)abs(v); u >> (e + 1); e++) {
    }
    return (uint16_t)((v < 0) << 15 | (e + 15) << 10 | ((u << (10 - e)) & 1023));
}

/* Rows of four matrices at a distance: in 8 different groups of 4 banks, or not. */
static void bank_conflicts(void **state)
{
    static const int expected[][2] = {{16, 0}, {32, 4 * 4}, {48, 0}, {64, 4 * 6}, {128, 4 * 7}};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof expected / sizeof *expected; i++) {
        long before = simt_bank_conflicts();

        assert_int_equal(planted_rows(expected[i][0]), 0);
        assert_int_equal(simt_bank_conflicts() - before, expected[i][1]);
    }
}

static void matrix_product(void **state)
{
    uint16_t A[256], B[128];
    int a[256], b[128], i, m, n, k, mode;
    float d[128];

    (void)state;
    for (mode = 0; mode < 4; mode++) SIMT_SEEDS(s)
        {
            for (i = 0; i < 256; i++) A[i] = bits(a[i] = i * 37 % 101 - 50, mode & 1);
            for (i = 0; i < 128; i++) B[i] = bits(b[i] = i * 59 % 97 - 48, mode & 1);
            for (i = 0; i < 128; i++) d[i] = (float)(i * 1000);
            assert_int_equal(planted_product(d, A, B, mode & 1, mode >> 1), 0);
            for (m = 0; m < 16; m++)
                for (n = 0; n < 8; n++) {
                    int sum = (m * 8 + n) * 1000;

                    for (k = 0; k < 16; k++) sum += a[m * 16 + k] * b[k * 8 + n];
                    if (!(d[m * 8 + n] == (float)sum))
                        fail_msg("mode %d, row %d, column %d: %g, expected %d", mode, m, n,
                                 (double)d[m * 8 + n], sum);
                }
        }
}

static void limits(void **state)
{
    int n = 0;

    (void)state;
    assert_int_equal(planted_launch(&n, 1, 1024, 227 << 10), 0);
    assert_int_equal(n, 1024);
    assert_int_not_equal(planted_launch(&n, 1, 1025, 0), 0);
    assert_int_not_equal(planted_launch(&n, 1, 32, (227 << 10) + 1), 0);
    assert_int_not_equal(planted_launch(&n, 0, 32, 0), 0);
    assert_int_not_equal(planted_launch(&n, 1L << 32, 32, 0), 0);
    assert_int_not_equal(planted_launch(&n, 1, 0, 0), 0);
    assert_int_equal(n, 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shared_memory),  cmocka_unit_test(asynchronous),
        cmocka_unit_test(block_order),    cmocka_unit_test(barriers),
        cmocka_unit_test(warps),          cmocka_unit_test(matrix_product),
        cmocka_unit_test(bank_conflicts), cmocka_unit_test(limits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
