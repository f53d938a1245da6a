#include "report_plot.h"

#include <math.h>
#include <string.h>

#include "number.h"

enum { W = 480, H = 300, LEFT = 48, RIGHT = 14, TOP = 12, BOTTOM = 46 };

static void begin(FILE *f, const char *title)
{
    fprintf(f,
            "<figure class=plot><figcaption>%s</figcaption><svg viewBox=\"0 0 %d %d\" role=img "
            "aria-label=\"%s\">\n",
            title, W, H, title);
}

static void end(FILE *f, const char *x_name, const lp_plot_series *s, int n, int bars)
{
    int i;

    fprintf(f, "<text x=%g y=%d text-anchor=middle>%s</text>\n", (LEFT + W - RIGHT) / 2.0, H - 8,
            x_name);
    fputs("</svg><p class=legend>", f);
    for (i = 0; i < n; i++)
        if (bars)
            fprintf(f,
                    "<span><svg class=key viewBox=\"0 0 24 12\"><rect width=24 height=12 "
                    "fill=\"%s\" /></svg>%s</span> ",
                    s[i].colour, s[i].name);
        else
            fprintf(f,
                    "<span><svg class=key viewBox=\"0 0 24 12\"><path d=\"M0 6H24\" "
                    "stroke=\"%s\" stroke-dasharray=\"%s\" /></svg>%s</span> ",
                    s[i].colour, s[i].dash, s[i].name);
    fputs("</p></figure>\n", f);
}

/* A round step that gives about n marks over range. */
static double nice_step(double range, int n)
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

void lp_plot_lines(FILE *f, const char *title, const char *x_name, const double *x, int n,
                   const lp_plot_series *s, int n_series)
{
    double lo = x[0], range = x[n - 1] > lo ? x[n - 1] - lo : 1, step = nice_step(range, 6), v;
    int i, k, pen;

    begin(f, title);
    y_axis(f, 1, 0.2);
    for (v = ceil(lo / step - 1e-9) * step; v <= lo + range * (1 + 1e-9); v += step)
        x_mark(f, LEFT + (v - lo) / range * (W - LEFT - RIGHT), v);
    for (k = 0; k < n_series; k++) {
        fputs("<path class=line d=\"", f);
        for (i = pen = 0; i < n; i++) {
            if (isnan(s[k].y[i])) {
                pen = 0;
                continue;
            }
            fprintf(f, "%c%.1f %.1f", pen ? 'L' : 'M',
                    LEFT + (x[i] - lo) / range * (W - LEFT - RIGHT), px_y(s[k].y[i], 1));
            pen = 1;
        }
        fprintf(f, "\" stroke=\"%s\" stroke-dasharray=\"%s\" />\n", s[k].colour, s[k].dash);
    }
    end(f, x_name, s, n_series, 0);
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
    y_axis(f, top, fmax(1, nice_step(top, 5)));
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
    end(f, x_name, s, n_series, 1);
}
