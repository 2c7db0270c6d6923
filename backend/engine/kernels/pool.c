// The pool of threads: torch's own.

#include "common.h"

void (*moyun_parallel)(void (*)(void *), void *, unsigned, unsigned);
int (*moyun_thread_number)(void);
int (*moyun_thread_count)(void);
unsigned moyun_threads = 1;

void moyun_init(void *parallel, void *number, void *count, unsigned threads) {
    moyun_parallel = (void (*)(void (*)(void *), void *, unsigned, unsigned))parallel;
    moyun_thread_number = (int (*)(void))number;
    moyun_thread_count = (int (*)(void))count;
    moyun_threads = threads;
}
