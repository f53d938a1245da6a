/* session - the steps of lp_segment, for segmenting one image at several diameters.
 *
 * What does not depend on the diameter (channels, normalisation, the copy to the device) is in
 * lp_session_prepare and is done once. */
#ifndef LP_SESSION_H
#define LP_SESSION_H

#include "lipopose.h"
#include "net.h"

/* Sets the threads of the session; returns how many there were, for omp_set_num_threads. */
int lp_session_enter(const lp_session *s);
int lp_session_threads(const lp_session *s);

/* Checks the options; channels chosen and normalised, on the device: *img, freed with
 * lp_session_release. Sets flat_channels and adds to seconds of *r. */
lp_status lp_session_prepare(lp_session *s, const float *image, int nchan, int Ly, int Lx,
                             const lp_segment_options *o, lp_buf **img, lp_result *r, lp_err *err);
void lp_session_release(lp_session *s, lp_buf **img);

/* The session's network with these options (on_tiles too), and an image in it at a diameter. */
lp_net_context lp_session_net(lp_session *s, const lp_segment_options *o);
lp_net_options lp_session_net_options(const lp_session *s, const lp_segment_options *o,
                                      double diameter);

/* NULL where the model cannot estimate a diameter. */
const lp_size_model *lp_session_size_model(const lp_session *s);

/* lp_segment, which measures what it finds where the masks are made: t, which may be NULL, has the
 * image to measure. */
lp_status lp_session_segment(lp_session *s, const float *image, int nchan, int Ly, int Lx,
                             const lp_segment_options *o, lp_result *out, lp_particle_table *t,
                             lp_err *err);

/* Network output at r->diameter -> masks, n, flow_error, Ly and Lx of *r, and t's table, if t is
 * not NULL; adds to r's seconds. Not changed: *net. On failure *r is to be freed like on success.
 * Several threads may run it side by side, each on an output of its own. */
lp_status lp_session_masks(lp_session *s, const lp_net_output *net, int Ly, int Lx,
                           const lp_segment_options *o, lp_result *r, lp_particle_table *t,
                           lp_err *err);

/* lp_merge_on where the session runs. */
lp_status lp_session_merge(const lp_session *s, const lp_layers *layers, const lp_merge_options *o,
                           lp_particle_table *t, lp_merged *out, lp_err *err);

/* Adds the device's times of the network and of rescaling so far, times sign, to seconds
 * [LP_T_NSTAGES]: -1 before and 1 after what is to be measured. Waits for the device. Of batches
 * that others shared, what its pixels take on average. */
lp_status lp_session_times(lp_session *s, int sign, double *seconds, lp_err *err);

/* What the network has done in batches that sessions share, and seconds in which the device did
 * anything for them (backend.h, busy); waits for the network. 0 where no batches are shared, or the
 * device is lost. */
int lp_session_work(lp_session *s, lp_net_batch_state *out, double *busy);

/* 1 where the device has failed for good: nothing will run on it any more. Waits for it. */
int lp_session_lost(lp_session *s);

/* Masks that may be made side by side. */
int lp_session_mask_threads(const lp_session *s);

/* The same as runs for merging; adds to seconds [LP_T_NSTAGES]. The caller frees *layer with
 * lp_layer_clear. */
lp_status lp_session_layer(lp_session *s, const lp_net_output *net, int Ly, int Lx,
                           const lp_segment_options *o, double diameter, lp_layer *layer,
                           double *seconds, lp_err *err);

#endif
