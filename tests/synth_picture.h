/* synth_picture - a synthetic micrograph with its labels and list, for tests. */
#ifndef SYNTH_PICTURE_H
#define SYNTH_PICTURE_H

#include "lp_test.h"

#include "host/synth.h"

typedef struct {
    lp_image im;
    lp_labels lb;
    lp_synth_particle *list;
    int n;
} picture;

static inline picture render(const lp_synth_options *o, uint64_t seed)
{
    picture p;
    lp_err err = {LP_OK, ""};

    if (lp_synth_render(o, seed, &p.im, &p.lb, &p.list, &p.n, &err)) fail_msg("%s", err.msg);
    return p;
}

static inline void done(picture *p)
{
    lp_image_free(&p->im);
    lp_labels_free(&p->lb);
    free(p->list);
}

static inline int same(const picture *a, const picture *b)
{
    size_t px = (size_t)a->im.Ly * a->im.Lx;
    int i;

    if (a->n != b->n || memcmp(a->im.data, b->im.data, px * 4) ||
        memcmp(a->lb.data, b->lb.data, px * 4))
        return 0;
    for (i = 0; i < a->n; i++)
        if (a->list[i].y != b->list[i].y || a->list[i].x != b->list[i].x ||
            a->list[i].diameter != b->list[i].diameter || a->list[i].area != b->list[i].area)
            return 0;
    return 1;
}

static inline void small(lp_synth_options *o)
{
    lp_synth_defaults(o);
    o->Ly = 225;
    o->Lx = 301;
    o->diameter_min = 12;
    o->diameter_max = 60;
    o->contamination = 3.0; /* carbon for certain */
}

#endif
