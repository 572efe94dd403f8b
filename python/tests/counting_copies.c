/* memcpy and memmove that count the bytes of long copies, for test_copies.py to preload. */
#include <stddef.h>

enum { LONG = 4096 };
static unsigned long long copied;

unsigned long long bytes_copied(void) { return __atomic_load_n(&copied, __ATOMIC_RELAXED); }

static void count(size_t n) {
    if (n >= LONG) {
        __atomic_fetch_add(&copied, n, __ATOMIC_RELAXED);
    }
}

/* In assembly, for a compiler makes a loop into a call of what is defined here. */
static void *forwards(void *to, const void *from, size_t n) {
    void *start = to;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
    return start;
}

static void *backwards(void *start, const void *from, size_t n) {
    void *to = (char *)start + n - 1;
    from = (const char *)from + n - 1;
    __asm__ volatile("std; rep movsb; cld" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
    return start;
}

void *memcpy(void *to, const void *from, size_t n) {
    count(n);
    return forwards(to, from, n);
}

void *memmove(void *to, const void *from, size_t n) {
    count(n);
    return (size_t)to - (size_t)from >= n ? forwards(to, from, n) : backwards(to, from, n);
}
