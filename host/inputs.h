/* inputs - from files and folders on the command line to a list of images.
 *
 * Folders give their image files in natural order (img2 before img10), without what a
 * segmentation wrote there (names ending in _cp_masks, _masks, _overlay, ...) and without
 * hidden files. Every input knows the path, without suffix, that its results start with. */
#ifndef LP_INPUTS_H
#define LP_INPUTS_H

#include "status.h"

typedef struct {
    char *path;
    char *key;  /* the same for inputs that would write the same files, see lp_inputs_find */
    char *name; /* path below the folder that was given, or the file's own name: shard.h */
    char *base; /* savedir/stem, or the image's own folder/stem; results add _cp_masks.tif etc. */
} lp_input;

typedef struct {
    lp_input *item;
    int n;
} lp_inputs;

typedef struct {
    const char *savedir;     /* NULL: beside each image */
    const char *img_filter;  /* NULL, or what stems in folders must end with */
    const char *mask_filter; /* NULL, or a further ending of stems to leave out of folders */
    int look_one_level_down; /* also the folders inside a folder; below savedir they keep names */
    int growing; /* of folders that fill (watch.h): they may be empty; files with the same results
                    are all listed; a name that is no folder is LP_EIO */
} lp_inputs_options;

/* A file named twice counts once; one that does not exist is listed like the others, so that
 * reading it fails and the others are done. LP_EARG where a folder has no images or where two
 * inputs would write the same results, LP_EIO where a folder cannot be read. Folders below
 * savedir are made. *out is the caller's. */
lp_status lp_inputs_find(char *const *names, int n, const lp_inputs_options *o, lp_inputs *out,
                         lp_err *err);
void lp_inputs_free(lp_inputs *in);

/* Keeps only the images of shard index of count (shard.h); there may be none. */
void lp_inputs_keep(lp_inputs *in, int index, int count);

/* A copy of x at the end. LP_ENOMEM. */
lp_status lp_inputs_add(lp_inputs *in, const lp_input *x, lp_err *err);

/* Makes folder path and its parents; it is no error if it exists. LP_EIO where that fails, or
 * where it cannot be written to. */
lp_status lp_inputs_make_folder(const char *path, lp_err *err);

#define LP_DEFAULT_MODEL "lnp"

/* The file of a model given by path or name: the path itself if it exists, else NAME or NAME.h5
 * in $LIPOPOSE_MODELS, the bundled models, $CELLPOSE_LOCAL_MODELS_PATH and ~/.cellpose/models.
 * NULL is LP_DEFAULT_MODEL. *path is the caller's, to free(). LP_EMISSING names the places. */
lp_status lp_inputs_find_model(const char *name, char **path, lp_err *err);

#endif
