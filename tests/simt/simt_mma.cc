/* simt_mma - the arithmetic of mma and ldmatrix, from the register layouts of the PTX ISA.
 *
 * With g = lane / 4 and t = lane % 4 (two 16-bit values to a register, lower half first):
 *   mma.m16n8k16  a[0] = A[g][2t..], a[1] = A[g+8][2t..], a[2] = A[g][2t+8..], a[3] =
 * A[g+8][2t+8..] b[0] = B[2t..][g], b[1] = B[2t+8..][g] d[0], d[1] = D[g][2t], D[g][2t+1];  d[2],
 * d[3] = D[g+8][2t], D[g+8][2t+1] ldmatrix      r[i] = M_i[g][2t], M_i[g][2t+1]; transposed:
 * M_i[2t][g], M_i[2t+1][g] Products are exact; their sum is double and rounded once. Hardware
 * promises less: how it rounds inside a sum is not defined, so tests compare within a tolerance. */
#include "simt_ptx.h"

#include "simt.h"
#include "simt_test.h"

static float from_bf16(uint32_t v)
{
    return __uint_as_float(v << 16);
}

static float from_f16(uint32_t v)
{
    return simt_from_f16((uint16_t)v);
}

static void all_lanes(const char *op, unsigned mask)
{
    if (mask != 0xffffffff) simt_fail("%s: only lanes %08x are there", op, mask);
}

template <float (*value)(uint32_t)> static void mma(void *const arg[32])
{
    float A[16][16], B[16][8], D[16][8];
    double sum[8];
    int lane, i, k, m, n;

    for (lane = 0; lane < 32; lane++) {
        const simt_mma_arg *p = (const simt_mma_arg *)arg[lane];
        int g = lane / 4, t = lane % 4 * 2;

        for (i = 0; i < 4; i++) {
            float *a = &A[g + i % 2 * 8][t + i / 2 * 8];

            a[0] = value(p->a[i] & 0xffff);
            a[1] = value(p->a[i] >> 16);
            D[g + i / 2 * 8][t + i % 2] = p->d[i];
        }
        for (i = 0; i < 2; i++) {
            B[t + i * 8][g] = value(p->b[i] & 0xffff);
            B[t + i * 8 + 1][g] = value(p->b[i] >> 16);
        }
    }
    for (m = 0; m < 16; m++) {
        for (n = 0; n < 8; n++) sum[n] = D[m][n];
        for (k = 0; k < 16; k++)
            for (n = 0; n < 8; n++) sum[n] += (double)A[m][k] * B[k][n];
        for (n = 0; n < 8; n++) D[m][n] = (float)sum[n];
    }
    for (lane = 0; lane < 32; lane++)
        for (i = 0; i < 4; i++)
            ((const simt_mma_arg *)arg[lane])->d[i] = D[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2];
}

void simt_mma_bf16(void *const arg[32], unsigned mask)
{
    all_lanes("mma", mask);
    mma<from_bf16>(arg);
}

void simt_mma_f16(void *const arg[32], unsigned mask)
{
    all_lanes("mma", mask);
    mma<from_f16>(arg);
}

static long conflicts;

long simt_bank_conflicts(void)
{
    return conflicts;
}

/* The 8 rows of a matrix are read at once if they lie in 8 different groups of 4 banks. */
static void count_conflicts(void *const arg[8])
{
    for (int i = 1; i < 8; i++)
        for (int k = 0; k < i; k++) {
            const char *a = (const char *)((const simt_matrix_arg *)arg[i])->at;
            const char *b = (const char *)((const simt_matrix_arg *)arg[k])->at;

            if (a != b && (a - b) % 128 == 0) {
                conflicts++;
                break;
            }
        }
}

void simt_ldmatrix(void *const arg[32], unsigned mask, int n, int trans)
{
    all_lanes("ldmatrix", mask);
    for (int i = 0; i < n; i++) count_conflicts(arg + 8 * i);
    for (int lane = 0; lane < 32; lane++) {
        uint32_t *r = ((const simt_matrix_arg *)arg[lane])->r;
        int g = lane / 4, t = lane % 4 * 2;

        for (int i = 0; i < n; i++) {
#define ROW(k) ((const simt_matrix_arg *)arg[8 * i + (k)])->row
            uint32_t lo = trans ? ROW(t)[g] : ROW(g)[t];
            uint32_t hi = trans ? ROW(t + 1)[g] : ROW(g)[t + 1];

            r[i] = lo | hi << 16;
        }
    }
}
