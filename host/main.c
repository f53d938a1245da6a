/* main - picks the command. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands.h"
#include "lipopose.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"segment", lp_cmd_segment, "find and outline particles in images or folders"},
    {"train", lp_cmd_train, "fine-tune a model on labelled images, or train one from scratch"},
    {"gather", lp_cmd_gather, "one table of all shards of a run, and what is missing"},
    {"eval", lp_cmd_eval, "judge predicted label images against true ones"},
    {"merge", lp_cmd_merge, "another threshold or method for saved runs of many diameters"},
    {"view", lp_cmd_view, "a page to choose the threshold of a saved run by eye"},
    {"crossval", lp_cmd_crossval, "train and judge on folds of labelled images"},
    {"convert", lp_cmd_convert, "convert models: Cellpose .pth <-> .h5"},
    {"info", lp_cmd_info, "show a model, an image or this machine"},
    {"bench", lp_cmd_bench, "how many images per second this machine does"},
    {"synth", lp_cmd_synth, "make synthetic cryoEM micrographs of lipid nanoparticles"},
};

static void usage(FILE *to)
{
    size_t i;

    fprintf(to, "usage: lipopose COMMAND [options] ...\n\n");
    for (i = 0; i < sizeof commands / sizeof *commands; i++)
        fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].help);
    fprintf(to,
            "\nlipopose COMMAND --help lists a command's options; lipopose --version the version."
            "\nCommand lines written for `cellpose` (--dir X --savedir Y ...) run as `segment`,"
            "\nthose with --train as `train`.\n");
}

/* Where the caller closed one of them, the first file opened would take its number and what is
 * printed would go into that file. Opened the wrong way round, printing fails as it should. */
static void keep_standard_files(void)
{
    int fd;

    for (fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) == -1 && errno == EBADF)
            (void)!open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
}

/* For commands whose product is what they print: a full disk behind standard output is an error.
 * The others' products are files. */
static int printed(int code)
{
    if (!fflush(stdout) && !ferror(stdout)) return code;
    fprintf(stderr, "lipopose: cannot write to standard output: %s\n", strerror(errno));
    return code ? code : 1;
}

int main(int argc, char **argv)
{
    struct stat s;
    size_t i;

    keep_standard_files();
    /* A closed pipe and a file size limit are write errors like any other. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    if (argc < 2) {
        usage(stderr);
        return 2;
    }
    if (!strcmp(argv[1], "--version")) {
        /* The second line's third word is the version, as workflow modules expect of cellpose. */
        printf("\nlipopose version: \t%s\n", lp_version());
        return printed(0);
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
        if (argc > 2 && argv[1][0] == 'h')
            for (i = 0; i < sizeof commands / sizeof *commands; i++)
                if (!strcmp(argv[2], commands[i].name))
                    return commands[i].run(2, (char *[]){argv[2], "--help", NULL});
        usage(stdout);
        return printed(0);
    }
    for (i = 0; i < sizeof commands / sizeof *commands; i++)
        if (!strcmp(argv[1], commands[i].name)) {
            int code = commands[i].run(argc - 1, argv + 1);

            return commands[i].run == lp_cmd_info || commands[i].run == lp_cmd_bench ? printed(code)
                                                                                     : code;
        }
    if (!strncmp(argv[1], "--", 2)) {
        for (i = 1; i < (size_t)argc; i++)
            if (!strcmp(argv[i], "--train")) return lp_cmd_train(argc, argv);
        return lp_cmd_cellpose(argc, argv);
    }
    if (!stat(argv[1], &s))
        fprintf(stderr, "lipopose: which command for %s? Try: lipopose segment %s\n", argv[1],
                argv[1]);
    else
        fprintf(stderr, "lipopose: unknown command %s: lipopose --help lists them\n", argv[1]);
    return 2;
}
