/* simt_switch - from one fibre to another, without a system call where that is possible.
 *
 * Built with LP_SIMT_ASAN, AddressSanitizer is told which stack is in use. */
#ifndef SIMT_SWITCH_H
#define SIMT_SWITCH_H

#include <stddef.h>
#include <stdint.h>

#ifdef LP_SIMT_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

struct simt_context {
#if defined(__x86_64__)
    void *sp;
#else
    ucontext_t u;
#endif
    void *fake;         /* AddressSanitizer's */
    const void *bottom; /* of its stack */
    size_t size;
};

#if defined(__x86_64__)
/* Saves what a called function must keep, and takes it from the other stack. */
extern "C" void simt_swap(void **save, void *to);
__asm__(".text\n"
        ".globl simt_swap\n"
        ".type simt_swap, @function\n"
        "simt_swap:\n"
        "  pushq %rbp\n  pushq %rbx\n  pushq %r12\n  pushq %r13\n  pushq %r14\n  pushq %r15\n"
        "  movq %rsp, (%rdi)\n"
        "  movq %rsi, %rsp\n"
        "  popq %r15\n  popq %r14\n  popq %r13\n  popq %r12\n  popq %rbx\n  popq %rbp\n"
        "  ret\n"
        ".size simt_swap, .-simt_swap\n");

static inline void simt_context_start(simt_context *c, void *stack, size_t size, void (*entry)())
{
    /* entry finds rsp as after a call: 8 above a multiple of 16, and no return address. */
    void **top = (void **)((uintptr_t)stack + size) - 1;

    top[0] = 0;
    *--top = (void *)entry;
    for (int i = 0; i < 6; i++) *--top = 0;
    c->sp = top;
    c->fake = 0;
    c->bottom = stack;
    c->size = size;
}
#else
static inline void simt_context_start(simt_context *c, void *stack, size_t size, void (*entry)())
{
    getcontext(&c->u);
    c->u.uc_stack.ss_sp = stack;
    c->u.uc_stack.ss_size = size;
    c->u.uc_link = 0;
    makecontext(&c->u, entry, 0);
    c->fake = 0;
    c->bottom = stack;
    c->size = size;
}
#endif

/* To be called first on a new stack, and after each switch back; from: whose stack it was. */
static inline void simt_context_arrive(simt_context *c, simt_context *from)
{
#ifdef LP_SIMT_ASAN
    const void *bottom;
    size_t size;

    __sanitizer_finish_switch_fiber(c->fake, &bottom, &size);
    if (from && !from->bottom) from->bottom = bottom, from->size = size;
#else
    (void)c, (void)from;
#endif
}

/* last: from's stack is not needed again. */
static inline void simt_context_switch(simt_context *from, simt_context *to, bool last)
{
#ifdef LP_SIMT_ASAN
    __sanitizer_start_switch_fiber(last ? 0 : &from->fake, to->bottom, to->size);
#else
    (void)last;
#endif
#if defined(__x86_64__)
    simt_swap(&from->sp, to->sp);
#else
    swapcontext(&from->u, &to->u);
#endif
    simt_context_arrive(from, 0);
}

#endif
