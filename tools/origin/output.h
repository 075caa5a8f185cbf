/* SPDX-License-Identifier: Apache-2.0 */
/* An answer as bytes: the head, the body piece by piece, the socket. */
#pragma once

#include "tools/origin/conn.h"

void put_head(struct conn *);
/* Adds the next piece of the body to the output and, after the last, what ends it. */
void put_piece(struct conn *);
/* Sends what the socket takes. False when the connection is of no more use. */
bool flush(struct conn *);
