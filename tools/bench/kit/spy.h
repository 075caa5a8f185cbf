/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks over RocksDB's shoulder. The store keeps its database to itself, and what a benchmark wants
 * to know of it is no business of the store's; so the call that opens it goes through here, and is
 * remembered until it is closed. thread: any, while the store is open.
 */
#pragma once

#include "edge/base/base.h"

/* A number that RocksDB tells of a column family ("rocksdb.block-cache-usage"); 0 when there is no
 * such family or property. */
uint64_t spy_number(const char *family, const char *property);
/* As text. own: free(). NULL when there is none. */
char *spy_text(const char *family, const char *property);
/* Bytes that flushes and compactions of a family have written since the opening, to within 10 MB:
 * RocksDB tells them so. */
uint64_t spy_written_bytes(const char *family);
/* Bytes of filters and of index blocks in all files of a family. */
uint64_t spy_filter_bytes(const char *family);
uint64_t spy_index_bytes(const char *family);
/* Writes the name of RocksDB's library, which tells its version. */
void spy_library(char *to, size_t room);
