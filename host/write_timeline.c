/* write_timeline - the page of timeline.h.
 *
 * Each worker is a row. A row is cut into columns; in each column the stages stand on each other
 * with the shares of its time that they took: long images show as blocks one after the other, many
 * short ones as a mixture, idle time stays white. So the page's size does not grow with the number
 * of images. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "atomic.h"
#include "report_html.h"
#include "report_plot.h"
#include "sort.h"
#include "timeline.h"

enum {
    COLUMNS = 1000,
    MAX_BINS = 125,
    PER_BIN = 5,
    LEFT = 150,
    TOP = 10,
    RATE = 110,
    GAP = 34,
    BOTTOM = 44
};
#define WIDE 4.0 /* columns that an image must have to tell about itself */

static const char *const colour[LP_TIMELINE_KINDS] = {
    "#7a8699", "#59a14f", "#8cd17d", "#1f6fb2", "#f28e2b", "#ffbe7d", "#b07aa1", "#d4a6c8",
    "#e3b505", "#9c755f", "#499894", "#86bcb6", "#ff9da7", "#5c4b8a", "#c9cfd9", "#d62728"};

typedef struct {
    const lp_timeline *t;
    double per_column;       /* s */
    double row, height, top; /* of rows: distance, and what is filled */
} picture;

static const char *kind_name(const lp_timeline *t, int k)
{
    return k == LP_TIMELINE_FAILED ? "failed" : k == LP_TIMELINE_OTHER ? "other" : t->stage[k];
}

/* Adds what bar b does to share[column][kind], of the column's time. */
static void fill(const picture *p, const lp_timeline_bar *b, float (*share)[LP_TIMELINE_KINDS])
{
    double at = b->begin;
    int k;

    for (k = 0; k < LP_TIMELINE_KINDS; k++) {
        double end = at + b->part[k] * (b->end - b->begin);
        int c = (int)(at / p->per_column);

        for (; c >= 0 && c < COLUMNS && c * p->per_column < end; c++) {
            double from = fmax(at, c * p->per_column), to = fmin(end, (c + 1) * p->per_column);

            if (to > from) share[c][k] += (float)((to - from) / p->per_column);
        }
        at = end;
    }
}

/* Where kind k lies in a column, in tenths of a pixel from the row's foot; more than all of the
 * time, by rounding or by clocks that were set, is shown as all. */
static void extent(const float *share, int k, double height, int *lo, int *hi)
{
    double below = 0, sum = 0;
    int i;

    for (i = 0; i < LP_TIMELINE_KINDS; i++) {
        sum += share[i];
        if (i < k) below += share[i];
    }
    if (sum < 1) sum = 1;
    *lo = (int)lround(10 * height * below / sum);
    *hi = (int)lround(10 * height * (below + share[k]) / sum);
}

static void draw_row(FILE *f, const picture *p, double foot, float (*share)[LP_TIMELINE_KINDS])
{
    int k, c, n;

    for (k = 0; k < LP_TIMELINE_KINDS; k++) {
        int lo, hi, lo2, hi2, any = 0;

        for (c = 0; c < COLUMNS; c += n) {
            extent(share[c], k, p->height, &lo, &hi);
            for (n = 1; c + n < COLUMNS; n++) {
                extent(share[c + n], k, p->height, &lo2, &hi2);
                if (lo2 != lo || hi2 != hi) break;
            }
            if (hi <= lo) continue;
            if (!any++) fprintf(f, "<path fill=\"%s\" d=\"", colour[k]);
            fprintf(f, "M%d %.1fh%dv%.1fh-%dz", LEFT + c, foot - hi / 10.0, n, (hi - lo) / 10.0, n);
        }
        if (any) fputs("\"/>\n", f);
    }
}

/* Images that are wide enough: where they begin, and a note under the pointer. */
static void notes(FILE *f, const picture *p, const lp_timeline_lane *l, double foot)
{
    int i, k;

    for (i = l->first; i < l->first + l->n; i++) {
        const lp_timeline_bar *b = &p->t->bar[i];
        double x = LEFT + b->begin / p->per_column, w = (b->end - b->begin) / p->per_column;

        if (w < WIDE) continue;
        fprintf(f, "<g class=im><path d=\"M%.1f %.1fv%.1f\"/><rect x=\"%.1f\" y=\"%.1f\" ", x,
                foot - p->height, p->height, x, foot - p->height);
        fprintf(f, "width=\"%.1f\" height=\"%.1f\"/><title>", w, p->height);
        lp_html_text(f, b->it->image);
        fprintf(f, ": %.3g s", b->end - b->begin);
        for (k = 0; k < LP_TIMELINE_KINDS; k++) {
            if (b->part[k] < 0.01f) continue;
            fputs(", ", f);
            lp_html_text(f, kind_name(p->t, k));
            fprintf(f, " %.0f %%", 100.0 * b->part[k]);
        }
        fputs("</title></g>\n", f);
    }
}

static void task_name(FILE *f, const lp_timeline_lane *l)
{
    if (*l->shard) {
        lp_html_text(f, l->shard);
        fputs(" ", f);
    }
    lp_html_text(f, *l->process ? l->process : "?");
}

static lp_status rows(FILE *f, const picture *p, lp_err *err)
{
    float(*share)[LP_TIMELINE_KINDS] = malloc(COLUMNS * sizeof *share);
    int i, k;

    if (!share) return lp_fail_mem(err, "timeline", COLUMNS * (double)sizeof *share);
    for (i = 0; i < p->t->n_lanes; i++) {
        const lp_timeline_lane *l = &p->t->lane[i];
        int new_task = i == 0 || l->task != l[-1].task;
        double foot = TOP + i * p->row + l->task * 4 + p->row;

        memset(share, 0, COLUMNS * sizeof *share);
        for (k = l->first; k < l->first + l->n; k++) fill(p, &p->t->bar[k], share);
        if (new_task) {
            fprintf(f, "<svg x=\"0\" y=\"%.1f\" width=\"%d\" height=\"20\"><text x=\"0\" y=\"%g\">",
                    foot - p->height - 2, LEFT - 8, p->height < 12 ? 10.0 : 14.0);
            task_name(f, l);
            fputs("</text></svg>\n", f);
            fprintf(f, "<path class=grid d=\"M0 %.1fH%d\"/>\n", foot - p->height - 2,
                    LEFT + COLUMNS);
        }
        draw_row(f, p, foot, share);
        notes(f, p, l, foot);
    }
    free(share);
    return LP_OK;
}

/* Images that were done in each bin, per second. */
static void rate(FILE *f, const picture *p, double foot)
{
    const lp_timeline *t = p->t;
    double count[MAX_BINS] = {0}, top = 0, bin, step, v;
    int n = t->n / PER_BIN < 5 ? 5 : t->n / PER_BIN > MAX_BINS ? MAX_BINS : t->n / PER_BIN, i;

    bin = t->span / n;
    for (i = 0; i < t->n; i++) {
        int b = (int)(t->bar[i].end / bin);

        if (!t->bar[i].it->record.error) count[b < n ? b : n - 1] += 1 / bin;
    }
    for (i = 0; i < n; i++) top = fmax(top, count[i]);
    if (!(top > 0)) return;
    step = lp_plot_step(top, 3);
    for (v = 0; v <= top * 1.0001; v += step)
        fprintf(
            f, "<path class=grid d=\"M%d %.1fH%d\"/><text x=%d y=%.1f text-anchor=end>%g</text>\n",
            LEFT, foot - v / top * RATE, LEFT + COLUMNS, LEFT - 6, foot - v / top * RATE + 5, v);
    fprintf(f, "<text x=0 y=%.1f>images/s</text><path class=rate d=\"M%d %.1f", foot - RATE + 5,
            LEFT, foot);
    for (i = 0; i < n; i++)
        fprintf(f, "V%.1fh%.2f", foot - count[i] / top * RATE, (double)COLUMNS / n);
    fprintf(f, "V%.1fz\"/>\n", foot);
}

static void time_axis(FILE *f, const picture *p, double foot)
{
    double span = p->t->span, unit = span < 300 ? 1 : span < 10800 ? 60 : 3600, v;
    double step = lp_plot_step(span / unit, 10);
    int i;

    for (v = 0; v <= span / unit * 1.0001; v += step) {
        double x = LEFT + v * unit / p->per_column;

        fprintf(f, "<path class=tick d=\"M%.1f %.1fv5\"/><text x=%.1f y=%.1f text-anchor=middle>",
                x, foot, x, foot + 20);
        fprintf(f, "%g</text>\n", v);
    }
    fprintf(f, "<text x=%d y=%.1f text-anchor=middle>time, %s%s</text>\n", LEFT + COLUMNS / 2,
            foot + 38,
            unit == 1    ? "s"
            : unit == 60 ? "min"
                         : "h",
            p->t->n_pauses ? ", pauses (dashed) shortened" : "");
    for (i = 0; i < p->t->n_pauses; i++)
        fprintf(
            f, "<path class=mark d=\"M%.1f %dV%.1f\"><title>%.3g min without work</title></path>\n",
            LEFT + p->t->pause[i].at / p->per_column, TOP, foot, p->t->pause[i].seconds / 60);
}

static lp_status draw(FILE *f, const lp_timeline *t, lp_err *err)
{
    picture p = {t, t->span / COLUMNS, t->n_lanes > 64 ? 8 : 19, 0, 0};
    double foot, end = TOP + t->n_lanes * p.row + t->n_tasks * 4;
    lp_status st;
    int k, i;

    p.height = p.row - (t->n_lanes > 64 ? 1 : 3);
    foot = end + GAP + RATE;
    fprintf(
        f,
        "<figure class=\"plot wide\"><figcaption>What each worker did</figcaption><svg class=time "
        "viewBox=\"0 0 %d %.0f\" role=img aria-label=\"What each worker did\">\n",
        LEFT + COLUMNS + 10, foot + BOTTOM);
    if ((st = rows(f, &p, err))) return st;
    rate(f, &p, foot);
    time_axis(f, &p, foot);
    fputs("</svg></figure><p class=legend>", f);
    for (k = 0; k < LP_TIMELINE_KINDS; k++) {
        double sum = 0;

        if (k >= t->n_stages && k < LP_TIMELINE_STAGES) continue;
        for (i = 0; i < t->n; i++) sum += t->bar[i].part[k];
        if (!(sum > 0)) continue;
        fprintf(f,
                "<span><svg class=key viewBox=\"0 0 24 12\"><rect width=24 height=12 fill=\"%s\"/>"
                "</svg>",
                colour[k]);
        lp_html_text(f, kind_name(t, k));
        fputs("</span> ", f);
    }
    fputs("</p>\n", f);
    return LP_OK;
}

static void tasks(FILE *f, const lp_timeline *t)
{
    int from, to, i;

    fputs(
        "<h2>Tasks</h2><div class=wide tabindex=0><table class=names><tr><th><th>workers<th>images"
        "<th>failed<th>first to last, s<th>workers busy<th>images/s<th>megapixels/s<th>peak "
        "memory, MiB\n",
        f);
    for (from = 0; from < t->n_lanes; from = to) {
        double begin = INFINITY, end = 0, busy = 0, pixels = 0, peak = 0, wall;
        int n = 0, failed = 0;

        for (to = from; to < t->n_lanes && t->lane[to].task == t->lane[from].task; to++)
            for (i = t->lane[to].first; i < t->lane[to].first + t->lane[to].n; i++) {
                const lp_timeline_bar *b = &t->bar[i];
                const lp_done *d = &b->it->record;

                begin = fmin(begin, b->begin);
                end = fmax(end, b->end);
                busy += b->end - b->begin;
                peak = fmax(peak, d->peak_mib);
                failed += d->error != NULL;
                n += d->error == NULL;
                if (!d->error) pixels += (double)d->Ly * d->Lx;
            }
        wall = end - begin > 0 ? end - begin : 1e-9;
        fputs("<tr><td>", f);
        task_name(f, &t->lane[from]);
        fprintf(f, "<td>%d<td>%d<td>%d<td>%.1f<td>%.0f %%<td>%.3g<td>%.3g<td>%.0f\n", to - from, n,
                failed, wall, 100 * busy / wall / (to - from), n / wall, pixels / 1e6 / wall, peak);
    }
    fputs("</table></div>\n", f);
}

static lp_status stages(FILE *f, const lp_timeline *t, lp_err *err)
{
    double *v = malloc((size_t)t->n * sizeof *v), all = 0;
    int k, i;

    if (!v) return lp_fail_mem(err, "timeline", t->n * 8.0);
    for (i = 0; i < t->n; i++) all += t->bar[i].end - t->bar[i].begin;
    fputs("<h2>Stages</h2><div class=wide tabindex=0><table class=names><tr><th><th>s, all workers"
          "<th>share<th>median of an image, s<th>longest, s\n",
          f);
    for (k = 0; k < LP_TIMELINE_KINDS; k++) {
        double sum = 0;

        for (i = 0; i < t->n; i++)
            sum += v[i] = t->bar[i].part[k] * (t->bar[i].end - t->bar[i].begin);
        if (!(sum > 0)) continue;
        qsort(v, (size_t)t->n, sizeof *v, lp_by_double);
        fputs("<tr><td>", f);
        lp_html_text(f, kind_name(t, k));
        fprintf(f, "<td>%.3g<td>%.1f %%<td>%.3g<td>%.3g\n", sum, 100 * sum / all,
                lp_quantile(v, t->n, 0.5), v[t->n - 1]);
    }
    fputs("</table></div>\n", f);
    free(v);
    return LP_OK;
}

static void head(FILE *f, const lp_timeline *t, const char *dir)
{
    double busy = 0, wall = t->span > 0 ? t->span : 1e-9;
    int i, n = 0;

    for (i = 0; i < t->n; i++) {
        busy += t->bar[i].end - t->bar[i].begin;
        n += t->bar[i].it->record.error == NULL;
    }
    fprintf(f,
            "<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8><meta name=viewport "
            "content=\"width=device-width,initial-scale=1\"><title>lipopose: runs</title><link "
            "rel=icon href=\"data:,\"><style>\n%s"
            ".im path{stroke:#fff;stroke-width:.8}.im rect{fill:#fff0}.im:hover rect{stroke:#111}\n"
            ".rate{fill:#c7dcf0;stroke:#1f6fb2}.time{min-width:820px}\n"
            "</style></head><body><main>\n<h1>Runs, over time</h1>\n<p class=sub>",
            lp_html_style);
    lp_html_text(f, dir);
    fputs("</p>\n<div class=tiles>", f);
    fprintf(f, "<div><b>%d</b><span>images</span></div><div><b>%d</b><span>failed</span></div>", n,
            t->failed);
    fprintf(f, "<div><b>%d</b><span>tasks</span></div><div><b>%d</b><span>workers</span></div>",
            t->n_tasks, t->n_lanes);
    fprintf(f, "<div><b>%.3g s</b><span>with work</span></div>", wall);
    fprintf(f, "<div><b>%.3g</b><span>images/s</span></div>", n / wall);
    fprintf(f, "<div><b>%.1f</b><span>workers at work, mean</span></div></div>\n", busy / wall);
    if (t->unknown)
        fprintf(f, "<p class=warn>Not shown, as their records have no times: %d</p>\n", t->unknown);
}

lp_status lp_timeline_write(const lp_timeline *t, const char *dir, const char *path, lp_err *err)
{
    char *page = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&page, &size);
    lp_status st = LP_OK;
    int bad;

    if (!f) return lp_fail_mem(err, path, 0);
    head(f, t, dir);
    if (t->n && t->span > 0) {
        st = draw(f, t, err);
        tasks(f, t);
        if (!st) st = stages(f, t, err);
    }
    fputs(
        "<p class=sub>Each row is a worker, one colour per stage; white is idle. Where images are "
        "too short to be seen, the heights of the colours are their shares of the time. Times are "
        "the machines' own; an image that was done again is shown once.</p>\n"
        "</main></body></html>\n",
        f);
    bad = ferror(f);
    bad |= fclose(f) != 0;
    if (!st) st = bad ? lp_fail_mem(err, path, 1e6) : lp_atomic_write_file(path, page, size, err);
    free(page);
    return st;
}
