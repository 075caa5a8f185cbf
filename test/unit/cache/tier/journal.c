/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/journal.c"

#include <sys/wait.h>

#include "test/unit/cache/tier/stores.h"

/* ---- entries ---- */

/* Who waits for entries: the last that was told, and how many were. */
struct teller {
	_Atomic unsigned count, failed;
	_Atomic uint64_t seq, number;
};

static void on_told(void *arg, enum err err, uint64_t number, uint64_t seq)
{
	struct teller *t = arg;
	t->seq = seq;
	t->number = number;
	t->failed += err != ERR_NONE;
	t->count++;
}

static void wait_told(struct teller *t, unsigned count)
{
	for (int ms = 0; ms < 10000 && t->count < count; ms++)
		usleep(1000);
	CU_ASSERT_EQUAL(t->count, count);
}

static struct journal_entry *new_entry(size_t scopes, struct slice text, uint64_t number)
{
	struct journal_entry *e = journal_entry_new(scopes, text);
	must(e);
	e->number = number;
	return e;
}

static struct journal_entry *entry_of(struct scope scope, enum purge_mode mode, uint64_t number)
{
	struct journal_entry *e = new_entry(1, SLICE_NONE, number);
	e->scopes[0] = scope;
	e->act = (struct purge_act){ mode, { (int64_t)number * 10 } };
	return e;
}

static struct scope tag(uint64_t n)
{
	return scope_tag(sample_hash(n).lo);
}

/* Purges a tag, with an entry of the log that tells the number. */
static void log_one(struct cold *c, uint64_t n, uint64_t number, struct teller *teller)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "{\"tag\":%" PRIu64 "}", n);
	struct journal_entry *e = new_entry(1, slice_of(text, (size_t)len), number);
	e->scopes[0] = tag(n);
	e->act.mode = PURGE_HARD;
	e->is_logged = true;
	e->told = teller ? on_told : NULL;
	e->arg = teller;
	cold_note(c, e);
}

static void wait_noted(struct cold *c, uint64_t number)
{
	for (int ms = 0; ms < 10000 && cold_noted(c) < number; ms++)
		usleep(1000);
	CU_ASSERT(cold_noted(c) >= number);
}

/* ---- what is on disk ---- */

static uint64_t number_on_disk(struct cold *c, struct scope scope, enum purge_mode mode)
{
	struct purge_mark mark = { 0 };
	role_worker();
	CU_ASSERT(cold_recall(c, scope, &mark));
	return mark.numbers[mode];
}

struct shown {
	uint64_t count, first, last, number;
	bool is_ordered, has_texts;
};

static bool show(void *arg, uint64_t seq, uint64_t number, struct slice text)
{
	struct shown *s = arg;
	s->first = s->count == 0 ? seq : s->first;
	s->is_ordered &= s->count == 0 || (seq == s->last + 1 && number > s->number);
	s->has_texts &= slice_starts(text, SL("{\"tag\":")) && slice_ends(text, SL("}"));
	s->last = seq;
	s->number = number;
	s->count++;
	return true;
}

static struct shown read_log(struct cold *c, uint64_t from)
{
	struct shown s = { .is_ordered = true, .has_texts = true };
	role_worker();
	CU_ASSERT_EQUAL(cold_read_log(c, from, show, &s), ERR_NONE);
	CU_ASSERT(s.is_ordered && s.has_texts);
	return s;
}

static void reopen(struct cold **c)
{
	cold_close(c);
	*c = open_store(GIB, ADMIT_ALWAYS);
}

/* ---- tests ---- */

static void test_log(void)
{
	fresh_dir();
	struct cold *c = open_store(GIB, ADMIT_ALWAYS);
	struct teller teller = { 0 };
	CU_ASSERT_EQUAL(read_log(c, 1).count, 0);
	for (unsigned n = 1; n <= 3; n++) {
		log_one(c, n, 100 + n, &teller);
		wait_told(&teller, n);
		CU_ASSERT(teller.seq == n && teller.number == 100 + n && teller.failed == 0);
		/* It was on disk by then. */
		CU_ASSERT_EQUAL(number_on_disk(c, tag(n), PURGE_HARD), 100 + n);
	}
	/* One that is in no log has no sequence number. */
	struct journal_entry *e = entry_of(tag(1), PURGE_SOFT, 104);
	e->told = on_told;
	e->arg = &teller;
	cold_note(c, e);
	wait_told(&teller, 4);
	CU_ASSERT_EQUAL(teller.seq, 0);
	for (int life = 0; life < 2; life++) {
		struct purge_mark mark;
		role_worker();
		CU_ASSERT(cold_recall(c, tag(1), &mark));
		CU_ASSERT(mark.numbers[PURGE_HARD] == 101 && mark.numbers[PURGE_SOFT] == 104);
		CU_ASSERT(mark.numbers[PURGE_INVALID] == 0 && mark.soft_at.ms == 1040);
		CU_ASSERT_EQUAL(number_on_disk(c, tag(3), PURGE_HARD), 103);
		CU_ASSERT_EQUAL(number_on_disk(c, tag(4), PURGE_HARD), 0);
		struct shown all = read_log(c, 1), some = read_log(c, 2);
		CU_ASSERT(all.count == 3 && all.first == 1 && all.number == 103);
		CU_ASSERT(some.count == 2 && some.first == 2);
		CU_ASSERT_EQUAL(cold_last_seq(c), 3);
		reopen(&c);
	}
	/* It goes on where it was. */
	log_one(c, 9, 200, &teller);
	wait_told(&teller, 5);
	CU_ASSERT_EQUAL(teller.seq, 4);
	cold_close(&c);
}

/* What is closed writes first what waits. */
static void test_close(void)
{
	fresh_dir();
	struct cold *c = open_store(GIB, ADMIT_ALWAYS);
	enum { MANY = 20000 };
	for (uint64_t n = 0; n < MANY; n++)
		cold_note(c, entry_of(tag(n), PURGE_INVALID, 10 + n));
	reopen(&c);
	unsigned missing = 0;
	for (uint64_t n = 0; n < MANY; n++)
		missing += number_on_disk(c, tag(n), PURGE_INVALID) != 10 + n;
	CU_ASSERT_EQUAL(missing, 0);
	cold_close(&c);
}

/* A number never takes the place of a newer one. */
static void test_of_before(void)
{
	fresh_dir();
	struct cold *c = open_store(GIB, ADMIT_ALWAYS);
	static const uint64_t before[] = { 50, 60, 55, 300, 40 };
	struct journal_entry *e;
	for (int together = 0; together < 2; together++) {
		struct scope scope = tag((uint64_t)together);
		uint64_t number = 200 + (uint64_t)together;
		cold_note(c, entry_of(scope, PURGE_HARD, number));
		if (!together)
			wait_noted(c, number);
		for (size_t i = 0; i < COUNT_OF(before); i++) {
			if (before[i] == 300)
				cold_note(c, entry_of(tag(99), PURGE_HARD, 300 + number));
			e = entry_of(scope, PURGE_HARD, before[i] % 300);
			e->is_of_before = true;
			cold_note(c, e);
			e = entry_of(tag(50), PURGE_HARD, before[i] % 300);
			e->is_of_before = true;
			cold_note(c, e);
		}
		cold_note(c, entry_of(tag(98), PURGE_HARD, 301 + number));
		wait_noted(c, 301 + number);
		CU_ASSERT_EQUAL(number_on_disk(c, scope, PURGE_HARD), number);
		CU_ASSERT_EQUAL(number_on_disk(c, tag(50), PURGE_HARD), 60);
	}
	cold_close(&c);
}

/* As with everything, whatever mode. */
static void test_all(void)
{
	fresh_dir();
	struct cold *c = open_store(GIB, ADMIT_ALWAYS);
	cold_note(c, entry_of(scope_all(), PURGE_HARD, 100));
	cold_note(c, entry_of(scope_all(), PURGE_SOFT, 110));
	struct journal_entry *e = entry_of(scope_all(), PURGE_HARD, 90);
	e->is_of_before = true;
	cold_note(c, e);
	e = entry_of(scope_all(), PURGE_SOFT, 95);
	e->is_of_before = true;
	cold_note(c, e);
	for (int life = 0; life < 2; life++) {
		reopen(&c);
		struct purge_mark mark;
		role_worker();
		CU_ASSERT(cold_recall(c, scope_all(), &mark));
		CU_ASSERT(mark.numbers[PURGE_HARD] == 100 && mark.numbers[PURGE_SOFT] == 110);
		CU_ASSERT(mark.numbers[PURGE_INVALID] == 0 && mark.soft_at.ms == 1100);
	}
	cold_close(&c);
}

/* ---- patterns ---- */

static uint64_t patterns[4];
static unsigned pattern_count;

static void show_pattern(UNUSED void *arg, uint64_t number, struct slice text)
{
	CU_ASSERT(slice_eq(text, SL("red")));
	patterns[pattern_count++ % COUNT_OF(patterns)] = number;
}

static void read_patterns(struct cold *c)
{
	pattern_count = 0;
	role_worker();
	CU_ASSERT_EQUAL(cold_patterns(c, show_pattern, NULL), ERR_NONE);
}

static void test_patterns(void)
{
	fresh_dir();
	struct cold *c = open_store(GIB, ADMIT_ALWAYS);
	read_patterns(c);
	CU_ASSERT_EQUAL(pattern_count, 0);
	for (uint64_t n = 0; n < 2; n++) {
		struct journal_entry *e = new_entry(0, SL("red"), 0x123456789abc + n);
		e->is_pattern = true;
		cold_note(c, e);
	}
	reopen(&c);
	read_patterns(c);
	CU_ASSERT(
	    pattern_count == 2 && patterns[0] == 0x123456789abc && patterns[1] == 0x123456789abd);
	CU_ASSERT_EQUAL(read_log(c, 1).count, 0);
	struct journal_entry *e = new_entry(0, SLICE_NONE, 0x200000000000);
	e->retires = 0x123456789abc;
	cold_note(c, e);
	reopen(&c);
	read_patterns(c);
	CU_ASSERT(pattern_count == 1 && patterns[0] == 0x123456789abd);
	cold_close(&c);
}

/* ---- a disk that is not there ---- */

static void wait_for_state(struct cold *c, enum cold_state state)
{
	for (int i = 0; i < 1000 && cold_state(c) != state; i++)
		usleep(10000);
	CU_ASSERT_EQUAL(cold_state(c), state);
}

/* Opens a store that is in use. */
static struct cold *open_waiting(void)
{
	struct cold *c = NULL;
	struct cold_options o = { .path = dir, .size_bytes = GIB, .admission = ADMIT_ALWAYS };
	must(cold_open(&o, NULL, &c) == ERR_NONE);
	CU_ASSERT_EQUAL(cold_state(c), COLD_OFF);
	return c;
}

static void test_off(void)
{
	fresh_dir();
	struct cold *first = open_store(GIB, ADMIT_ALWAYS), *c = open_waiting();
	struct teller teller = { 0 };
	log_one(first, 7, 40, &teller);
	wait_told(&teller, 1);
	for (unsigned n = 0; n < 3; n++) {
		log_one(c, n, 50 + n, &teller);
		wait_told(&teller, 2 + n);
		CU_ASSERT(teller.failed == 1 + n && teller.seq == 0);
	}
	/* A number that the disk has a newer one of. */
	cold_note(c, entry_of(tag(7), PURGE_HARD, 53));
	log_one(first, 7, 1000, NULL);
	CU_ASSERT(cold_noted(c) == 0 && cold_note_depth(c) >= 3);
	cold_close(&first);
	wait_for_state(c, COLD_OK);
	wait_noted(c, 53);
	CU_ASSERT_EQUAL(teller.count, 4); /* once each */
	for (unsigned n = 0; n < 3; n++)
		CU_ASSERT_EQUAL(number_on_disk(c, tag(n), PURGE_HARD), 50 + n);
	CU_ASSERT_EQUAL(number_on_disk(c, tag(7), PURGE_HARD), 1000);
	CU_ASSERT_EQUAL(cold_last_seq(c), 5);
	log_one(c, 8, 1001, &teller);
	wait_told(&teller, 5);
	CU_ASSERT(teller.failed == 3 && teller.seq == 6);
	cold_close(&c);
}

/* More than may wait: of what was dropped, and of nothing else, all is overtaken. */
static void test_overflow(void)
{
	enum { MANY = 3 * WAITING_MAX + 1000 };
	fresh_dir();
	struct cold *first = open_store(GIB, ADMIT_ALWAYS), *c = open_waiting();
	for (uint64_t n = 0; n < MANY; n++)
		cold_note(c, entry_of(tag(n), n % 1000 ? PURGE_SOFT : PURGE_INVALID, 10 + n));
	/* Those that wait, and twice as many in hands, before the oldest are dropped. */
	CU_ASSERT(cold_note_depth(c) <= 3 * WAITING_MAX);
	cold_close(&first);
	wait_for_state(c, COLD_OK);
	/* What was refused last is lost with what comes next, if not before. */
	cold_note(c, entry_of(tag(MANY), PURGE_SOFT, 10 + MANY));
	wait_noted(c, 10 + MANY);
	for (int life = 0; life < 2; life++) {
		struct purge_mark all;
		unsigned missing = 0, exact = 0;
		role_worker();
		CU_ASSERT(cold_recall(c, scope_all(), &all));
		for (uint64_t n = 0; n <= MANY; n++) {
			enum purge_mode mode = n % 1000 || n == MANY ? PURGE_SOFT : PURGE_INVALID;
			bool is_exact = number_on_disk(c, tag(n), mode) == 10 + n;
			exact += is_exact;
			missing += !is_exact && all.numbers[PURGE_INVALID] < 10 + n;
		}
		CU_ASSERT_EQUAL(missing, 0);
		CU_ASSERT(exact >= WAITING_MAX);
		CU_ASSERT(all.numbers[PURGE_INVALID] < 10 + MANY && !all.numbers[PURGE_HARD]);
		reopen(&c);
	}
	cold_close(&c);
}

/* ---- too much ---- */

static struct journal *inside(struct cold *c)
{
	return cold_store_of(c)->journal;
}

static void test_forgetting(void)
{
	enum { MANY = 4000, KEPT = 400 };
	fresh_dir();
	struct cold *c = open_store(GIB, ADMIT_ALWAYS);
	inside(c)->ages.weight_max = KEPT;
	for (uint64_t n = 0; n < MANY; n++) {
		log_one(c, n, 10 + n, NULL);
		if (n % 20 == 19)
			wait_noted(c, 10 + n);
	}
	for (int life = 0; life < 2; life++) {
		uint64_t all = number_on_disk(c, scope_all(), PURGE_HARD);
		CU_ASSERT(all > 10 + MANY - 2 * KEPT && all < 10 + MANY - KEPT / 4);
		unsigned missing = 0;
		for (uint64_t number = all + 1; number < 10 + MANY; number++)
			missing += number_on_disk(c, tag(number - 10), PURGE_HARD) != number;
		CU_ASSERT_EQUAL(missing, 0);
		CU_ASSERT_EQUAL(read_log(c, MANY - 10).last, MANY);
		reopen(&c);
	}
	/* Compaction may leave out what is older, and only that. */
	uint64_t all = number_on_disk(c, scope_all(), PURGE_HARD);
	struct {
		uint64_t number;
		int64_t at_ms;
	} kept = { all, 0 };
	struct slice value = slice_of((const char *)&kept, sizeof(kept));
	CU_ASSERT(!journal_is_stale(inside(c), value));
	kept.number--;
	CU_ASSERT(journal_is_stale(inside(c), value));
	cold_close(&c);
}

/* What was forgotten does not take back what was purged since. */
static void test_forgetting_after_all(void)
{
	enum { MANY = 450, KEPT = 400 };
	fresh_dir();
	struct cold *c = open_store(GIB, ADMIT_ALWAYS);
	inside(c)->ages.weight_max = KEPT;
	for (uint64_t n = 0; n < MANY; n++) {
		if (n == KEPT - 10)
			cold_note(c, entry_of(scope_all(), PURGE_HARD, 10 + n));
		else
			log_one(c, n, 10 + n, NULL);
		wait_noted(c, 10 + n);
	}
	CU_ASSERT(inside(c)->ages.parts[0].number < KEPT); /* it was forgotten */
	CU_ASSERT(inside(c)->ages.parts[0].number > KEPT / 8);
	CU_ASSERT_EQUAL(number_on_disk(c, scope_all(), PURGE_HARD), KEPT);
	reopen(&c);
	CU_ASSERT_EQUAL(number_on_disk(c, scope_all(), PURGE_HARD), KEPT);
	cold_close(&c);
}

/* ---- kill -9 ---- */

enum { LIVES = 5, KILLED_AT = 100 };

static void on_told_kill(UNUSED void *arg, enum err err, uint64_t number, uint64_t seq)
{
	const uint64_t told[] = { seq, number };
	must(err == ERR_NONE);
	must(write(STDOUT_FILENO, told, sizeof(told)) == sizeof(told));
	if (number % KILLED_AT == 0)
		kill(getpid(), SIGKILL);
}

/* The other process: purges until it is killed, the moment it is told of one. */
static _Noreturn void purge_and_die(const char *path, uint64_t number)
{
	snprintf(dir, sizeof(dir), "%s", path);
	struct cold *c = open_store(GIB, ADMIT_ALWAYS);
	for (;; number++) {
		struct journal_entry *e = new_entry(1, SL("{\"tag\":0}"), number);
		e->scopes[0] = tag(number);
		e->act.mode = PURGE_HARD;
		e->is_logged = true;
		e->told = on_told_kill;
		cold_note(c, e);
		usleep(number % 16 == 0 ? 1000 : 0);
	}
}

/* What another process was told of until it died. */
struct told {
	uint64_t count, seq, first, last; /* numbers */
};

static struct told run_and_kill(uint64_t number)
{
	int ends[2], status;
	char from[24];
	snprintf(from, sizeof(from), "%" PRIu64, number);
	must(pipe(ends) == 0);
	pid_t child = fork();
	if (child == 0) {
		dup2(ends[1], STDOUT_FILENO);
		execl("/proc/self/exe", "purges", dir, from, NULL);
		_exit(127);
	}
	close(ends[1]);
	struct told told = { 0 };
	for (uint64_t got[2]; read(ends[0], got, sizeof(got)) == sizeof(got); told.count++) {
		CU_ASSERT(told.count == 0 || got[0] == told.seq + 1);
		told.first = told.count ? told.first : got[1];
		told.seq = got[0];
		told.last = got[1];
	}
	close(ends[0]);
	must(waitpid(child, &status, 0) == child);
	CU_ASSERT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	return told;
}

/* Whoever was told has it. */
static void test_kill(void)
{
	fresh_dir();
	uint64_t number = 0;
	for (int life = 0; life < LIVES; life++) {
		struct told told = run_and_kill(number + 1050);
		struct cold *c = open_store(GIB, ADMIT_ALWAYS);
		struct shown log = read_log(c, 1);
		CU_ASSERT(told.count > 0 && told.first == number + 1050);
		CU_ASSERT(log.first == 1 && log.last >= told.seq && log.number >= told.last);
		CU_ASSERT_EQUAL(cold_last_seq(c), log.last);
		for (uint64_t n = told.first; n <= told.last; n++)
			CU_ASSERT_EQUAL(number_on_disk(c, tag(n), PURGE_HARD), n);
		number = log.number;
		cold_close(&c);
	}
}

int main(int argc, char **argv)
{
	CU_TestInfo tests[] = {
		{ "numbers and the log", test_log },
		{ "closed with entries waiting", test_close },
		{ "numbers of before", test_of_before },
		{ "everything", test_all },
		{ "patterns", test_patterns },
		{ "a store that is off", test_off },
		{ "more than may wait", test_overflow },
		{ "too much on disk", test_forgetting },
		{ "too much, after everything", test_forgetting_after_all },
		{ "kill -9", test_kill },
		CU_TEST_INFO_NULL,
	};
	if (argc == 3)
		purge_and_die(argv[1], strtoull(argv[2], NULL, 10));
	return run_store_tests("tier/journal", tests);
}
