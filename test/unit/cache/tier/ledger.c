/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/ledger.c"

#include <signal.h>
#include <sys/wait.h>

#include "test/unit/cache/tier/stores.h"

static void test_holds(void)
{
	const uint64_t e2 = ledger_epoch_start(0, 2), e4 = ledger_epoch_start(0, 4),
		       e5 = ledger_epoch_start(0, 5);
	uint64_t past[] = { e2 + 10, e4 + 20 };
	/* The same epochs of another log, of which more was evicted and more had reached the
	 * disk. */
	const uint64_t o2 = ledger_epoch_start(1, 2);
	uint64_t others[] = { o2 + 30 };
	struct ledger l = { .epoch = 5, .log_count = 2 };
	l.logs[1] = (struct log){ .past = others, .past_count = 1, .low = o2 + 8 };
	l.logs[0] = (struct log){ .past = past, .past_count = 2, .low = e2 + 3 };
	const struct {
		struct span span;
		bool holds;
	} rows[] = {
		{ { e2 + 2, e2 + 2 }, false }, /* below low */
		{ { e2 + 2, e2 + 6 }, false }, /* in part */
		{ { e2 + 2, 0 }, false }, { { e2 + 3, e2 + 3 }, true }, { { e2 + 3, 0 }, true },
		{ { e2 + 10, e2 + 10 }, true },
		{ { e2 + 10, e2 + 11 }, false }, /* its end was lost */
		{ { e2 + 11, e2 + 11 }, false },
		{ { e2 + 11, 0 }, true }, /* has nothing that could be lost */
		{ { ledger_epoch_start(0, 3) + 1, ledger_epoch_start(0, 3) + 1 },
		    false }, /* all of it lost */
		{ { e4 + 1, e4 + 20 }, true }, { { e4 + 1, e4 + 21 }, false },
		{ { e5 + 1000, e5 + 1006 }, true },
		{ { e5 - 1, e5 }, false }, /* over the end of an epoch */
		{ { ledger_epoch_start(0, 6) + 1, ledger_epoch_start(0, 6) + 1 }, false },
		{ { UINT64_MAX, UINT64_MAX }, false }, { { o2 + 7, o2 + 7 }, false },
		{ { o2 + 8, o2 + 30 }, true }, { { o2 + 8, o2 + 31 }, false },
		{ { e2 + 3, o2 + 8 }, false }, /* from one into the other */
		{ { ledger_epoch_start(2, 2), ledger_epoch_start(2, 2) }, false }, /* no such log */
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		CU_ASSERT_EQUAL(ledger_holds(&l, rows[i].span), rows[i].holds);
}

enum { KILL_OBJECTS = 100000, KILL_STORE_MIB = 256 };

static uint64_t kill_bytes(uint64_t n)
{
	return sample_hash(n).lo % (2 * CHUNK_BYTES);
}

/* Runs in a process of its own until it is killed: stores without end, from `n` on. */
static int child(const char *path, uint64_t n)
{
	snprintf(dir, sizeof(dir), "%s", path);
	struct cold *c = open_store(KILL_STORE_MIB * MIB, ADMIT_ALWAYS);
	for (;; n++) {
		store_patiently(c, n % KILL_OBJECTS, kill_bytes(n % KILL_OBJECTS));
		/* Some of what was told is still in the queue when the end comes. */
		if (n % 8 == 0)
			settle(c);
		if (write(STDOUT_FILENO, &n, sizeof(n)) < 0)
			return EXIT_FAILURE;
	}
}

/* RocksDB's threads do not survive a fork, so the child is a new program. */
static uint64_t run_and_kill(unsigned cycle, uint64_t from)
{
	int ends[2];
	must(pipe(ends) == 0);
	char number[32];
	snprintf(number, sizeof(number), "%" PRIu64, from);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		execl("/proc/self/exe", "ledger", "child", dir, number, NULL);
		_exit(127);
	}
	close(ends[1]);
	uint64_t last = from, seen;
	unsigned goal = 80 + cycle * 17;
	for (unsigned i = 0; i < goal && read(ends[0], &seen, sizeof(seen)) == sizeof(seen); i++)
		last = seen;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(ends[0]);
	return last + 1;
}

static void test_kill(void)
{
	fresh_dir();
	uint64_t next = 0;
	unsigned whole = 0, wrong = 0, lost = 0;
	unsigned kills = is_slow() ? 4 : 20;
	for (unsigned cycle = 0; cycle < kills; cycle++) {
		uint64_t from = next;
		next = run_and_kill(cycle, from);
		struct cold *c = open_store(KILL_STORE_MIB * MIB, ADMIT_ALWAYS);
		for (uint64_t n = from > 300 ? from - 300 : 0; n < next + 50; n++) {
			enum found found = check_stored(c, n, kill_bytes(n));
			whole += found == WHOLE;
			wrong += found == WRONG;
			lost += found == NOTHING;
		}
		cold_close(&c);
	}
	printf("(%u kills: %u whole, %u lost, %u torn) ", kills, whole, lost, wrong);
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT(whole > kills * 20);
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "child") == 0)
		return child(argv[2], strtoull(argv[3], NULL, 10));
	CU_TestInfo tests[] = {
		{ "what counts", test_holds },
		{ "kill -9", test_kill },
		CU_TEST_INFO_NULL,
	};
	return run_store_tests("tier/ledger", tests);
}
