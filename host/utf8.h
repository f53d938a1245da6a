/* utf8 - whether bytes are text. File names may hold any bytes. */
#ifndef LP_UTF8_H
#define LP_UTF8_H

/* Length, 1 to 4, of the valid UTF-8 character at s, which ends with a zero byte; 0 where there is
 * none. Surrogates and overlong forms are not valid. */
int lp_utf8_length(const char *s);

#endif
