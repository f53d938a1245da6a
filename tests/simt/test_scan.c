/* Scans, lists and the sort on the device against their plain versions. */
#include "../lp_test.h"
#include "simt_test.h"

#include "host/rng.h"
#include "kernels/scan.h"

static const int64_t lengths[] = {0, 1, 2, 31, 255, 2047, 2048, 2049, 9000};
enum { N_LENGTHS = 9, MAX_N = 9000, GUARD = 16 };

static void *scratch(size_t bytes)
{
    void *p = malloc(bytes + 1);

    assert_non_null(p);
    memset(p, 0xa5, bytes + 1);
    return p;
}

static void scans(void **state)
{
    static uint32_t in[MAX_N], got[MAX_N + 1 + GUARD], want[MAX_N + 1], list[MAX_N + GUARD],
        list2[MAX_N];
    static uint64_t in64[MAX_N], got64[MAX_N + 1 + GUARD], want64[MAX_N + 1];
    lp_rng r;
    int k, top, g;

    (void)state;
    lp_rng_init(&r, 1, 0, 0);
    for (k = 0; k < N_LENGTHS; k++)
        for (top = 1; top < 1000000; top *= 1000) {
            int64_t n = lengths[k], i;
            void *d = scratch(lp_scan_scratch_cuda(n));

            for (i = 0; i < n; i++) {
                in[i] = (uint32_t)(lp_rng_uniform(&r) * (top + 1));
                in64[i] = (uint64_t)in[i] << 32 | 7;
            }
            memset(got, 0xee, sizeof got);
            memset(got64, 0xee, sizeof got64);
            lp_scan_u32_ref(want, in, n);
            lp_scan_u64_ref(want64, in64, n);
            assert_int_equal(lp_scan_u32_cuda(got, in, n, d, NULL), 0);
            assert_int_equal(lp_scan_u64_cuda(got64, in64, n, d, NULL), 0);
            assert_memory_equal(got, want, ((size_t)n + 1) * sizeof *got);
            assert_memory_equal(got64, want64, ((size_t)n + 1) * sizeof *got64);
            for (g = 0; g < GUARD; g++)
                assert_true(got[n + 1 + g] == 0xeeeeeeee && got64[n + 1 + g] >> 32 == 0xeeeeeeee);
            memcpy(got, in, (size_t)n * sizeof *in); /* in place */
            assert_int_equal(lp_scan_u32_cuda(got, got, n, d, NULL), 0);
            assert_memory_equal(got, want, ((size_t)n + 1) * sizeof *got);
            if (top == 1) {
                memset(list, 0xee, sizeof list);
                lp_scan_list_ref(list2, want, n);
                assert_int_equal(lp_scan_list_cuda(list, want, n, NULL), 0);
                assert_memory_equal(list, list2, want[n] * sizeof *list);
                for (g = 0; g < GUARD; g++) assert_true(list[want[n] + g] == 0xeeeeeeee);
            }
            free(d);
        }
}

static void sorts(void **state)
{
    static const int bits[] = {0, 1, 8, 11, 17, 33, 64};
    static uint64_t key[MAX_N], key2[MAX_N], want[MAX_N];
    static uint32_t value[MAX_N], value2[MAX_N], want_value[MAX_N];
    lp_rng r;
    int k, b;

    (void)state;
    lp_rng_init(&r, 2, 0, 0);
    for (k = 0; k < N_LENGTHS; k++)
        for (b = 0; b < 7; b++) {
            int64_t n = lengths[k], i;
            void *d = scratch(lp_scan_sort_scratch_cuda(n));

            for (i = 0; i < n; i++) {
                /* Few digits of a byte, so that there are ties, and rubbish above the bits. */
                key[i] = (uint64_t)(lp_rng_uniform(&r) * 4294967296.0) << 32;
                key[i] |= (uint64_t)(lp_rng_uniform(&r) * 4294967296.0);
                key[i] &= 0x8103050381030503u;
                want[i] = key[i];
                want_value[i] = value[i] = (uint32_t)i;
            }
            lp_scan_sort_ref(want, want_value, n, bits[b], key2, value2);
            for (i = 1; i < n && bits[b] == 64; i++)
                assert_true(want[i - 1] < want[i] ||
                            (want[i - 1] == want[i] && want_value[i - 1] < want_value[i]));
            assert_int_equal(lp_scan_sort_cuda(key, value, n, bits[b], key2, value2, d, NULL), 0);
            assert_memory_equal(key, want, (size_t)n * sizeof *key);
            assert_memory_equal(value, want_value, (size_t)n * sizeof *value);
            free(d);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(scans), cmocka_unit_test(sorts)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
