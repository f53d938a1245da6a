/* channels - which planes of an image the network sees (Cellpose transforms.py, reshape
 * and convert_image).
 *
 * A net trained by Cellpose has two inputs: the channel to segment, then an optional
 * nuclear channel or zeros. */
#ifndef LP_CHANNELS_H
#define LP_CHANNELS_H

#include "image.h"

#define LP_CHAN_ALL (-1)

/* Makes *out [nchan_net][Ly][Lx] (the caller's; other fields copied from in) from in.
 * chan: 0 = grey, the mean over all channels; 1.. = that channel (1 red, 2 green, 3 blue).
 * chan2: 0 = none, zeros; 1.. = that channel. With chan 0, chan2 has no effect (as in Cellpose).
 * An image with one channel is taken as it is whatever chan and chan2 say.
 * nchan_net 1: the first of the two only. nchan_net > 2, or chan LP_CHAN_ALL: all channels as they
 * are, in order; surplus ones are dropped, missing ones are zeros.
 * LP_EARG for channels that the image does not have, LP_ENOMEM; *out is then untouched. */
lp_status lp_channels_select(const lp_image *in, int chan, int chan2, int nchan_net, lp_image *out,
                             lp_err *err);

#endif
