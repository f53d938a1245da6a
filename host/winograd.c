#include "winograd.h"

#include <stddef.h>

#include "../kernels/simd.h"

#define OC1 16

/* G of oneDNN's points 0, +-0.625, +-1.5, infinity: rows (1, p, p^2) / product over the
 * other points q of (p - q). */
static const float G[6][3] = {{1.13777777777778f, 0.f, 0.f},
                              {-0.688403361344538f, -0.430252100840336f, -0.26890756302521f},
                              {-0.688403361344538f, 0.430252100840336f, -0.26890756302521f},
                              {0.119514472455649f, 0.179271708683473f, 0.26890756302521f},
                              {0.119514472455649f, -0.179271708683473f, 0.26890756302521f},
                              {0.f, 0.f, 1.f}};

/* u [6][6][16] = G w G^T of 16 output channels; w's rows lie `stride` floats apart. */
static inline __attribute__((always_inline)) void transform(float u[6][6][OC1], const float *w,
                                                            size_t stride)
{
    float k[3][3][OC1], half[3][6][OC1];
    int a, b, i, j, o;

    for (o = 0; o < OC1; o++)
        for (a = 0; a < 9; a++) k[a / 3][a % 3][o] = w[o * stride + a];
    for (a = 0; a < 3; a++)
        for (j = 0; j < 6; j++)
            for (o = 0; o < OC1; o++)
                half[a][j][o] = k[a][0][o] * G[j][0] + k[a][1][o] * G[j][1] + k[a][2][o] * G[j][2];
    for (i = 0; i < 6; i++)
        for (j = 0; j < 6; j++)
            for (b = 0; b < OC1; b++)
                u[i][j][b] =
                    G[i][0] * half[0][j][b] + G[i][1] * half[1][j][b] + G[i][2] * half[2][j][b];
}

LP_SIMD void lp_winograd_weights(float *out, const float *w, const lp_winograd_order *q)
{
    int ocs = q->oc / OC1, ic2n = q->ic / (q->ic1 * q->ic2), ob, ic, i, j, o;

    for (ob = 0; ob < ocs; ob++)
        for (ic = 0; ic < q->ic; ic++) {
            size_t block = (size_t)q->ic1 * q->ic2, group = block * q->oc2 * ic2n * OC1;
            float u[6][6][OC1];
            float *to = out + (size_t)(ob / q->oc2) * 36 * group +
                        (((size_t)(ic / block) * q->oc2 + ob % q->oc2) * block + ic % block) * OC1;

            transform(u, w + ((size_t)ob * OC1 * q->ic + ic) * 9, (size_t)q->ic * 9);
            for (i = 0; i < 6; i++)
                for (j = 0; j < 6; j++)
                    for (o = 0; o < OC1; o++) to[(size_t)(i * 6 + j) * group + o] = u[i][j][o];
        }
}
