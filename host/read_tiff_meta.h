/* read_tiff_meta - the pixel size that a TIFF file's metadata tell.
 *
 * In this order: the microscope's own tag (Thermo Fisher/FEI 34680 and 34682, Zeiss 34118),
 * OME-XML, ImageJ's description with its resolution tags, the plain resolution tags. Sizes outside
 * 0.001 nm .. 10 micrometres never count. The plain tags are mostly a printer's or a screen's (72,
 * 96, 300 dpi) or the camera chip's (some micrometres), so they only count up to 1 micrometre and
 * for square pixels. */
#ifndef LP_READ_TIFF_META_H
#define LP_READ_TIFF_META_H

typedef struct {
    const char *description; /* of the file's first page, may be NULL */
    const char *maker;       /* [maker_n] bytes of a microscope's tag, not terminated; or NULL */
    int maker_n;
    double xres, yres; /* pixels per unit, 0 where absent */
    int unit;          /* ResolutionUnit: 1 none, 2 inch, 3 centimetre */
} lp_tiff_meta;

/* nm per pixel, 0 where the metadata tell none, or one for x and another for y (by more than
 * 1 %): a single number would make every length wrong. */
double lp_tiff_pixel_nm(const lp_tiff_meta *m);

/* Number of images that a file of one directory says lie one after the other behind it, 0 where it
 * says none: ImageJ's "images=N", or tifffile's {"shape": [N, h, w], "truncated": true} over the
 * samples of one image. */
int lp_tiff_stack_images(const char *description, double samples);

/* nm per unit for a unit's name in UTF-8 or Latin-1 ("nm", "um", "micron", "A", ...), 0 where
 * unknown. n is its length in bytes. */
double lp_tiff_unit_nm(const char *name, int n);

#endif
