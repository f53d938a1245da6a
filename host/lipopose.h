/* lipopose - find and outline particles in electron micrographs with Cellpose 1-3 networks.
 *
 *     lp_session *s;
 *     lp_err err;
 *     lp_result r;
 *     lp_segment_options o = lp_segment_defaults();
 *
 *     if (lp_session_open("m.h5", NULL, &s, &err)) ...err.msg...
 *     if (lp_segment(s, image, 1, Ly, Lx, &o, &r, &err)) ...
 *     ... r.masks[y * r.Lx + x] is 0 or the number of a particle, 1 .. r.n ...
 *     lp_result_free(&r);
 *     lp_session_close(&s);
 *
 * Names are Cellpose's. y before x; images are planar float32. Every function that can fail
 * returns an lp_status; out-parameters are untouched on failure. A session may be used by one
 * thread at a time; lp_session_share makes another for a second thread. */
#ifndef LIPOPOSE_H
#define LIPOPOSE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    LP_OK = 0,
    LP_EARG,     /* the caller asked for something impossible: exit code 2 */
    LP_EIO,      /* a file or folder cannot be opened, read or written */
    LP_EFORMAT,  /* the bytes are there but are not what they should be */
    LP_ENOMEM,   /* memory, or a size beyond a stated limit */
    LP_EMISSING, /* a resource is missing (model, GPU): exit code 3 */
    LP_ESIGNAL   /* stopped by the caller, or by a signal: exit code 128 + n */
} lp_status;

typedef struct {
    lp_status status;
    char msg[1024]; /* one line: what, where, what to do */
} lp_err;

typedef enum { LP_PRECISION_AUTO, LP_PRECISION_FP32, LP_PRECISION_BF16 } lp_precision;

/* A model on a device. */
typedef struct lp_session lp_session;

typedef struct {
    const char *backend; /* "auto", "cpu" or "cuda"; NULL is auto */
    lp_precision precision;
    int threads;    /* CPU threads of this session; 0: all that the process may use */
    int gpu_device; /* cuda: which GPU, from 0 */
    /* cuda: bytes of its memory to use at most, by all sessions that share the network; 0: all */
    size_t gpu_memory;
    /* cuda: "own" convolutions, or "cudnn": NVIDIA's library, loaded now, as a second opinion;
     * NULL is own */
    const char *conv;
} lp_session_options;

/* model: path of a .h5 or a PyTorch .pth. options may be NULL (all defaults). The caller closes. */
lp_status lp_session_open(const char *model, const lp_session_options *options, lp_session **out,
                          lp_err *err);
/* Another session on the same network, for another thread, with as many threads of its own. */
lp_status lp_session_share(const lp_session *s, lp_session **out, lp_err *err);
void lp_session_close(lp_session **s); /* NULL is fine; clears the pointer */

/* One line about what was chosen: back end, device, precision. Valid until close. */
const char *lp_session_describe(const lp_session *s);
/* Diameters, px, that the network works at and was trained on; 1 where it can estimate one. */
double lp_session_diam_mean(const lp_session *s);
double lp_session_diam_labels(const lp_session *s);
/* [2] 5th and 95th percentile of the diameters it was trained on, px; 0, 0 unknown. */
const double *lp_session_diam_range(const lp_session *s);
int lp_session_has_size_model(const lp_session *s);

#define LP_MAX_CHANNELS 16

typedef struct {
    double diameter; /* of the particles, px; 0: estimate with the model's size model */
    int chan, chan2; /* 0 grey, 1 red, 2 green, 3 blue; chan2 0 none. chan -1: all channels */
    int normalize;   /* 1: percentile normalisation */
    double norm_percentile[2];
    int use_lowhigh; /* 1: lowhigh[0] becomes 0.0 and lowhigh[1] 1.0, instead of percentiles */
    double lowhigh[2];
    int invert;
    int tile_norm_blocksize;              /* px, 0 off */
    double sharpen_radius, smooth_radius; /* px, 0 off */
    int bsize;                            /* tile, px, a multiple of 16; 0: tiling.h */
    double tile_overlap;
    int augment;
    int batch_size; /* tiles per call of the network; 0: as many as suit the device */
    int resample;   /* 1: follow flows at the image's size, not the network's */
    int interp;
    int niter; /* 0: from the diameter */
    double flow_threshold, cellprob_threshold, max_size_fraction;
    int min_size;
    int exclude_on_edges;
    int compat_cellpose3; /* 1: keep the two known defects of Cellpose 3.1.1.3 */
    int flows; /* 1: lp_result has flows and cellprob; else they stay where they were computed */
    /* Called between batches; done and total count tiles of this image. Returning nonzero stops
     * with LP_ESIGNAL. May be NULL. */
    int (*on_tiles)(void *user, int done, int total);
    void *user;
} lp_segment_options;

/* Cellpose's defaults; diameter 30. */
lp_segment_options lp_segment_defaults(void);

/* Seconds of a segmentation by stage; cuda: by the clock of the device. */
enum {
    LP_T_NORMALIZE,
    LP_T_RESIZE,
    LP_T_NET,
    LP_T_FOLLOW,
    LP_T_SEEDS,
    LP_T_LABEL,
    LP_T_DIFFUSE,
    LP_T_QC,
    LP_T_FILL,
    LP_T_SIZE, /* all of the size model, when diameter is 0 */
    LP_T_NSTAGES
};
extern const char *const lp_stage_names[LP_T_NSTAGES];

typedef struct {
    int Ly, Lx;      /* of masks: the image's */
    uint32_t *masks; /* [Ly][Lx] 0 background, 1 .. n */
    uint32_t n;
    float *flow_error;  /* [n] of particle i+1; NaN without flow QC */
    int net_Ly, net_Lx; /* of flows and cellprob: the image's, or the network's without resample */
    float *flows;       /* [2][net_Ly][net_Lx] y then x, 5.0 is one pixel per step; NULL unless
                         * options.flows asks for it, cellprob too */
    float *cellprob;    /* [net_Ly][net_Lx] logit */
    int style_length;
    float *style;          /* [style_length], unit length */
    double diameter;       /* used, px */
    double diameter_style; /* first estimate of the size model; 0 without */
    int ntiles;
    uint32_t flat_channels; /* bit c: channel c has too small a range of values and became zero */
    double seconds[LP_T_NSTAGES];
} lp_result;

/* image [nchan][Ly][Lx] float32, not changed; NaN must not be in it. On success *out is the
 * caller's (lp_result_free). The same input gives the same bytes for any number of threads. */
lp_status lp_segment(lp_session *s, const float *image, int nchan, int Ly, int Lx,
                     const lp_segment_options *options, lp_result *out, lp_err *err);
void lp_result_free(lp_result *r);

/* Many diameters. What was found at each of them (the candidates) is kept and merged into one
 * mask; another threshold or method afterwards needs no inference. */
typedef struct lp_layers lp_layers;
void lp_layers_free(lp_layers **s);                   /* NULL is fine; clears the pointer */
int lp_layers_count(const lp_layers *s);              /* how many diameters */
double lp_layers_diameter(const lp_layers *s, int i); /* of them, px, ascending */

/* Where the diameters came from. */
typedef enum {
    LP_RANGE_GIVEN,  /* by the caller */
    LP_RANGE_PILOT,  /* from the sizes in the micrograph */
    LP_RANGE_MODEL,  /* from those the model was trained on: the pilot found nothing, or noise */
    LP_RANGE_DEFAULT /* 20 to 150 px: nor does the model know any */
} lp_range_source;

typedef struct {
    lp_layers *layers;
    int ntiles;
    uint32_t flat_channels;       /* see lp_result */
    double seconds[LP_T_NSTAGES]; /* sums over the diameters; network and masks overlap */
    lp_range_source source;
    int n_pilot;             /* of lp_segment_auto: diameters of the pilot, ... */
    int64_t pilot_particles; /* ... and what it found at them */
} lp_diameters_result;

/* lp_segment_defaults, but flow_threshold 0.8 and cellprob_threshold -1: merging sorts out what is
 * too much, and what one diameter leaves out is lost. */
lp_segment_options lp_diameters_defaults(void);

/* lp_segment at each of diameters [n] (px, n >= 1; options->diameter and flows are not used), with
 * one normalisation and one queue of tiles; on_tiles counts the tiles of all. On success
 * out->layers is the caller's. */
lp_status lp_segment_diameters(lp_session *s, const float *image, int nchan, int Ly, int Lx,
                               const lp_segment_options *options, const double *diameters, int n,
                               lp_diameters_result *out, lp_err *err);

/* The same at diameters chosen from the image (host/pilot.h): what a coarse pilot finds at
 * diameters a factor of 2 apart gives the range, which is then filled with a ratio of 1.149. The
 * layers are bit for bit those of lp_segment_diameters at the diameters chosen, which
 * lp_layers_diameter tells. ntiles counts the pilot too; the total that on_tiles gets grows as more
 * becomes known. */
lp_status lp_segment_auto(lp_session *s, const float *image, int nchan, int Ly, int Lx,
                          const lp_segment_options *options, lp_diameters_result *out, lp_err *err);

typedef enum {
    LP_MERGE_SCALE,   /* masks that agree, weighted by how well the diameter fits their size */
    LP_MERGE_VOTES,   /* pixels by the number of diameters (LipoPose, 2023) */
    LP_MERGE_AFFINITY /* pairs of pixels by the number of diameters */
} lp_merge_method;

#define LP_MERGE_MAX_LEVELS 64

typedef struct {
    lp_merge_method method;
    /* Particles need more support or votes than this. NaN: 12 for scale, else the last level.
     * Support of scale is 0 to 20: 20 times the estimated probability that the outline is right.
     * Between two levels, votes and affinity take the higher one. */
    double threshold;
    /* Falling, levels[n_levels]. n_levels 0: 20, 15, 10, 8, 5, 3, 2, 1, 0, for votes and affinity
     * times the density of the diameters relative to 20:150:5. For scale, they only name. */
    double levels[LP_MERGE_MAX_LEVELS];
    int n_levels;
    double sigma;       /* scale: of ln(size of the mask / diameter) */
    double iou;         /* scale: of two masks of the same particle, at least */
    double flow_weight; /* scale: a mask weighs exp(-flow_weight * its flow error); 0 or more */
    double outline;     /* scale: share of the weight that pixels of an outline need more of */
    int min_size;       /* votes, affinity: pixels; smaller components are no particles */
} lp_merge_options;

/* scale, threshold NaN, default levels, sigma 0.25, iou 0.5, flow_weight 2, outline
 * 0.5, min_size 15. */
lp_merge_options lp_merge_defaults(void);

typedef struct {
    double support;                    /* see host/merge.h */
    int n_diameters;                   /* that found it */
    double diameter_min, diameter_max; /* the smallest and largest of them, px */
    double level;                      /* the highest that it exceeds */
    double flow_error, cellprob;       /* weighted means of the candidates', NaN where unknown */
    double agreement, company;         /* scale: S and c of host/merge_support.h; else NaN */
} lp_merged_particle;

typedef struct {
    int Ly, Lx;
    uint32_t *masks; /* [Ly][Lx] 0 background, 1 .. n in order of acceptance: best first */
    uint32_t n;
    lp_merged_particle *particle; /* [n] of particle i+1 */
    double support_max; /* the largest there can be: 20 of scale, else the number of diameters */
} lp_merged;

/* On success *out is the caller's (lp_merged_free). A lower threshold only adds particles at the
 * end. The same bytes for any number of threads and order of diameters. */
lp_status lp_merge(const lp_layers *s, const lp_merge_options *options, lp_merged *out,
                   lp_err *err);
void lp_merged_free(lp_merged *m);

/* "0.1.0" */
const char *lp_version(void);

#ifdef __cplusplus
}
#endif

#endif
