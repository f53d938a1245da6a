#include "winograd.h"

#include <stddef.h>

#include "../kernels/simd.h"

#define OC1 16
#define INLINE static inline __attribute__((always_inline))

/* Rows (1, p, p^2) / product over the other points q of (p - q), scaled as oneDNN has them; the
 * last row is infinity's. Points 0, +-0.625, +-1.5. */
static const float G4[6 * 3] = {1.13777777777778f,
                                0.f,
                                0.f,
                                -0.688403361344538f,
                                -0.430252100840336f,
                                -0.26890756302521f,
                                -0.688403361344538f,
                                0.430252100840336f,
                                -0.26890756302521f,
                                0.119514472455649f,
                                0.179271708683473f,
                                0.26890756302521f,
                                0.119514472455649f,
                                -0.179271708683473f,
                                0.26890756302521f,
                                0.f,
                                0.f,
                                1.f};
/* Points 0, +-1. */
static const float G2[4 * 3] = {1, 0, 0, .5f, .5f, .5f, .5f, -.5f, .5f, 0, 0, 1};

/* out[(i * A + j) * step] [16] = (G w G^T)[i][j] of 16 output channels, which lie `stride` floats
 * apart in w. */
INLINE void transform(float *restrict out, size_t step, const float *restrict w, size_t stride,
                      const int A, const float *G)
{
    float k[9][OC1], half[3][6][OC1];
    int a, i, j, o;

    for (o = 0; o < OC1; o++)
        for (a = 0; a < 9; a++) k[a][o] = w[o * stride + a];
    for (a = 0; a < 3; a++)
        for (j = 0; j < A; j++)
            for (o = 0; o < OC1; o++)
                half[a][j][o] = k[3 * a][o] * G[3 * j] + k[3 * a + 1][o] * G[3 * j + 1] +
                                k[3 * a + 2][o] * G[3 * j + 2];
    for (i = 0; i < A; i++)
        for (j = 0; j < A; j++)
            for (o = 0; o < OC1; o++)
                out[(size_t)(i * A + j) * step + o] = G[3 * i] * half[0][j][o] +
                                                      G[3 * i + 1] * half[1][j][o] +
                                                      G[3 * i + 2] * half[2][j][o];
}

LP_SIMD void lp_winograd_weights(float *out, const float *w, const lp_winograd_order *q)
{
    size_t group = (size_t)q->ic * q->oc2 * OC1, A2 = (size_t)(q->m + 2) * (q->m + 2);
    size_t step = q->outer ? group : (size_t)q->ic * q->oc, stride = (size_t)q->ic * 9;
    int ob, ic;

    for (ob = 0; ob < q->oc / OC1; ob++)
        for (ic = 0; ic < q->ic; ic++) {
            size_t inner = ((size_t)(ic / q->ic1) * q->oc2 + ob % q->oc2) * q->ic1 + ic % q->ic1;
            float *to = out + ob / q->oc2 * group * (q->outer ? A2 : 1) + inner * OC1;
            const float *from = w + ((size_t)ob * OC1 * q->ic + ic) * 9;

            if (q->m == 4)
                transform(to, step, from, stride, 6, G4);
            else
                transform(to, step, from, stride, 4, G2);
        }
}
