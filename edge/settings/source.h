/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The texts that a configuration is made of, in the order in which they override each other. Paths
 * and names are borrowed and must outlive the list; texts belong to it.
 */
#pragma once

#include "edge/base/arena.h"
#include "edge/conf/load.h"

struct source_list {
	struct arena arena;
	struct conf_source *at;
	size_t count, room;
};

/* Makes an empty list for so many sources. own: source_list_fini. */
void source_list_init(struct source_list *, size_t room);
void source_list_fini(struct source_list *);

/* Appends a file's text; "-" is standard input. fail: false, a line in `errors` says why. */
bool source_add_file(struct source_list *, const char *path, struct conf_errors *);
/* Appends what a flag of the command line says, as YAML. */
void source_add_flag(struct source_list *, const char *flag, struct slice yaml);
