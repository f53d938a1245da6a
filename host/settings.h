/* settings - everything that defines a run over many diameters, in a small JSON file.
 *
 *     { "format": "lipopose-settings", "version": 1, "program": "0.1.0",
 *       "model": {"name": ..., "sha256": ...},         name null: the bundled model
 *       "diameters": [px, ascending],                  or "auto": chosen from each image
 *       "merge": {"method", "threshold", "levels"},    levels [] are the default ones
 *       "segment": {...},                              lp_segment_options and precision
 *       "calibration": {...} }                         may be absent: how it was found
 *
 * All keys must be there and no others: a file that was typed wrong must not run as something
 * else. It holds no times; the same run gives the same bytes. */
#ifndef LP_SETTINGS_H
#define LP_SETTINGS_H

#include "diameters.h"
#include "lipopose.h"

/* How the threshold was found. Counts and scores of all particles together at IoU 0.5. */
typedef struct {
    char target[32]; /* eval_target.h; "" where there was no calibration */
    double images, n_true, n_pred, precision, recall, f1;
    /* The threshold chosen without each image in turn and applied to it; NaN with one image. */
    double left_out_precision, left_out_recall, left_out_f1;
    double lowest_threshold, highest_threshold; /* of those */
} lp_calibration;

typedef struct {
    char *model; /* as it was named; NULL: bundled; owned */
    char model_sha256[65];
    double diameter[LP_MAX_DIAMETERS]; /* [n_diameters] px, ascending */
    int n_diameters;                   /* 0: auto */
    lp_merge_options merge;     /* method, threshold (a number), levels; the rest is default */
    lp_segment_options segment; /* batch_size, on_tiles, user and diameter are default */
    lp_precision precision;
    lp_calibration calibration;
} lp_settings;

/* text [n]. LP_EFORMAT (the message has no file name) for what is not JSON, not these settings, of
 * another version, with an unknown, missing or repeated key, or a value out of range. On success
 * *out is the caller's. */
lp_status lp_settings_parse(const char *text, size_t n, lp_settings *out, lp_err *err);
/* The same for a file; LP_EIO where it cannot be read. */
lp_status lp_settings_read(const char *path, lp_settings *out, lp_err *err);
/* What lp_settings_write writes; *text is the caller's, to free(). LP_ENOMEM. */
lp_status lp_settings_format(const lp_settings *s, char **text, lp_err *err);
/* Whole or not at all. */
lp_status lp_settings_write(const char *path, const lp_settings *s, lp_err *err);
void lp_settings_free(lp_settings *s); /* NULL and empty are fine; clears *s */

/* The names of what differs between two, but for the model, the threshold and the calibration,
 * joined by ", ", at most 200 characters: "" where nothing does. buf [200]. */
const char *lp_settings_differences(const lp_settings *a, const lp_settings *b, char *buf);

/* Merge options from the command line over those of settings (NULL: none): a method that is another
 * than theirs leaves their threshold and levels, which mean nothing for it. method, levels,
 * has_threshold and threshold as for lp_merge_text_parse. */
lp_status lp_settings_merge(const lp_settings *s, const char *method, const char *levels,
                            int has_threshold, double threshold, lp_merge_options *o, lp_err *err);

#endif
