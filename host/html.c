#include "html.h"

void lp_html_text(FILE *f, const char *s)
{
    for (; *s; s++) switch (*s) {
        case '<':
            fputs("&lt;", f);
            break;
        case '>':
            fputs("&gt;", f);
            break;
        case '&':
            fputs("&amp;", f);
            break;
        case '"':
            fputs("&quot;", f);
            break;
        default:
            fputc((unsigned char)*s < 32 ? '?' : *s, f);
        }
}

void lp_html_json(FILE *f, const char *s)
{
    fputc('"', f);
    for (; s && *s; s++) {
        unsigned char c = (unsigned char)*s;

        if (c < 32 || c == 127 || c == '<' || c == '>' || c == '&')
            fprintf(f, "\\u%04x", c);
        else if (c == '"' || c == '\\')
            fprintf(f, "\\%c", c);
        else
            fputc(c, f);
    }
    fputc('"', f);
}

void lp_html_base64(FILE *f, const uint8_t *b, size_t n)
{
    static const char c[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char line[4096];
    size_t i, k = 0;

    for (i = 0; i < n; i += 3) {
        unsigned v =
            (unsigned)b[i] << 16 | (i + 1 < n ? b[i + 1] : 0u) << 8 | (i + 2 < n ? b[i + 2] : 0u);

        line[k++] = c[v >> 18];
        line[k++] = c[v >> 12 & 63];
        line[k++] = i + 1 < n ? c[v >> 6 & 63] : '=';
        line[k++] = i + 2 < n ? c[v & 63] : '=';
        if (k == sizeof line) {
            fwrite(line, 1, k, f);
            k = 0;
        }
    }
    fwrite(line, 1, k, f);
}
