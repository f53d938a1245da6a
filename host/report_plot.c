#include "report_plot.h"

#include <math.h>
#include <string.h>

#include "number.h"

enum { W = 480, H = 300, LEFT = 48, RIGHT = 22, TOP = 12, BOTTOM = 46 };

static void begin(FILE *f, const char *title)
{
    fprintf(f,
            "<figure class=plot><figcaption>%s</figcaption><svg viewBox=\"0 0 %d %d\" role=img "
            "aria-label=\"%s\">\n",
            title, W, H, title);
}

/* Also ends the drawing and begins the legend. */
static void x_title(FILE *f, const char *x_name)
{
    fprintf(f, "<text x=%g y=%d text-anchor=middle>%s</text>\n</svg><p class=legend>",
            (LEFT + W - RIGHT) / 2.0, H - 8, x_name);
}

static void line_key(FILE *f, const char *colour, const char *dash, const char *name)
{
    fprintf(f,
            "<span><svg class=key viewBox=\"0 0 24 12\"><path d=\"M0 6H24\" "
            "stroke=\"%s\" stroke-dasharray=\"%s\" /></svg>%s</span> ",
            colour, dash, name);
}

double lp_plot_step(double range, int n)
{
    double raw = range / n, p = pow(10, floor(log10(raw))), m = raw / p;

    return (m < 1.5 ? 1 : m < 3.5 ? 2 : m < 7.5 ? 5 : 10) * p;
}

static double px_y(double v, double top)
{
    return H - BOTTOM - v / top * (H - BOTTOM - TOP);
}

static void y_axis(FILE *f, double top, double step)
{
    char buf[LP_NUMBER_MAX];
    int i, n = (int)floor(top / step + 1e-9);

    for (i = 0; i <= n; i++) {
        double y = px_y(i * step, top);

        fprintf(f,
                "<path class=grid d=\"M%d %.1fH%d\" /><text x=%d y=%.1f "
                "text-anchor=end>%s</text>\n",
                LEFT, y, W - RIGHT, LEFT - 6, y + 5, lp_number_format(buf, i * step, 4));
    }
}

static void x_mark(FILE *f, double at, double v)
{
    char buf[LP_NUMBER_MAX];

    fprintf(f,
            "<path class=tick d=\"M%.1f %dv5\" /><text x=%.1f y=%d "
            "text-anchor=middle>%s</text>\n",
            at, H - BOTTOM, at, H - BOTTOM + 19, lp_number_format(buf, v, 3));
}

static double px_x(double v, double x0, double x1)
{
    return LEFT + (v - x0) / (x1 - x0) * (W - LEFT - RIGHT);
}

static int shown(const lp_plot_curve *c, int i, double x0, double x1)
{
    return !isnan(c->y[i]) && c->x[i] >= x0 && c->x[i] <= x1;
}

static void draw_dots(FILE *f, const lp_plot_curve *c, double x0, double x1)
{
    int i;

    for (i = 0; i < c->n; i++) {
        if (!shown(c, i, x0, x1)) continue;
        fprintf(f, "<circle cx=%.1f cy=%.1f r=4.5 fill=\"%s\">", px_x(c->x[i], x0, x1),
                px_y(c->y[i], 1), c->colour);
        if (c->title) fprintf(f, "<title>%s</title>", c->title[i]);
        fputs("</circle>\n", f);
    }
}

static void draw_line(FILE *f, const lp_plot_curve *c, double x0, double x1)
{
    int i, pen = 0;

    fputs("<path class=line d=\"", f);
    for (i = 0; i < c->n; i++) {
        if (!shown(c, i, x0, x1)) {
            pen = 0;
            continue;
        }
        fprintf(f, "%c%.1f %.1f", pen ? 'L' : 'M', px_x(c->x[i], x0, x1), px_y(c->y[i], 1));
        pen = 1;
    }
    fprintf(f, "\" stroke=\"%s\" stroke-dasharray=\"%s\" />\n", c->colour, c->dash);
}

void lp_plot_curves(FILE *f, const char *title, const char *x_name, double x0, double x1,
                    const lp_plot_curve *c, int n_curves, double mark, const char *mark_name)
{
    double step, v;
    int k;

    if (!(x1 > x0)) x1 = x0 + 1;
    step = lp_plot_step(x1 - x0, 6);
    begin(f, title);
    y_axis(f, 1, 0.2);
    for (v = ceil(x0 / step - 1e-9) * step; v <= x0 + (x1 - x0) * (1 + 1e-9); v += step)
        x_mark(f, px_x(v, x0, x1), v);
    if (mark >= x0 && mark <= x1)
        fprintf(f, "<path class=mark d=\"M%.1f %dV%d\" />\n", px_x(mark, x0, x1), TOP, H - BOTTOM);
    for (k = 0; k < n_curves; k++) {
        if (c[k].dots)
            draw_dots(f, &c[k], x0, x1);
        else
            draw_line(f, &c[k], x0, x1);
    }
    x_title(f, x_name);
    for (k = 0; k < n_curves; k++) {
        if (!c[k].name) continue;
        if (c[k].dots)
            fprintf(f,
                    "<span><svg class=key viewBox=\"0 0 24 12\"><circle cx=12 cy=6 r=4.5 "
                    "fill=\"%s\" /></svg>%s</span> ",
                    c[k].colour, c[k].name);
        else
            line_key(f, c[k].colour, c[k].dash, c[k].name);
    }
    if (mark >= x0 && mark <= x1)
        fprintf(f,
                "<span><svg class=key viewBox=\"0 0 24 12\"><path class=mark d=\"M12 0V12\" "
                "/></svg>%s</span>",
                mark_name);
    fputs("</p></figure>\n", f);
}

void lp_plot_lines(FILE *f, const char *title, const char *x_name, const double *x, int n,
                   const lp_plot_series *s, int n_series)
{
    lp_plot_curve c[8];
    int k;

    for (k = 0; k < n_series && k < 8; k++)
        c[k] = (lp_plot_curve){s[k].name, s[k].colour, s[k].dash, x, s[k].y, n, 0, NULL};
    lp_plot_curves(f, title, x_name, x[0], x[n - 1], c, k, NAN, NULL);
}

void lp_plot_bars(FILE *f, const char *title, const char *x_name, const double *edge, int n,
                  const lp_plot_series *s, int n_series)
{
    double top = 1, wide = (double)(W - LEFT - RIGHT) / n;
    int i, k, every = n > 8 ? (n + 5) / 6 : 1;

    for (i = 0; i < n; i++) {
        double sum = 0;

        for (k = 0; k < n_series; k++) sum += s[k].y[i];
        if (sum > top) top = sum;
    }
    begin(f, title);
    y_axis(f, top, fmax(1, lp_plot_step(top, 5)));
    for (i = 0; i <= n; i += every) x_mark(f, LEFT + i * wide, edge[i]);
    for (i = 0; i < n; i++) {
        double base = 0;

        for (k = 0; k < n_series; k++) {
            double v = s[k].y[i];

            if (v > 0)
                fprintf(f,
                        "<rect x=%.1f y=%.1f width=%.1f height=%.1f fill=\"%s\"><title>%s: "
                        "%.0f</title></rect>\n",
                        LEFT + i * wide + 1, px_y(base + v, top), wide - 2,
                        px_y(base, top) - px_y(base + v, top), s[k].colour, s[k].name, v);
            base += v;
        }
    }
    x_title(f, x_name);
    for (k = 0; k < n_series; k++)
        fprintf(f,
                "<span><svg class=key viewBox=\"0 0 24 12\"><rect width=24 height=12 "
                "fill=\"%s\" /></svg>%s</span> ",
                s[k].colour, s[k].name);
    fputs("</p></figure>\n", f);
}
