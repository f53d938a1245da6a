/* main - picks the command. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "lipopose.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"segment", lp_cmd_segment, "find and outline particles in images or folders"},
    {"convert", lp_cmd_convert, "convert models: Cellpose .pth <-> .h5"},
    {"info", lp_cmd_info, "show a model, an image or this machine"},
    {"synth", lp_cmd_synth, "make synthetic cryoEM micrographs of lipid nanoparticles"},
};

static void usage(FILE *to)
{
    size_t i;

    fprintf(to, "usage: lipopose COMMAND [options] ...\n\n");
    for (i = 0; i < sizeof commands / sizeof *commands; i++)
        fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].help);
    fprintf(to, "\nlipopose COMMAND --help lists a command's options; lipopose --version the version."
                "\nCommand lines written for `cellpose` (--dir X --savedir Y ...) run as `segment`.\n");
}

int main(int argc, char **argv)
{
    size_t i;

    signal(SIGPIPE, SIG_IGN); /* a closed pipe is a write error like any other */
    if (argc < 2) {
        usage(stderr);
        return 2;
    }
    if (!strcmp(argv[1], "--version")) {
        /* The second line's third word is the version, as workflow modules expect of cellpose. */
        printf("\nlipopose version: \t%s\n", lp_version());
        return 0;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
        usage(stdout);
        return 0;
    }
    for (i = 0; i < sizeof commands / sizeof *commands; i++)
        if (!strcmp(argv[1], commands[i].name)) return commands[i].run(argc - 1, argv + 1);
    if (!strncmp(argv[1], "--", 2)) return lp_cmd_segment(argc, argv);
    fprintf(stderr, "lipopose: unknown command %s: lipopose --help lists them\n", argv[1]);
    return 2;
}
