/* html - text and bytes into a page, so that no file name can break it. */
#ifndef LP_HTML_H
#define LP_HTML_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* For text between tags and for attributes in double quotes. Control characters become '?'. */
void lp_html_text(FILE *f, const char *s);

/* s as a JSON string with its quotes, for <script type="application/json">: '<' is written
 * \u003c, so that "</script>" in it does not end the script. NULL is the empty string. */
void lp_html_json(FILE *f, const char *s);

void lp_html_base64(FILE *f, const uint8_t *b, size_t n);

#endif
