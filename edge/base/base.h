/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every file of the house may lean on: the standard headers, the few macros that C lacks, and
 * the thread roles that the compiler checks.
 *
 * Roles (clang -Wthread-safety): a function marked ON_LOOP runs only on an event loop's own thread,
 * one marked ON_WORKER only on a thread that may block. libev's and pthread's entry points take
 * their role with role_loop() or role_worker(); from there the compiler follows the calls. A call
 * across roles does not compile under clang: mail is the only way over.
 *
 * This is the only file with conditional compilation.
 */
#pragma once

/* glibc's whole interface: accept4, pthread_setname_np and the like. */
#define _GNU_SOURCE 1

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __clang__
#define THREAD_ATTR(x) __attribute__((x))
#else
#define THREAD_ATTR(x)
#endif

#ifdef NDEBUG
#define DEBUG_BUILD 0
#else
#define DEBUG_BUILD 1
#endif

#define MUST_USE [[nodiscard]]
#define UNUSED [[maybe_unused]]
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define COLD __attribute__((cold, noinline))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define KIB ((uint64_t)1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

/* The role that a thread has while it runs a piece of code. Exists for the compiler alone. */
struct THREAD_ATTR(capability("role")) role {
	char unused;
};
extern struct role on_loop, on_worker;
#define ON_LOOP THREAD_ATTR(requires_capability(on_loop))
#define ON_WORKER THREAD_ATTR(requires_capability(on_worker))
static inline void role_loop(void) THREAD_ATTR(assert_capability(on_loop))
{
}
static inline void role_worker(void) THREAD_ATTR(assert_capability(on_worker))
{
}

/* A lock that the compiler knows of. A leaf unless its owner says otherwise. */
struct THREAD_ATTR(capability("mutex")) lock {
	pthread_mutex_t mutex;
};
static inline void lock_init(struct lock *l)
{
	pthread_mutex_init(&l->mutex, NULL);
}
static inline void lock_fini(struct lock *l)
{
	pthread_mutex_destroy(&l->mutex);
}
static inline void lock_take(struct lock *l) THREAD_ATTR(acquire_capability(*l))
    THREAD_ATTR(no_thread_safety_analysis)
{
	pthread_mutex_lock(&l->mutex);
}
static inline void lock_drop(struct lock *l) THREAD_ATTR(release_capability(*l))
    THREAD_ATTR(no_thread_safety_analysis)
{
	pthread_mutex_unlock(&l->mutex);
}

/*
 * Aborts when a thing that cannot be is. Before that prints what this thread was doing, as told to
 * must_context: a bug's report should name the request that found it.
 */
#define must(x) (likely(x) ? (void)0 : must_fail(#x, __FILE__, __LINE__))
_Noreturn void must_fail(const char *expr, const char *file, int line);

/* Tells must_fail what this thread is about. text: borrowed until the next call; NULL = nothing. */
void must_context(const char *step, const char *text, size_t len);

/* malloc that aborts: for start-up and for objects that a live server cannot do without. */
MUST_USE void *must_alloc(size_t bytes);

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}
static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}
static inline size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}
