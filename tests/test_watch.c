/* watch: when a file counts as complete; with a clock of the test's own. */
#include <sys/stat.h>

#include "lp_test.h"
#include "tmp_dir.h"

#include "host/expected.h"
#include "host/tally.h"
#include "host/watch.h"

static char *dir, in[1024], out[1024];
static int told;

static int setup(void **state)
{
    (void)state;
    dir = lp_tmp_dir();
    snprintf(in, sizeof in, "%s/in", dir);
    snprintf(out, sizeof out, "%s/out", dir);
    told = 0;
    return mkdir(in, 0777) || mkdir(out, 0777);
}

static int teardown(void **state)
{
    (void)state;
    lp_tmp_remove(dir);
    return 0;
}

static void tell(void *user, const char *line)
{
    (void)user;
    (void)line;
    told++;
}

static void put(const char *name, const char *bytes)
{
    char path[1100];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", in, name);
    f = fopen(path, "a");
    assert_non_null(f);
    fputs(bytes, f);
    fclose(f);
}

static lp_watch *start(double settle, lp_shard shard)
{
    static char *const names[] = {in};
    lp_watch_options o = {names, 1, {.savedir = out}, shard, settle, 0};
    lp_watch *w = NULL;
    lp_err err;

    assert_int_equal(lp_watch_new(&o, &w, &err), LP_OK);
    return w;
}

/* Images given out by one look. */
static int look(lp_watch *w, double now)
{
    const lp_inputs *x;
    int n = 0;

    lp_watch_look(w, now, tell, NULL);
    while ((x = lp_watch_take(w))) n += x->n;
    return n;
}

static void complete(void **state)
{
    lp_watch *w = start(5, (lp_shard){1, 1, NULL});

    (void)state;
    assert_int_equal(look(w, 100), 0);
    put("a.tif", "1");
    assert_int_equal(look(w, 110), 0);
    put("a.tif", "2");
    assert_int_equal(look(w, 120), 0); /* has grown */
    assert_true(lp_watch_last(w) == -1);
    assert_int_equal(look(w, 120.5), 0); /* it is not time to look */
    assert_true(lp_watch_looked(w) == 120);
    assert_int_equal(look(w, 124), 0);
    assert_int_equal(look(w, 126), 1);
    assert_true(lp_watch_last(w) == 120);
    assert_int_equal(look(w, 200), 0); /* once */
    put("a.tif", "3");
    assert_int_equal(look(w, 210), 0);
    assert_int_equal(look(w, 220), 1); /* changed */
    put("a.mrc", "1");
    assert_int_equal(look(w, 230), 0);
    assert_int_equal(look(w, 240), 0);
    assert_int_equal(told, 1); /* left out, a.tif was first */
    lp_watch_free(&w);
    assert_null(w);
}

static void folder_away(void **state)
{
    lp_watch *w = start(1, (lp_shard){1, 1, NULL});
    char away[1024];

    (void)state;
    put("a.tif", "1");
    look(w, 10);
    snprintf(away, sizeof away, "%s/away", dir);
    assert_int_equal(rename(in, away), 0);
    assert_int_equal(look(w, 20), 0);
    assert_int_equal(look(w, 30), 0);
    assert_int_equal(told, 1);
    assert_int_equal(rename(away, in), 0);
    assert_int_equal(look(w, 40), 1);
    assert_int_equal(told, 2);
    lp_watch_free(&w);
}

/* Two shards give out every image once and expect all of them. */
static void shards(void **state)
{
    char name[32], **list = NULL;
    int i, k, n = 0, total = 0;
    lp_err err;

    (void)state;
    for (i = 0; i < 300; i++) { /* more than one room of the list */
        snprintf(name, sizeof name, "i%d.tif", (i * 7919) % 1000);
        put(name, "x");
    }
    for (k = 1; k <= 2; k++) {
        lp_watch *w = start(1, (lp_shard){k, 2, NULL});

        assert_int_equal(look(w, 10), 0);
        i = look(w, 20);
        assert_in_range(i, 100, 200);
        total += i;
        lp_watch_keep(w, tell, NULL);
        lp_watch_free(&w);
    }
    assert_int_equal(total, 300);
    assert_int_equal(lp_expected_read(out, &list, &n, &err), LP_OK);
    assert_int_equal(n, 300);
    for (i = 0; i < n; i++) free(list[i]);
    free(list);
    assert_int_equal(told, 0);
}

static void mended(void **state)
{
    lp_tally t = {0};

    (void)state;
    lp_tally_fail(&t, "a");
    lp_tally_fail(&t, "b");
    lp_tally_fail(&t, "a");
    assert_int_equal(t.failed, 2);
    lp_tally_mend(&t, "c");
    lp_tally_mend(&t, "a");
    assert_int_equal(t.failed, 1);
    lp_tally_mend(&t, "b");
    assert_int_equal(t.failed, 0);
    lp_tally_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(complete, setup, teardown),
        cmocka_unit_test_setup_teardown(folder_away, setup, teardown),
        cmocka_unit_test_setup_teardown(shards, setup, teardown),
        cmocka_unit_test(mended),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
