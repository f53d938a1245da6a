/* text - a few words in a 5 x 8 pixel font, for pictures.
 *
 * It has digits, ".", "-", space, the letters of "particles", "nm" and, drawn for 'u', the
 * micro sign. Other characters are blank. */
#ifndef LP_TEXT_H
#define LP_TEXT_H

#include <stdint.h>

#define LP_TEXT_HEIGHT 8

/* Width in px at the given scale (whole factor). */
int lp_text_width(const char *s, int scale);

/* Draws into rgb [Ly][Lx][3] with the upper left corner at (y, x), cut at the borders. */
void lp_text_draw(uint8_t *rgb, int Ly, int Lx, int y, int x, const char *s, int scale,
                  const uint8_t colour[3]);

#endif
