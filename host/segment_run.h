/* segment_run - a list of images through a model, several at a time, results on disk.
 *
 * Workers take images (and pages of stacks) from one list; each reads, segments, measures
 * and writes on its own, so reading and writing overlap with computing; on a GPU they share the
 * batches of the network. A failing image is recorded and the others go on; images of a GPU that
 * fails for good are done by the others. What an earlier run has done with the same settings is
 * skipped (done.h); what another process is doing now is left to the end, and done then if that one
 * failed (claim.h). With a watch the list grows, and the run ends when the watch does.
 *
 * A signal drops the images at hand, at the latest 8 s later together with the process. */
#ifndef LP_SEGMENT_RUN_H
#define LP_SEGMENT_RUN_H

#include <stdio.h>

#include "inputs.h"
#include "lipopose.h"
#include "shard.h"

#define LP_RUN_GPUS 32 /* at most */

typedef struct {
    lp_segment_options segment; /* on_tiles and user are not used */
    const double *diameters;    /* [n_diameters] px; n_diameters 0: segment.diameter alone */
    int n_diameters;
    int mean_diameter;      /* 1: without a size model, diameter 0 is the mean of the training's */
    int auto_diameters;     /* 1: many, chosen from each image (lp_segment_auto) */
    lp_merge_options merge; /* of several diameters */
    const char *model, *model_name; /* file, and what to call it in results */
    const char *model_sha256;       /* may be NULL */
    lp_session_options session;     /* threads: of the whole run */
    int gpu[LP_RUN_GPUS], n_gpus;   /* which; n_gpus 0: session.gpu_device, -1: all there are */
    const char *savedir;            /* to say where results lie; NULL: beside the images */
    double pixel_nm;                /* instead of what the files say; 0: as they say */
    int page;                       /* 1 .. n of every file; 0: all */
    int page_channels;              /* 1: a file's pages are the channels of one image */
    int save_tif, save_png, save_csv, save_overlay, save_outlines, save_txt, save_rois;
    int save_flows, save_h5, save_npy, ids;
    int save_star, save_box, save_cbox, save_topaz, save_geojson;
    int box_size, flip_y;   /* of coordinates: write_coords.h */
    const char *settings;   /* fingerprint.h; NULL: no records, nothing is skipped (done.h) */
    int overwrite;          /* 1: also what an earlier run has done */
    lp_shard shard;         /* which the inputs are; to say so in records */
    struct lp_watch *watch; /* watch.h, whose images come later; NULL: all images are in the list */
    int json;               /* one record per image to stdout */
    int quiet;
    int no_summary; /* 1: no closing line */
    int keep_older; /* 1: what an older run left stays (results.h) */
    /* Told each finished image's base (inputs.h, with the page), one call at a time. May be NULL.
     */
    void (*on_done)(void *user, const char *base);
    void *user;
} lp_run_options;

/* Returns the exit code (commands.h); everything was said on stderr. With o->watch, in are the
 * images that were there at the start: they tell how many can be worked on at a time. */
int lp_segment_run(const lp_inputs *in, const lp_run_options *o);

#endif
