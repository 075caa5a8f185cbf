/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/origin/picture.h"

#include <stdbool.h>

#include "tools/origin/content.h"
#include "tools/origin/text.h"

enum { PALETTES = 8, SHAPES = 3, LIGHTS = 3 };

/* clang-format off */
static const struct palette {
	const char *wall[2], *light, *table[2], *tall, *wide, *fruit, *leaf;
} palettes[PALETTES] = {
	{ { "f6dfcd", "e8b796" }, "fff3e2", { "96614a", "6b4030" }, "2f5d62", "f7efe5", "e07a3f", "4f7a4a" },
	{ { "e4e9d8", "b6c4a2" }, "f9f7e3", { "c99c6d", "a4774b" }, "a4483a", "f5ecdb", "e3b23c", "4d6b3c" },
	{ { "5a5584", "cf929a" }, "f8dcb8", { "453659", "2c2340" }, "e8b58a", "98a3d6", "d9573f", "86ab92" },
	{ { "d5e9eb", "90bdc6" }, "fdf6e3", { "f1e1c9", "d9bf9b" }, "1f6f78", "e9725b", "f2b544", "3e7d5a" },
	{ { "f3dfae", "dfb05b" }, "fff5d6", { "80502f", "58331e" }, "3b4a3f", "f5ede0", "b8402f", "5f7340" },
	{ { "f8e4e5", "e2b0b6" }, "fff7f0", { "bb8a8f", "8f5f66" }, "6a3b52", "fbf3ec", "d1495b", "6f8f6a" },
	{ { "22334b", "45678a" }, "f3e3b4", { "1b2739", "0f1724" }, "c98b4f", "d8dfe6", "e6a23c", "6da58c" },
	{ { "efdfd1", "cda689" }, "fcf1e5", { "66513f", "45352a" }, "bf5b3d", "3f5a66", "e8c15a", "6c7f4f" },
};

/* A thing on the table, around x = 0 and standing on y = 0, and what is seen behind it. */
static const struct shape {
	int reach; /* of its shadow */
	const char *leaves, *fruits, *outline;
} tall[SHAPES] = {
	{ 34, "", "",
	  "M-9-158h18v46c0 16 24 22 24 52V-8q0 8-8 8h-50q-8 0-8-8v-52c0-30 24-36 24-52z" },
	{ 44, "M-3-100q-2-60-22-96l2-2q22 40 24 98zM-18-176q-28 2-38-20 30-4 38 20zM-10-148q26-6 32-32-28 "
	      "4-32 32zM-25-196q-14-22 2-42 14 20-2 42zM-6-122q-24 4-36-14 26-8 36 14z", "",
	  "M-17-112h34c-5 26 33 34 33 70 0 26-16 42-30 42h-40c-14 0-30-16-30-42 0-36 38-44 33-70z" },
	{ 44, "", "",
	  "M-22-140l-12-8h56c28-8 52 22 32 66l-14 24q6 22 6 38 0 20-16 20h-60q-16 0-16-20c0-48 28-72 "
	  "24-120zM30-128l8 52q26-54-8-52z" },
}, wide[SHAPES] = {
	{ 54, "M6-92q2-18 20-22-2 18-20 22z",
	  "M-56-54a26 26 0 1 1 52 0zM-22-66a26 26 0 1 1 52 0zM8-54a25 25 0 1 1 50 0z",
	  "M-68-58h136c0 36-26 52-42 54l2 4h-56l2-4c-16-2-42-18-42-54z" },
	{ 44, "", "M-34-84h68v12h-68z",
	  "M-30-74h60q14 2 14 18v44q0 12-12 12h-64q-12 0-12-12v-44q0-16 14-18z" },
	{ 44, "M-2-66q-8-20 6-38 10 20-6 38zM0-64q14-18 36-16-12 20-36 16zM-2-64q-12-16-34-12 10 18 34 12z", "",
	  "M-46-64h92l-4 12h-4l-8 46q-1 6-8 6h-44q-7 0-8-6l-8-46h-4z" },
}, front[SHAPES] = {
	{ 30, "M1-82q8-18 24-16-6 16-24 16zM-2-70h3l3-18-3-1z", "",
	  "M0-76c15 0 13 20 19 33 6 12 13 15 13 25 0 12-14 18-32 18s-32-6-32-18c0-10 7-13 13-25 6-13 4-33 19-33z" },
	{ 24, "M0-46q6-18 24-18-4 18-24 18z", "", "M-26-25a26 25 0 1 1 52 0 26 25 0 1 1-52 0z" },
	{ 36, "M-23-42q4-18 20-20-2 18-20 20z", "",
	  "M-46-22a22 22 0 1 1 44 0 22 22 0 1 1-44 0zM2-17a17 17 0 1 1 34 0 17 17 0 1 1-34 0z" },
};

static const char *const lights[LIGHTS] = {
	"M104 44a46 46 0 1 1-1 0z",                                       /* the sun */
	"M172 250V128a48 48 0 0 1 96 0v122z",                             /* a niche */
	"M40 0h54l70 250h-58zM112 0h54l74 250h-60z",                      /* from a window */
};
/* clang-format on */

/* The next lot, below a limit. */
static unsigned draw(uint64_t *seed, unsigned below)
{
	return (unsigned)(splitmix64((*seed)++) >> 32) % below;
}

static void put_scene(struct text *t, const struct palette *p)
{
	text_print(t,
	    "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\"><defs>"
	    "<linearGradient id=\"w\" x2=\"0\" y2=\"1\"><stop stop-color=\"#%s\"/>"
	    "<stop offset=\"1\" stop-color=\"#%s\"/></linearGradient>"
	    "<linearGradient id=\"t\" x2=\"0\" y2=\"1\"><stop stop-color=\"#%s\"/>"
	    "<stop offset=\"1\" stop-color=\"#%s\"/></linearGradient>"
	    "<linearGradient id=\"s\"><stop stop-color=\"#fff\" stop-opacity=\".3\"/>"
	    "<stop offset=\".45\" stop-color=\"#fff\" stop-opacity=\"0\"/>"
	    "<stop offset=\"1\" stop-opacity=\".3\"/></linearGradient></defs>\n"
	    "<path fill=\"url(#w)\" d=\"M0 0h300v250H0z\"/>",
	    PICTURE_WIDTH, PICTURE_HEIGHT, p->wall[0], p->wall[1], p->table[0], p->table[1]);
}

/* Sets a thing down: its shadow, what is behind it, its outline, and the light from the left. */
static void put_thing(struct text *t, const struct shape *s, const struct palette *p,
    const char *colour, int x, int y)
{
	text_print(t,
	    "\n<g transform=\"translate(%d %d)\"><ellipse cx=\"10\" rx=\"%d\" ry=\"8\" "
	    "opacity=\".22\"/>",
	    x, y, s->reach);
	if (*s->leaves)
		text_print(t, "<path fill=\"#%s\" d=\"%s\"/>", p->leaf, s->leaves);
	if (*s->fruits)
		text_print(t, "<path fill=\"#%s\" d=\"%s\"/>", p->fruit, s->fruits);
	text_print(t, "<path fill=\"#%s\" d=\"%s\"/><path fill=\"url(#s)\" d=\"%s\"/></g>", colour,
	    s->outline, s->outline);
}

void make_picture(struct text *t, uint64_t seed)
{
	const struct palette *p = &palettes[draw(&seed, PALETTES)];
	bool turned = draw(&seed, 2) == 1;
	put_scene(t, p);
	text_print(t, "<path fill=\"#%s\" opacity=\".%u\" d=\"%s\"/>", p->light,
	    40 + draw(&seed, 30), lights[draw(&seed, LIGHTS)]);
	text_print(t, "<path fill=\"url(#t)\" d=\"M0 250h300v110H0z\"/>");
	int left = 86 + (int)draw(&seed, 20), right = 196 + (int)draw(&seed, 24);
	put_thing(t, &tall[draw(&seed, SHAPES)], p, p->tall, turned ? right : left, 276);
	put_thing(t, &wide[draw(&seed, SHAPES)], p, p->wide, turned ? left : right, 288);
	put_thing(t, &front[draw(&seed, SHAPES)], p, p->fruit, 130 + (int)draw(&seed, 40), 322);
	text_print(t, "\n</svg>\n");
}
