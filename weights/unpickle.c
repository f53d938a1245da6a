/* The opcodes are those of Python's pickletools (protocols 2 to 5) that an OrderedDict of
 * tensors or a numpy dictionary needs. */
#include "unpickle.h"

#include <stdlib.h>
#include <string.h>

#include "pickle_node.h"

typedef struct {
    lp_pickle *pk;
    const unsigned char *start, *p, *end;
    lp_pk **stack, **memo;
    size_t n, cap;
    size_t memo_cap, memo_used;
    size_t marks[LP_PICKLE_MAX_MARKS];
    size_t n_marks;
    lp_pk *none, *yes, *no, *empty; /* shared, because they have no state */
} machine;

/* n bytes of the pickle, or NULL where it ends before them. */
static const unsigned char *take(machine *m, size_t n)
{
    const unsigned char *q = m->p;

    if (n > (size_t)(m->end - m->p)) {
        lp_pk_bad(m->pk, "the file ends within a pickle");
        return NULL;
    }
    m->p += n;
    return q;
}

static lp_status take_uint(machine *m, int bytes, uint64_t *v)
{
    const unsigned char *q = take(m, (size_t)bytes);
    int i;

    if (!q) return LP_EFORMAT;
    for (*v = 0, i = bytes; i-- > 0;) *v = *v << 8 | q[i];
    return LP_OK;
}

static lp_status push(machine *m, lp_pk *v)
{
    if (!v) return LP_ENOMEM;
    if (m->n == m->cap) {
        size_t cap = 2 * m->cap;
        lp_pk **s;

        if (cap > LP_PICKLE_MAX_STACK)
            return lp_pk_bad(m->pk, "more than %zu values on the stack", LP_PICKLE_MAX_STACK);
        if (!(s = realloc(m->stack, cap * sizeof *s)))
            return lp_fail_mem(m->pk->err, m->pk->where, (double)cap * sizeof *s);
        m->stack = s;
        m->cap = cap;
    }
    m->stack[m->n++] = v;
    return LP_OK;
}

/* Number of values above the newest mark. */
static size_t above(const machine *m)
{
    return m->n - (m->n_marks ? m->marks[m->n_marks - 1] : 0);
}

static lp_pk *pop(machine *m)
{
    if (!above(m)) {
        lp_pk_bad(m->pk, "stack underflow");
        return NULL;
    }
    return m->stack[--m->n];
}

/* Takes the values above the newest mark off the stack, and the mark. */
static lp_status pop_mark(machine *m, lp_pk ***v, size_t *n)
{
    if (!m->n_marks) return lp_pk_bad(m->pk, "no MARK on the stack");
    *n = above(m);
    m->n = m->marks[--m->n_marks];
    *v = m->stack + m->n;
    return LP_OK;
}

static lp_status push_tuple(machine *m, lp_pk **v, size_t n)
{
    lp_pk *t;

    if (!n) return push(m, m->empty);
    if (!(t = lp_pk_new(m->pk, LP_PK_TUPLE))) return LP_ENOMEM;
    if (!(t->u.seq.v = lp_pk_alloc(m->pk, n * sizeof *v))) return LP_ENOMEM;
    memcpy(t->u.seq.v, v, n * sizeof *v);
    t->u.seq.n = t->u.seq.cap = n;
    return push(m, t);
}

static lp_status push_text(machine *m, lp_pk_type type, int len_bytes)
{
    uint64_t n;
    lp_pk *v;
    const unsigned char *q;

    if (take_uint(m, len_bytes, &n)) return LP_EFORMAT;
    if (n > LP_PICKLE_MAX_BYTES) return lp_pk_bad(m->pk, "a string of %.0f bytes", (double)n);
    if (!(q = take(m, (size_t)n))) return LP_EFORMAT;
    if (!(v = lp_pk_new(m->pk, type))) return LP_ENOMEM;
    v->u.s.p = (const char *)q;
    v->u.s.n = (size_t)n;
    return push(m, v);
}

static lp_status push_int(machine *m, int64_t i)
{
    lp_pk *v = lp_pk_new(m->pk, LP_PK_INT);

    if (v) v->u.i = i;
    return push(m, v);
}

static lp_status push_long(machine *m, int len_bytes)
{
    uint64_t n, x = 0;
    const unsigned char *q;
    size_t i;
    lp_pk *v;

    if (take_uint(m, len_bytes, &n)) return LP_EFORMAT;
    if (n > 32) return lp_pk_bad(m->pk, "an integer of %.0f bytes", (double)n);
    if (!(q = take(m, (size_t)n))) return LP_EFORMAT;
    if (n <= 8) {
        if (n && q[n - 1] & 0x80) x = ~(uint64_t)0;
        for (i = (size_t)n; i-- > 0;) x = x << 8 | q[i];
        return push_int(m, (int64_t)x);
    }
    if (!(v = lp_pk_new(m->pk, LP_PK_BIGINT))) return LP_ENOMEM;
    v->u.s.p = (const char *)q;
    v->u.s.n = (size_t)n;
    return push(m, v);
}

static lp_status push_float(machine *m)
{
    const unsigned char *q = take(m, 8);
    uint64_t bits = 0;
    lp_pk *v;
    int i;

    if (!q) return LP_EFORMAT;
    for (i = 0; i < 8; i++) bits = bits << 8 | q[i]; /* big-endian, unlike all else */
    if ((v = lp_pk_new(m->pk, LP_PK_FLOAT))) memcpy(&v->u.f, &bits, 8);
    return push(m, v);
}

static lp_status push_global(machine *m, const char *module, size_t nm, const char *name, size_t nn)
{
    char full[LP_PICKLE_MAX_NAME + 2], shown[LP_PICKLE_MAX_NAME + 2];
    lp_pk *v;
    int g;

    if (nm > LP_PICKLE_MAX_NAME || nn > LP_PICKLE_MAX_NAME || nm + nn + 1 > LP_PICKLE_MAX_NAME)
        return lp_pk_bad(m->pk, "a global with a name of %zu bytes", nm + nn + 1);
    memcpy(full, module, nm);
    full[nm] = '.';
    memcpy(full + nm + 1, name, nn);
    full[nm + 1 + nn] = 0;
    g = memchr(full, 0, nm + 1 + nn) ? -1 : lp_pk_find_global(full);
    if (g < 0) {
        lp_pk_printable(shown, sizeof shown, full, nm + 1 + nn);
        return lp_fail(m->pk->err, LP_EFORMAT,
                       "%s: refuses to run %s: a model file may hold tensors only; save "
                       "net.state_dict() instead",
                       m->pk->where, shown);
    }
    if ((v = lp_pk_new(m->pk, LP_PK_GLOBAL))) v->u.global = g;
    return push(m, v);
}

/* GLOBAL and INST carry two text lines: module, name. */
static lp_status op_global_lines(machine *m)
{
    const unsigned char *a = m->p, *b, *c;
    size_t left = (size_t)(m->end - m->p), most = LP_PICKLE_MAX_NAME + 1;

    b = memchr(a, '\n', left < most ? left : most);
    if (!b) return lp_pk_bad(m->pk, "a global without a name");
    left = (size_t)(m->end - (b + 1));
    c = memchr(b + 1, '\n', left < most ? left : most);
    if (!c) return lp_pk_bad(m->pk, "a global without a name");
    m->p = c + 1;
    return push_global(m, (const char *)a, (size_t)(b - a), (const char *)b + 1,
                       (size_t)(c - b - 1));
}

static lp_status op_stack_global(machine *m)
{
    lp_pk *name = pop(m), *module = name ? pop(m) : NULL;

    if (!module) return LP_EFORMAT;
    if (name->type != LP_PK_STR || module->type != LP_PK_STR)
        return lp_pk_bad(m->pk, "a global whose name is no string");
    return push_global(m, module->u.s.p, module->u.s.n, name->u.s.p, name->u.s.n);
}

static lp_status memo_put(machine *m, uint64_t i)
{
    if (!above(m)) return lp_pk_bad(m->pk, "stack underflow");
    if (i >= LP_PICKLE_MAX_MEMO)
        return lp_pk_bad(m->pk, "memo index %.0f (at most %zu)", (double)i, LP_PICKLE_MAX_MEMO);
    if (i >= m->memo_cap) {
        size_t cap = m->memo_cap ? m->memo_cap : 256;
        lp_pk **s;

        while (cap <= i) cap *= 2;
        if (!(s = realloc(m->memo, cap * sizeof *s)))
            return lp_fail_mem(m->pk->err, m->pk->where, (double)cap * sizeof *s);
        memset(s + m->memo_cap, 0, (cap - m->memo_cap) * sizeof *s);
        m->memo = s;
        m->memo_cap = cap;
    }
    if (!m->memo[i]) m->memo_used++;
    m->memo[i] = m->stack[m->n - 1];
    return LP_OK;
}

static lp_status memo_get(machine *m, uint64_t i)
{
    if (i >= m->memo_cap || !m->memo[i])
        return lp_pk_bad(m->pk, "nothing in the memo at %.0f", (double)i);
    return push(m, m->memo[i]);
}

/* Adds n values (for a DICT key, value, ...) to the container below them. */
static lp_status add_items(machine *m, lp_pk_type type, lp_pk **v, size_t n)
{
    lp_pk *box;
    lp_status st = LP_OK;
    size_t i;

    if (!above(m)) return lp_pk_bad(m->pk, "stack underflow");
    box = m->stack[m->n - 1];
    if (box->type != type)
        return lp_pk_bad(m->pk, "items added to a %s", lp_pk_type_name(box->type));
    if (type == LP_PK_DICT && n % 2) return lp_pk_bad(m->pk, "a key without a value");
    for (i = 0; i < n && !st; i++) st = lp_pk_push(m->pk, box, v[i]);
    return st;
}

static lp_status op_reduce(machine *m)
{
    lp_pk *args = pop(m), *fn = args ? pop(m) : NULL, *v;
    lp_status st;

    if (!fn) return LP_EFORMAT;
    st = lp_pk_reduce(m->pk, fn, args, &v);
    return st ? st : push(m, v);
}

static lp_status op_persid(machine *m)
{
    lp_pk *id = pop(m), *v;
    lp_status st;

    if (!id) return LP_EFORMAT;
    st = lp_pk_persid(m->pk, id, &v);
    return st ? st : push(m, v);
}

static lp_status op_tuple_n(machine *m, size_t n)
{
    if (above(m) < n) return lp_pk_bad(m->pk, "stack underflow");
    m->n -= n;
    return push_tuple(m, m->stack + m->n, n);
}

static lp_status op_unknown(machine *m, int op)
{
    return lp_pk_bad(m->pk, "opcode 0x%02x, which no file of tensors needs", op);
}

/* Runs one opcode other than STOP. */
static lp_status step(machine *m, int op)
{
    lp_pk **v = NULL, *x;
    size_t n = 0;
    uint64_t u = 0;
    lp_status st;

    switch (op) {
    case 0x80: /* PROTO */
        if ((st = take_uint(m, 1, &u))) return st;
        return u <= 5 ? LP_OK : lp_pk_bad(m->pk, "pickle protocol %d", (int)u);
    case 0x95: /* FRAME: a length that only matters to who reads from a stream */
        return take(m, 8) ? LP_OK : LP_EFORMAT;
    case 'N':
        return push(m, m->none);
    case 0x88:
        return push(m, m->yes);
    case 0x89:
        return push(m, m->no);
    case 'J':
        return (st = take_uint(m, 4, &u)) ? st : push_int(m, (int32_t)(uint32_t)u);
    case 'K':
        return (st = take_uint(m, 1, &u)) ? st : push_int(m, (int64_t)u);
    case 'M':
        return (st = take_uint(m, 2, &u)) ? st : push_int(m, (int64_t)u);
    case 0x8a:
        return push_long(m, 1);
    case 0x8b:
        return push_long(m, 4);
    case 'G':
        return push_float(m);
    case 'U':
        return push_text(m, LP_PK_STR, 1); /* SHORT_BINSTRING, Python 2 */
    case 'T':
        return push_text(m, LP_PK_STR, 4);
    case 0x8c:
        return push_text(m, LP_PK_STR, 1);
    case 'X':
        return push_text(m, LP_PK_STR, 4);
    case 0x8d:
        return push_text(m, LP_PK_STR, 8);
    case 'C':
        return push_text(m, LP_PK_BYTES, 1);
    case 'B':
        return push_text(m, LP_PK_BYTES, 4);
    case 0x8e:
        return push_text(m, LP_PK_BYTES, 8);
    case ')':
        return push(m, m->empty);
    case ']':
        return push(m, lp_pk_new(m->pk, LP_PK_LIST));
    case '}':
        return push(m, lp_pk_new(m->pk, LP_PK_DICT));
    case '(':
        if (m->n_marks == LP_PICKLE_MAX_MARKS)
            return lp_pk_bad(m->pk, "nested deeper than %d", LP_PICKLE_MAX_MARKS);
        m->marks[m->n_marks++] = m->n;
        return LP_OK;
    case 't':
        return (st = pop_mark(m, &v, &n)) ? st : push_tuple(m, v, n);
    case 0x85:
        return op_tuple_n(m, 1);
    case 0x86:
        return op_tuple_n(m, 2);
    case 0x87:
        return op_tuple_n(m, 3);
    case 'a':
        if (!(x = pop(m))) return LP_EFORMAT;
        return add_items(m, LP_PK_LIST, &x, 1);
    case 'e':
        return (st = pop_mark(m, &v, &n)) ? st : add_items(m, LP_PK_LIST, v, n);
    case 's':
        if (above(m) < 2) return lp_pk_bad(m->pk, "stack underflow");
        m->n -= 2;
        return add_items(m, LP_PK_DICT, m->stack + m->n, 2);
    case 'u':
        return (st = pop_mark(m, &v, &n)) ? st : add_items(m, LP_PK_DICT, v, n);
    case 'q':
        return (st = take_uint(m, 1, &u)) ? st : memo_put(m, u);
    case 'r':
        return (st = take_uint(m, 4, &u)) ? st : memo_put(m, u);
    case 0x94:
        return memo_put(m, m->memo_used);
    case 'h':
        return (st = take_uint(m, 1, &u)) ? st : memo_get(m, u);
    case 'j':
        return (st = take_uint(m, 4, &u)) ? st : memo_get(m, u);
    case 'c':
        return op_global_lines(m);
    case 'i': /* INST would call it: only the refusal by name is wanted */
        return (st = op_global_lines(m)) ? st : op_unknown(m, op);
    case 0x93:
        return op_stack_global(m);
    case 'R':
        return op_reduce(m);
    case 'Q':
        return op_persid(m);
    case 'b':
        if (!(x = pop(m))) return LP_EFORMAT;
        if (!above(m)) return lp_pk_bad(m->pk, "stack underflow");
        return lp_pk_build(m->pk, m->stack[m->n - 1], x);
    default:
        return op_unknown(m, op);
    }
}

lp_status lp_unpickle(const void *buf, size_t len, const char *where, size_t *used, lp_pickle **out,
                      lp_err *err)
{
    machine *m = calloc(1, sizeof *m);
    lp_pickle *pk = calloc(1, sizeof *pk);
    lp_status st = LP_OK;
    int op;

    if (m) m->stack = malloc((m->cap = 256) * sizeof *m->stack);
    if (!m || !pk || !m->stack) {
        st = lp_fail_mem(err, where, (double)sizeof *m);
        goto done;
    }
    pk->where = where;
    pk->err = err;
    m->pk = pk;
    m->start = m->p = buf;
    m->end = m->p + (len < LP_PICKLE_MAX_BYTES ? len : LP_PICKLE_MAX_BYTES);
    m->none = lp_pk_new(pk, LP_PK_NONE);
    m->yes = lp_pk_new(pk, LP_PK_BOOL);
    m->no = lp_pk_new(pk, LP_PK_BOOL);
    m->empty = lp_pk_new(pk, LP_PK_TUPLE);
    if (!m->none || !m->yes || !m->no || !m->empty) {
        st = LP_ENOMEM;
        goto done;
    }
    m->yes->u.i = 1;
    for (;;) {
        pk->at = (size_t)(m->p - m->start);
        if (m->p == m->end) {
            st = lp_pk_bad(pk, len > LP_PICKLE_MAX_BYTES ? "a pickle of more than 8 MiB"
                                                         : "the file ends within a pickle");
            goto done;
        }
        if ((op = *m->p++) == '.') break;
        if ((st = step(m, op))) goto done;
    }
    if (m->n_marks || m->n != 1) {
        st = lp_pk_bad(pk, "%zu values at the end of a pickle", m->n);
        goto done;
    }
    pk->root = m->stack[0];
    pk->err = NULL;
    pk->where = NULL; /* both belong to the caller */
    if (used) *used = (size_t)(m->p - m->start);
    *out = pk;
    pk = NULL;
done:
    if (m) {
        free(m->stack);
        free(m->memo);
        free(m);
    }
    lp_pickle_free(&pk);
    return st;
}
