#include "eval_labels.h"

#include <string.h>

#include "read.h"
#include "read_outlines.h"

/* Ly and Lx of what the outlines at path are drawn on. */
static lp_status size_for(const lp_eval_item *item, const char *path, int *Ly, int *Lx, lp_err *err)
{
    lp_image im = {0};
    lp_status st;

    if (!item->image)
        return lp_fail(err, LP_EARG,
                       "%s: outlines do not say how large their image is: name the micrographs "
                       "with --images",
                       path);
    if ((st = lp_read_image(item->image, 0, &im, err))) return st;
    *Ly = im.Ly;
    *Lx = im.Lx;
    lp_image_free(&im);
    return LP_OK;
}

/* other: the label image of the same micrograph, or one without data. */
static lp_status outlines(const lp_eval_item *item, const char *path, const lp_labels *other,
                          lp_labels *lb, lp_err *err)
{
    int Ly = other->Ly, Lx = other->Lx;
    lp_status st = other->data ? LP_OK : size_for(item, path, &Ly, &Lx, err);

    return st ? st : lp_read_outlines(path, Ly, Lx, lb, err);
}

lp_status lp_eval_labels_read(const lp_eval_item *item, lp_labels *t, lp_labels *p, lp_err *err)
{
    int drawn_t = lp_outlines_is_name(item->truth);
    int drawn_p = p && item->pred && lp_outlines_is_name(item->pred);
    lp_labels truth = {0}, pred = {0};
    lp_status st = LP_OK;

    /* Label images first: they tell the size. */
    if (!drawn_t && (st = lp_read_labels(item->truth, &truth, err))) goto done;
    if (p && item->pred && !drawn_p && (st = lp_read_labels(item->pred, &pred, err))) goto done;
    if (drawn_t && (st = outlines(item, item->truth, &pred, &truth, err))) goto done;
    if (drawn_p && (st = outlines(item, item->pred, &truth, &pred, err))) goto done;
    if (p && !item->pred && (st = lp_labels_new(&pred, truth.Ly, truth.Lx, err))) goto done;
    *t = truth;
    memset(&truth, 0, sizeof truth);
    if (p) {
        *p = pred;
        memset(&pred, 0, sizeof pred);
    }
done:
    lp_labels_free(&truth);
    lp_labels_free(&pred);
    return st;
}
