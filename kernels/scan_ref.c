/* scan - plain versions. */
#include "scan.h"

#include <string.h>

/* out may be in. */
#define SCAN(T, out, in, n)                                                                        \
    do {                                                                                           \
        T sum_ = 0, v_;                                                                            \
        int64_t i_;                                                                                \
                                                                                                   \
        for (i_ = 0; i_ < (n); i_++) {                                                             \
            v_ = (in)[i_];                                                                         \
            (out)[i_] = sum_;                                                                      \
            sum_ += v_;                                                                            \
        }                                                                                          \
        (out)[n] = sum_;                                                                           \
    } while (0)

void lp_scan_u32_ref(uint32_t *out, const uint32_t *in, int64_t n)
{
    SCAN(uint32_t, out, in, n);
}

void lp_scan_u64_ref(uint64_t *out, const uint64_t *in, int64_t n)
{
    SCAN(uint64_t, out, in, n);
}

void lp_scan_list_ref(uint32_t *index, const uint32_t *offset, int64_t n)
{
    int64_t i;

    for (i = 0; i < n; i++)
        if (offset[i + 1] != offset[i]) index[offset[i]] = (uint32_t)i;
}

/* One bit at a time: what is 0 there goes before what is 1. */
void lp_scan_sort_ref(uint64_t *key, uint32_t *value, int64_t n, int bits, uint64_t *key2,
                      uint32_t *value2)
{
    int64_t i, zeros, ones;
    int b;

    for (b = 0; b < bits; b++) {
        for (i = zeros = ones = 0; i < n; i++) {
            if (key[i] >> b & 1) {
                key2[ones] = key[i];
                value2[ones++] = value[i];
            } else {
                key[zeros] = key[i];
                value[zeros++] = value[i];
            }
        }
        memcpy(key + zeros, key2, (size_t)ones * sizeof *key);
        memcpy(value + zeros, value2, (size_t)ones * sizeof *value);
    }
}
