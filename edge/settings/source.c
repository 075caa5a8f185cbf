/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/settings/source.h"

enum { ARENA_BYTES = 64 << 20 };

void source_list_init(struct source_list *list, size_t room)
{
	*list = (struct source_list){ .room = room };
	arena_init(&list->arena, ARENA_BYTES);
	list->at = arena_alloc(&list->arena, room * sizeof(*list->at));
	must(list->at != NULL);
}

void source_list_fini(struct source_list *list)
{
	arena_fini(&list->arena);
	*list = (struct source_list){ 0 };
}

static struct conf_source *add(struct source_list *list, struct slice name, bool is_flag)
{
	must(list->count < list->room);
	struct conf_source *source = &list->at[list->count++];
	*source = (struct conf_source){ name, SLICE_NONE, is_flag };
	return source;
}

static bool fail(struct conf_errors *errors, const char *path, const char *why)
{
	errors->count++;
	buf_addf(&errors->text, "%s: cannot be read: %s\n", path, why);
	return false;
}

/* Reads one byte more than a configuration may have, and leaves it to the loader to refuse. */
static bool read_all(FILE *file, struct buf *out)
{
	while (out->len <= TREE_TEXT_BYTES) {
		char *room = buf_room(out, 4096);
		size_t got = room ? fread(room, 1, 4096, file) : 0;
		out->len += got;
		if (got == 0)
			break;
	}
	return !ferror(file) && !out->overflow;
}

bool source_add_file(struct source_list *list, const char *path, struct conf_errors *errors)
{
	bool is_stdin = strcmp(path, "-") == 0;
	FILE *file = is_stdin ? stdin : fopen(path, "re");
	if (!file)
		return fail(errors, path, strerror(errno));
	struct buf text;
	buf_init(&text, 0);
	errno = 0;
	bool well = read_all(file, &text);
	int error = errno;
	if (well)
		add(list, is_stdin ? SL("stdin") : slice_str(path), false)->text = arena_copy(
		    &list->arena, buf_slice(&text));
	buf_fini(&text);
	if (!is_stdin)
		fclose(file);
	if (!well)
		return fail(errors, path, strerror(error));
	return !list->arena.overflow || fail(errors, path, "too many files that are too large");
}

void source_add_flag(struct source_list *list, const char *flag, struct slice yaml)
{
	add(list, slice_str(flag), true)->text = arena_copy(&list->arena, yaml);
}
