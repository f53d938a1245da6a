/* simt_ptx - mma, ldmatrix and asynchronous copies, with the lane layouts of the PTX ISA. */
#ifndef SIMT_PTX_H
#define SIMT_PTX_H

#include <stdint.h>
#include <string.h>

#include "simt.h"

struct simt_mma_arg {
    float *d;
    const uint32_t *a, *b;
};
void simt_mma_bf16(void *const arg[32], unsigned mask);
void simt_mma_f16(void *const arg[32], unsigned mask);
static inline void lp_mma_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2])
{
    simt_mma_arg m = {d, a, b};

    simt_warp("mma bf16", 0xffffffff, &m, simt_mma_bf16);
}
static inline void lp_mma_f16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2])
{
    simt_mma_arg m = {d, a, b};

    simt_warp("mma f16", 0xffffffff, &m, simt_mma_f16);
}

struct simt_matrix_arg {
    uint16_t row[8];
    const void *at;
    uint32_t *r;
};
/* Whether all of the bytes are in the running block's shared memory; else the program ends. */
void simt_check_shared(const char *op, const void *p, size_t bytes);
void simt_ldmatrix(void *const arg[32], unsigned mask, int n, int trans);
template <int n, int trans> static inline void simt_ldmatrix_all(void *const arg[32], unsigned mask)
{
    simt_ldmatrix(arg, mask, n, trans);
}
template <int n, int trans>
static inline void simt_ldmatrix_lane(const char *op, uint32_t *r, const void *row)
{
    simt_matrix_arg m = {{0}, row, r};

    if (simt_lane() < 8 * n) {
        simt_check_shared(op, row, 16);
        /* Read here, not by the last lane: this file's accesses are checked. */
        simt_access(row, 16, 'r');
        memcpy(m.row, row, 16);
    }
    simt_warp(op, 0xffffffff, &m, simt_ldmatrix_all<n, trans>);
}
static inline void lp_ldmatrix_x4(uint32_t (&r)[4], const void *row)
{
    simt_ldmatrix_lane<4, 0>("ldmatrix x4", r, row);
}
static inline void lp_ldmatrix_x2(uint32_t (&r)[2], const void *row)
{
    simt_ldmatrix_lane<2, 0>("ldmatrix x2", r, row);
}
static inline void lp_ldmatrix_x4_trans(uint32_t (&r)[4], const void *row)
{
    simt_ldmatrix_lane<4, 1>("ldmatrix x4 trans", r, row);
}
static inline void lp_ldmatrix_x2_trans(uint32_t (&r)[2], const void *row)
{
    simt_ldmatrix_lane<2, 1>("ldmatrix x2 trans", r, row);
}

/* data [16] lands at shared with the wait that covers it. */
void simt_cp_async(void *shared, const void *data);
void simt_cp_async_commit();
void simt_cp_async_wait(int n);
static inline void lp_cp_async_16(void *shared, const void *global, int bytes)
{
    unsigned char data[16] = {0};

    if (bytes < 0 || bytes > 16) simt_fail("cp.async of %d bytes", bytes);
    simt_check_shared("cp.async", shared, 16);
    if ((uintptr_t)global % 16) simt_fail("cp.async from %p: not aligned to 16", global);
    memcpy(data, global, (size_t)bytes);
    simt_access(shared, 16, 'w');
    memset(shared, 0xff, 16); /* neither the old nor the new content can be relied on */
    simt_cp_async(shared, data);
}
static inline void lp_cp_async_commit()
{
    simt_cp_async_commit();
}
template <int N> static inline void lp_cp_async_wait()
{
    simt_cp_async_wait(N);
}

#endif
