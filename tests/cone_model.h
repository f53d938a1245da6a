/* cone_model - a network made by hand that finds cones: bright round slopes on black.
 *
 * Two levels, of which the lower one is switched off. The upper one passes the image through,
 * takes Sobel derivatives, and gives flows = 5 * RADIUS * gradient (5.0 is one pixel per step;
 * a cone of height 1 and that radius has slope 1 / RADIUS) and cellprob = 20 * (image - 0.2). */
#ifndef LP_TEST_CONE_MODEL_H
#define LP_TEST_CONE_MODEL_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "weights/arch.h"
#include "weights/weights.h"

#define CONE_RADIUS 14
#define CONE_WIDTH 8 /* channels of the upper level */

static inline float *cone_tensor(lp_weights *w, const char *name)
{
    return (float *)(size_t)lp_weights_get(w, name);
}

/* The caller frees with lp_weights_free; NULL without memory. */
static inline lp_weights *cone_model(void)
{
    static const float sobel[3][3] = {{-.125f, -.25f, -.125f}, {0, 0, 0}, {.125f, .25f, .125f}};
    lp_weights *w = calloc(1, sizeof *w);
    float *k, *o, *b;
    int i, y, x;
    lp_err err;

    if (!w) return NULL;
    w->nbase[0] = 2;
    w->nbase[1] = CONE_WIDTH;
    w->nbase[2] = 16;
    w->n_nbase = 3;
    w->nout = 3;
    w->sz = 3;
    w->diam_mean = w->diam_labels = 30;
    w->source = strdup("cones");
    w->source_sha256 = strdup("");
    w->licence = strdup("CC0");
    if (lp_arch_list(w, "cone model", &err)) return NULL;
    for (i = 0; i < w->n_tensors; i++) {
        lp_tensor *t = &w->tensors[i];
        const char *n = t->name;
        size_t j;
        int one = strstr(n, "running_var") || strstr(n, ".0.weight") != NULL;

        if (!(t->data = calloc(t->n, sizeof(float)))) return NULL;
        for (j = 0; j < t->n; j++) t->data[j] = one ? 1 : 0;
        if (!strncmp(n, "diam_", 5)) t->data[0] = 30;
    }
    /* Channel 0 of the skip is the image; a constant elsewhere keeps the style finite. */
    cone_tensor(w, "downsample.down.res_down_0.proj.1.weight")[0] = 1;
    cone_tensor(w, "downsample.down.res_down_1.proj.1.bias")[0] = 1;
    /* [CONE_WIDTH][CONE_WIDTH][3][3]: +dy, -dy, +dx, -dx, image of channel 0. */
    k = cone_tensor(w, "upsample.up.res_up_0.conv.conv_1.conv.2.weight");
    for (y = 0; y < 3; y++)
        for (x = 0; x < 3; x++)
            for (i = 0; i < 4; i++)
                k[i * CONE_WIDTH * 9 + y * 3 + x] =
                    (i & 1 ? -1 : 1) * (i < 2 ? sobel[y][x] : sobel[x][y]);
    k[4 * CONE_WIDTH * 9 + 4] = 1;
    /* [3][CONE_WIDTH] */
    o = cone_tensor(w, "output.2.weight");
    b = cone_tensor(w, "output.2.bias");
    o[0] = o[CONE_WIDTH + 2] = 5 * CONE_RADIUS;
    o[1] = o[CONE_WIDTH + 3] = -5 * CONE_RADIUS;
    o[2 * CONE_WIDTH + 4] = 20;
    b[2] = -4;
    return w;
}

/* img [Ly][Lx], 0 to 200: cones on a grid, each moved a little; returns how many. Each lies
 * whole inside the image. */
static inline int cone_image(float *img, int Ly, int Lx, unsigned seed)
{
    int step = 2 * CONE_RADIUS + 8, n = 0, cy, cx, y, x;

    memset(img, 0, (size_t)Ly * Lx * sizeof *img);
    for (cy = step / 2 + 1; cy + step / 2 < Ly; cy += step)
        for (cx = step / 2 + 1; cx + step / 2 < Lx; cx += step, n++) {
            int my, mx;

            seed = seed * 1664525u + 1013904223u;
            my = cy + (int)(seed >> 28) % 5 - 2;
            mx = cx + (int)(seed >> 24 & 15) % 5 - 2;
            for (y = my - CONE_RADIUS; y <= my + CONE_RADIUS; y++)
                for (x = mx - CONE_RADIUS; x <= mx + CONE_RADIUS; x++) {
                    double r = sqrt((y - my) * (y - my) + (x - mx) * (x - mx));

                    if (y >= 0 && x >= 0 && y < Ly && x < Lx && r < CONE_RADIUS)
                        img[(size_t)y * Lx + x] = (float)(200 * (1 - r / CONE_RADIUS));
                }
        }
    return n;
}

#endif
