#include "write_coords.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "atomic.h"
#include "number.h"

const char *lp_coords_ending(lp_coords_format f)
{
    static const char *const ending[] = {
        [LP_COORDS_STAR] = "_autopick.star",
        [LP_COORDS_BOX] = ".box",
        [LP_COORDS_CBOX] = ".cbox",
        [LP_COORDS_TOPAZ] = "_topaz.txt",
    };

    return ending[f];
}

double lp_coords_score(const lp_particle *p, double full)
{
    if (full > 0) return p->support;
    return isnan(p->mean_cellprob) ? 1 : 1 / (1 + exp(-p->mean_cellprob));
}

double lp_coords_confidence(const lp_particle *p, double full)
{
    double s = lp_coords_score(p, full);

    return full > 0 ? s / full : s;
}

static int longer_side(const lp_particle *p)
{
    return p->y1 - p->y0 > p->x1 - p->x0 ? p->y1 - p->y0 : p->x1 - p->x0;
}

static int by_size(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;

    return (x > y) - (x < y);
}

static lp_status median_size(const lp_particle *p, int64_t n, int *size, lp_err *err)
{
    int *side = malloc(((size_t)n + 1) * sizeof *side);
    int64_t i;

    if (!side) return lp_fail_mem(err, "box sizes", 4.0 * (double)n);
    for (i = 0; i < n; i++) side[i] = longer_side(&p[i]);
    if (n) qsort(side, (size_t)n, sizeof *side, by_size);
    *size = n ? (side[n / 2] + 1) / 2 * 2 : 2;
    free(side);
    return LP_OK;
}

static double y_of(const lp_particle *p, const lp_coords_options *o)
{
    return o->flip_y ? o->Ly - 1 - p->y : p->y;
}

static void put(FILE *f, double v, int digits, char after)
{
    char buf[LP_NUMBER_MAX];

    fputs(lp_number_format(buf, v, digits), f);
    fputc(after, f);
}

/* One word of a STAR file or of a table: quoted where it has spaces, without what no quotes can
 * hold. */
static void put_name(FILE *f, const char *s, size_t n, int quotes)
{
    int quote = quotes && (memchr(s, ' ', n) || memchr("#_$'\";", *s, 6) || !n);
    size_t i;

    if (quote) fputc('"', f);
    for (i = 0; i < n; i++)
        fputc((unsigned char)s[i] < 32 || s[i] == 127 || (quotes && s[i] == '"') ? '_' : s[i], f);
    if (quote) fputc('"', f);
}

static void write_star(FILE *f, const lp_particle *p, int64_t n, const lp_coords_options *o)
{
    int64_t i;

    fputs("\n# version 30001\n\ndata_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n"
          "_rlnAutopickFigureOfMerit #3\n_rlnMicrographName #4\n",
          f);
    for (i = 0; i < n; i++) {
        put(f, p[i].x, 9, ' ');
        put(f, y_of(&p[i], o), 9, ' ');
        put(f, lp_coords_score(&p[i], o->full), 7, ' ');
        put_name(f, o->micrograph, strlen(o->micrograph), 1);
        fputc('\n', f);
    }
    fputc('\n', f);
}

static void write_box(FILE *f, const lp_particle *p, int64_t n, int size,
                      const lp_coords_options *o)
{
    int64_t i;

    for (i = 0; i < n; i++)
        fprintf(f, "%ld\t%ld\t%d\t%d\n", lround(p[i].x) - size / 2,
                lround(y_of(&p[i], o)) - size / 2, size, size);
}

static void write_cbox(FILE *f, const lp_particle *p, int64_t n, const lp_coords_options *o)
{
    int64_t i;

    fputs("data_global\n\n_cbox_format_version 1.0\n\ndata_cryolo\n\nloop_\n_CoordinateX #1\n"
          "_CoordinateY #2\n_CoordinateZ #3\n_Width #4\n_Height #5\n_Depth #6\n_EstWidth #7\n"
          "_EstHeight #8\n_Confidence #9\n_NumBoxes #10\n_Angle #11\n",
          f);
    for (i = 0; i < n; i++) {
        int side = o->box_size > 0 ? o->box_size : longer_side(&p[i]);

        put(f, p[i].x - side / 2.0, 9, ' ');
        put(f, y_of(&p[i], o) - side / 2.0, 9, ' ');
        fprintf(f, "<NA> %d %d 1 %d %d ", side, side, p[i].x1 - p[i].x0, p[i].y1 - p[i].y0);
        put(f, lp_coords_confidence(&p[i], o->full), 6, ' ');
        fputs("<NA> <NA>\n", f);
    }
    fputs("\ndata_cryolo_include\n\nloop_\n_slice_index #1\n\n", f);
}

static void write_topaz(FILE *f, const lp_particle *p, int64_t n, const lp_coords_options *o)
{
    const char *dot = strrchr(o->micrograph, '.');
    size_t stem = dot > o->micrograph ? (size_t)(dot - o->micrograph) : strlen(o->micrograph);
    int64_t i;

    fputs("image_name\tx_coord\ty_coord\tscore\n", f);
    for (i = 0; i < n; i++) {
        put_name(f, o->micrograph, stem, 0);
        fprintf(f, "\t%ld\t%ld\t", lround(p[i].x), lround(p[i].y));
        put(f, lp_coords_score(&p[i], o->full), 7, '\n');
    }
}

lp_status lp_write_coords(const char *path, lp_coords_format format, const lp_particle *p,
                          int64_t n, const lp_coords_options *o, lp_err *err)
{
    char *text = NULL;
    size_t bytes = 0;
    int size = o->box_size, bad;
    lp_status st;
    FILE *f;

    if (format == LP_COORDS_BOX && size < 1 && (st = median_size(p, n, &size, err))) return st;
    f = open_memstream(&text, &bytes);
    if (!f) return lp_fail_mem(err, path, 0);
    switch (format) {
    case LP_COORDS_STAR:
        write_star(f, p, n, o);
        break;
    case LP_COORDS_BOX:
        write_box(f, p, n, size, o);
        break;
    case LP_COORDS_CBOX:
        write_cbox(f, p, n, o);
        break;
    case LP_COORDS_TOPAZ:
        write_topaz(f, p, n, o);
        break;
    }
    bad = ferror(f);
    bad |= fclose(f) != 0;
    st = bad ? lp_fail_mem(err, path, 80.0 * (double)n)
             : lp_atomic_write_file(path, text, bytes, err);
    free(text);
    return st;
}
