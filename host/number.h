/* number - numbers as text that do not follow the locale: the decimal mark is '.'. */
#ifndef LP_NUMBER_H
#define LP_NUMBER_H

#define LP_NUMBER_MAX 40

/* Writes v like printf's %.<digits>g (1 to 17 digits) into buf and returns buf.
 * NaN and infinities become an empty string: "not known" in a table. */
char *lp_number_format(char buf[LP_NUMBER_MAX], double v, int digits);

/* The same with as few digits, at least 15, as give v again. */
char *lp_number_exact(char buf[LP_NUMBER_MAX], double v);

#endif
