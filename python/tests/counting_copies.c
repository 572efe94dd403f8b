/* memcpy and memmove that count the bytes of tensors among what they move, for
   test_copies.py to preload: runs of a byte that its tensors are made of. */
#include <stddef.h>
#include <stdint.h>

enum { MARK = 0xA7, WINDOW = 16 };
static unsigned long long copied;

unsigned long long bytes_copied(void) { return __atomic_load_n(&copied, __ATOMIC_RELAXED); }

static int is_marked(const unsigned char *at) {
    uint64_t first, second;
    __builtin_memcpy(&first, at, 8);
    __builtin_memcpy(&second, at + 8, 8);
    return first == 0xA7A7A7A7A7A7A7A7u && second == first;
}

static size_t run(const unsigned char *at, const unsigned char *end) {
    size_t len = 0;
    while (at + len < end && at[len] == MARK) {
        len++;
    }
    return len;
}

/* Windows that are all mark, and what is left and right of such. */
static void count(const unsigned char *from, size_t n) {
    const unsigned char *end = from + n;
    size_t found = 0;
    int within = 0;
    for (; end - from >= WINDOW; from += WINDOW) {
        if (is_marked(from)) {
            for (size_t before = 1; !within && before < WINDOW && from - before >= end - n; before++) {
                if (from[-(ptrdiff_t)before] != MARK) {
                    break;
                }
                found++;
            }
            found += WINDOW;
            within = 1;
        } else {
            found += within ? run(from, end) : 0;
            within = 0;
        }
    }
    found += within ? run(from, end) : 0;
    if (found > 0) {
        __atomic_fetch_add(&copied, found, __ATOMIC_RELAXED);
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
    count(from, n);
    return forwards(to, from, n);
}

void *memmove(void *to, const void *from, size_t n) {
    count(from, n);
    return (size_t)to - (size_t)from >= n ? forwards(to, from, n) : backwards(to, from, n);
}
