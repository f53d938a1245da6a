/* Overlapping spans of time (host/busy.h) against a line of cells. */
#include "lp_test.h"

#include <math.h>

#include "host/busy.h"

enum { CELLS = 4000 };

static void by_hand(void **state)
{
    lp_busy b = {0};

    (void)state;
    assert_true(lp_busy_total(&b) == 0);
    lp_busy_add(&b, 5, 7);
    lp_busy_add(&b, 1, 2);
    lp_busy_add(&b, 7, 8);
    assert_true(b.n == 2 && lp_busy_total(&b) == 4);
    lp_busy_add(&b, 1.5, 6);
    assert_true(b.n == 1 && lp_busy_total(&b) == 7);
    lp_busy_add(&b, 3, 3);
    lp_busy_add(&b, 3, NAN);
    assert_true(b.n == 1 && lp_busy_total(&b) == 7);
}

/* Spans of several streams, each in order, but not among each other. */
static void many(void **state)
{
    static char cell[CELLS];
    lp_busy b = {0};
    unsigned seed = 7;
    int at[4] = {0}, sum = 0, i, k;

    (void)state;
    for (;;) {
        int s, from, to;

        seed = seed * 1664525u + 1013904223u;
        s = (int)(seed >> 28) % 4;
        from = at[s] + (int)(seed >> 20 & 63) * (s == 3 ? 1 : 2);
        to = from + 1 + (int)(seed >> 16 & 15);
        for (i = 1, k = 0; i < 4; i++)
            if (at[i] < at[k]) k = i;
        if (at[s] > at[k] + 200) continue; /* they keep about together */
        if (to > CELLS) break;
        at[s] = to;
        lp_busy_add(&b, from, to);
        for (i = from; i < to; i++) cell[i] = 1;
    }
    for (i = 0; i < CELLS; i++) sum += cell[i];
    assert_true(sum > CELLS / 4 && sum < CELLS && b.closed > 0);
    assert_true(lp_busy_total(&b) == sum);
    for (i = 1; i < b.n; i++) assert_true(b.span[i].from > b.span[i - 1].to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(by_hand), cmocka_unit_test(many)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
