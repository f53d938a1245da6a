/* read_mrc - MRC, MRCS and CCP4 maps, read without a library.
 *
 * Every section along the file's third axis is one image, in volumes too. Rows come
 * as stored, the first row first, and mapc/mapr/maps are not applied: the array is
 * the one that mrcfile shows.
 *
 * Modes: 0 (int8), 1 (int16), 2 (float32), 6 (uint16), 12 (float16), 16 (RGB bytes,
 * IMOD), 101 (4 bits, IMOD: the low half first, rows filled up to a byte). Complex
 * modes 3 and 4 are refused.
 *
 * Mode 0 is signed (MRC2014; mrcfile reads it so), except that
 *  - a file with IMOD's stamp says itself: bit 0 of imodFlags set is signed, else unsigned;
 *  - without that stamp, a header minimum >= 0 with a maximum over 127 can only mean
 *    unsigned bytes (mrcfile reads these as signed all the same; IMOD as here).
 *
 * Byte order: from the machine stamp 0x44 or 0x11; with any other stamp, or where the
 * stamped order gives a senseless header, the order that gives sensible sizes and mode.
 * A file without "MAP " (older than MRC2000) is taken where all of its header is sensible.
 *
 * Pixel size: cell length / sampling, in x and in y (Angstrom). 0 where the header holds no
 * sensible one, or two that differ by more than 1 %: a single number would make lengths wrong.
 *
 * In a packed file the check sum is verified with the last section only: the others are read
 * without unpacking what follows.
 *
 * Formula and layout: MRC2014, Cheng et al., J. Struct. Biol. 192 (2015) 146;
 * IMOD's mrc_format.txt for the stamp, modes 16 and 101. */
#ifndef LP_READ_MRC_H
#define LP_READ_MRC_H

#include "image.h"
#include "read_bytes.h"

#define LP_MRC_HEADER 1024
#define LP_MRC_MAX_SECTIONS 1000000

/* 1 where head [n] is an MRC header (with "MAP ", or sensible in all it says), else 0. */
int lp_mrc_probe(const uint8_t *head, size_t n);

/* Number of sections. */
lp_status lp_mrc_count(lp_bytes *b, int *npages, lp_err *err);

/* The same, with the size of every section, in pixels. */
lp_status lp_mrc_size(lp_bytes *b, int *npages, int *Ly, int *Lx, lp_err *err);

/* Reads section page (0-based); the caller frees *im, which is untouched on failure.
 * LP_EFORMAT for a header that is not one and for data cut short (with the bytes expected and
 * found; bytes too many are fine); LP_EARG for a page that is not there. */
lp_status lp_mrc_read(lp_bytes *b, int page, lp_image *im, lp_err *err);

#endif
