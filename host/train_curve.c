#include "train_curve.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "atomic.h"
#include "number.h"
#include "text.h"
#include "write_png.h"

enum { LY = 400, LX = 640, LEFT = 60, RIGHT = 20, TOP = 20, BOTTOM = 40 };

lp_status lp_train_curve_csv(const char *path, const lp_train_progress *p, double learning_rate,
                             lp_err *err)
{
    lp_atomic *a = NULL;
    lp_status st;
    int e;

    if ((st = lp_atomic_open(path, &a, err))) return st;
    lp_atomic_write(a, "epoch,rate,train_loss,test_loss\n", 32, err);
    for (e = 0; e < p->epoch; e++) {
        char rate[LP_NUMBER_MAX], train[LP_NUMBER_MAX], test[LP_NUMBER_MAX];
        char line[3 * LP_NUMBER_MAX + 24];
        int n = snprintf(line, sizeof line, "%d,%s,%s,%s\n", e + 1,
                         lp_number_format(rate, lp_train_rate(learning_rate, p->n_epochs, e), 6),
                         lp_number_format(train, p->train_loss[e], 6),
                         lp_number_format(test, p->test_loss[e], 6));

        lp_atomic_write(a, line, (size_t)n, err);
    }
    return lp_atomic_commit(&a, err);
}

static void dot(uint8_t *rgb, int y, int x, const uint8_t c[3])
{
    int i, j;

    for (i = y; i < y + 2; i++)
        for (j = x; j < x + 2; j++)
            if (i >= 0 && i < LY && j >= 0 && j < LX) memcpy(rgb + 3 * (i * LX + j), c, 3);
}

static void line(uint8_t *rgb, double y0, double x0, double y1, double x1, const uint8_t c[3])
{
    int n = (int)(fabs(y1 - y0) + fabs(x1 - x0)) + 1, i;

    for (i = 0; i <= n; i++)
        dot(rgb, (int)(y0 + (y1 - y0) * i / n), (int)(x0 + (x1 - x0) * i / n), c);
}

/* 1, 2 or 5 times a power of ten, so that at most `parts` of them reach to v. */
static double nice_step(double v, int parts)
{
    double p = pow(10, floor(log10(v / parts)));

    return v / p <= parts ? p : v / p <= 2 * parts ? 2 * p : v / p <= 5 * parts ? 5 * p : 10 * p;
}

typedef struct {
    double most; /* loss at the top */
    int epochs;
} axes;

static double y_of(const axes *a, double loss)
{
    return LY - BOTTOM - loss / a->most * (LY - TOP - BOTTOM);
}

static double x_of(const axes *a, double epoch)
{
    return LEFT + (a->epochs > 1 ? epoch / (a->epochs - 1) : 0) * (LX - LEFT - RIGHT);
}

static void draw_axes(uint8_t *rgb, const axes *a)
{
    static const uint8_t grey[3] = {208, 208, 208}, black[3] = {40, 40, 40};
    double step = nice_step(a->most, 8), v;
    char s[32];

    for (v = 0; v <= a->most * 1.0001; v += step) {
        line(rgb, y_of(a, v), LEFT, y_of(a, v), LX - RIGHT, grey);
        snprintf(s, sizeof s, "%g", v);
        lp_text_draw(rgb, LY, LX, (int)y_of(a, v) - 4, LEFT - 8 - lp_text_width(s, 1), s, 1, black);
    }
    step = nice_step(a->epochs, 10);
    if (step < 1) step = 1;
    for (v = 0; v < a->epochs; v += step) {
        line(rgb, LY - BOTTOM, x_of(a, v), LY - BOTTOM + 4, x_of(a, v), black);
        snprintf(s, sizeof s, "%g", v + 1);
        lp_text_draw(rgb, LY, LX, LY - BOTTOM + 10, (int)x_of(a, v) - lp_text_width(s, 1) / 2, s, 1,
                     black);
    }
}

static void draw_curve(uint8_t *rgb, const axes *a, const double *loss, int n, const uint8_t c[3])
{
    double y = 0, x = 0;
    int e, started = 0;

    for (e = 0; e < n; e++) {
        if (!isfinite(loss[e])) continue;
        if (started) line(rgb, y, x, y_of(a, loss[e]), x_of(a, e), c);
        y = y_of(a, loss[e]);
        x = x_of(a, e);
        dot(rgb, (int)y, (int)x, c);
        started = 1;
    }
}

lp_status lp_train_curve_png(const char *path, const lp_train_progress *p, lp_err *err)
{
    static const uint8_t blue[3] = {31, 119, 180}, orange[3] = {230, 126, 34};
    uint8_t *rgb = malloc((size_t)LY * LX * 3);
    axes a = {0, p->n_epochs};
    lp_status st;
    int e;

    if (!rgb) return lp_fail_mem(err, path, LY * LX * 3.0);
    memset(rgb, 255, (size_t)LY * LX * 3);
    for (e = 0; e < p->epoch; e++) {
        if (p->train_loss[e] > a.most) a.most = p->train_loss[e];
        if (p->test_loss[e] > a.most) a.most = p->test_loss[e];
    }
    if (!(a.most > 0) || !isfinite(a.most)) a.most = 1;
    draw_axes(rgb, &a);
    draw_curve(rgb, &a, p->train_loss, p->epoch, blue);
    draw_curve(rgb, &a, p->test_loss, p->epoch, orange);
    lp_text_draw(rgb, LY, LX, TOP, LX - RIGHT - 90, "train", 2, blue);
    for (e = 0; e < p->epoch && !isfinite(p->test_loss[e]); e++) continue;
    if (e < p->epoch) lp_text_draw(rgb, LY, LX, TOP + 22, LX - RIGHT - 90, "test", 2, orange);
    st = lp_write_png(path, rgb, LY, LX, 3, 8, err);
    free(rgb);
    return st;
}
