/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/origin/shop.h"

#include <stdio.h>

#include "tools/origin/content.h"
#include "tools/origin/picture.h"

enum { SHOWN = 24 };

static const char head[] =
    "<!doctype html>\n"
    "<html lang=en>\n"
    "<meta charset=utf-8>\n"
    "<meta name=viewport content='width=device-width, initial-scale=1'>\n"
    "<title>Pantry &amp; Light – still lifes for kitchens</title>\n"
    "<link rel=icon href=\"data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' "
    "viewBox='0 0 16 16'><circle cx='8' cy='8' r='8' fill='%23b5532f'/></svg>\">\n";

static const char style[] =
    "<style>\n"
    ":root { --paper: #f8f4ed; --ink: #2a2420; --soft: #776b61; --line: #e2d8ca;\n"
    "  --accent: #b5532f; --night: #211c19; --serif: 'Iowan Old Style', 'Palatino Linotype',\n"
    "  Palatino, 'URW Palladio L', Georgia, serif }\n"
    "* { box-sizing: border-box; margin: 0 }\n"
    "body { background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif }\n"
    "a { color: inherit; text-decoration: none }\n"
    "#bar { position: sticky; top: 0; z-index: 1; display: flex; gap: 10px; align-items: center;\n"
    "  height: 34px; padding: 0 max(20px, 50vw - 580px); background: var(--night);\n"
    "  color: #efe6da; font-size: 13px; white-space: nowrap }\n"
    "#bar i { flex: none; width: 8px; height: 8px; border-radius: 50%; background: #8d8177 }\n"
    "#bar.hit i { background: #7bc48a; box-shadow: 0 0 0 3px #7bc48a33 }\n"
    "#bar.miss i { background: #e6b35c; box-shadow: 0 0 0 3px #e6b35c33 }\n"
    "#bar code { margin-left: auto; overflow: hidden; text-overflow: ellipsis; color: #a3968a;\n"
    "  font: 12px ui-monospace, monospace }\n"
    "header, main, footer { max-width: 1200px; margin: auto; padding: 0 20px }\n"
    "nav { display: flex; gap: 24px; align-items: baseline; padding: 22px 0;\n"
    "  border-bottom: 1px solid var(--line) }\n"
    "nav b { margin-right: auto; font: 600 21px var(--serif); letter-spacing: -.01em }\n"
    "nav b span { color: var(--accent) }\n"
    "nav a { color: var(--soft) }\n"
    "nav a:hover, article:hover h2 { color: var(--accent) }\n"
    "h1 { max-width: 16em; margin: 52px 0 12px; font: 400 44px/1.12 var(--serif);\n"
    "  letter-spacing: -.02em; text-wrap: balance }\n"
    "header p { max-width: 38em; margin-bottom: 44px; color: var(--soft); font-size: 16px }\n"
    "main { display: grid; gap: 40px 24px;\n"
    "  grid-template-columns: repeat(auto-fill, minmax(250px, 1fr)) }\n"
    "article a { display: block; overflow: hidden; border-radius: 10px; background: var(--line);\n"
    "  box-shadow: 0 1px 2px rgb(0 0 0 / .07), 0 10px 24px -14px rgb(0 0 0 / .33) }\n"
    "img { display: block; width: 100%; height: auto; transition: transform .5s }\n"
    "article:hover img { transform: scale(1.03) }\n"
    "article div { display: flex; gap: 12px; justify-content: space-between; margin-top: 14px;\n"
    "  align-items: baseline }\n"
    "h2 { font: 600 17px/1.3 var(--serif); text-transform: capitalize; transition: color .2s }\n"
    "article div span { font-variant-numeric: tabular-nums }\n"
    "article p { color: var(--soft); font-size: 13px }\n"
    "footer { margin-top: 64px; padding-bottom: 40px; color: var(--soft); font-size: 13px }\n"
    "footer p { padding-top: 22px; border-top: 1px solid var(--line) }\n"
    "@media (max-width: 600px) {\n"
    "  header, main, footer { padding: 0 16px }\n"
    "  #bar { padding: 0 16px; font-size: 12px }\n"
    "  #bar code, nav a:nth-of-type(n+2) { display: none }\n"
    "  nav { padding: 16px 0 }\n"
    "  h1 { margin: 30px 0 10px; font-size: 31px }\n"
    "  header p { margin-bottom: 28px; font-size: 15px }\n"
    "  main { gap: 26px 14px; grid-template-columns: 1fr 1fr }\n"
    "  article div { display: block; margin-top: 10px }\n"
    "  h2 { font-size: 15px }\n"
    "}\n"
    "@media (prefers-reduced-motion: reduce) { * { transition: none !important } }\n"
    "</style>\n";

static const char opening[] =
    "<div id=bar role=status><i></i><span>One moment …</span><code></code></div>\n"
    "<header>\n"
    "<nav><b>Pantry <span>&amp;</span> Light</b><a href=/products>Catalog</a>"
    "<a href=/products/1>A product</a><a href=/-/stats>What the origin saw</a></nav>\n"
    "<h1>Still lifes for the kitchen wall</h1>\n"
    "<p>Two dozen small prints, composed by lot: a wall, a light, a table and what the pantry had.\n"
    "None of them is a file. The origin draws each from its number, once, if a cache will keep it.\n"
    "</header>\n"
    "<main>\n";

/* Fields of a picture are not for scripts, but its Server-Timing is: see shop.h. Both clocks have
 * to
   agree for that, so nothing is claimed unless Date and Age of the one fetch say that they do. */
static const char script[] =
    "<script>\n"
    "addEventListener('load', async () => {\n"
    "  const bar = document.getElementById('bar'), page = document.body.dataset;\n"
    "  const pause = ms => new Promise(done => setTimeout(done, ms));\n"
    "  const answer = await fetch('/products/1');\n"
    "  await answer.text();\n"
    "  while (!performance.getEntriesByName(answer.url).length) await pause(20);\n"
    "  const field = name => answer.headers.get(name) || '';\n"
    "  const status = field('Cache-Status');\n"
    "  const now = Date.parse(field('Date')) + 1000 * field('Age');\n"
    "  const agree = Math.abs(now - Date.now()) < 3000;\n"
    "  const [visit] = performance.getEntriesByType('navigation');\n"
    "  const all = [visit, ...performance.getEntriesByType('resource')];\n"
    "  const sent = all.filter(e => e.transferSize);\n"
    "  const asked = e => performance.timeOrigin + e.requestStart;\n"
    "  const stored = e => e.initiatorType == 'fetch' ? /;\\s*hit/.test(status) :\n"
    "    e.serverTiming.some(t => t.name == 'made' && t.description < asked(e) - 50);\n"
    "  const hits = sent.filter(stored).length, own = all.length - sent.length;\n"
    "  const protocol = { h2: 'HTTP/2', h3: 'HTTP/3' }[visit.nextHopProtocol] || 'HTTP/1.1';\n"
    "  const requests = n => n + (n == 1 ? ' request' : ' requests');\n"
    "  const told = [protocol, requests(sent.length)];\n"
    "  if (own) told.push(own + ' from your browser');\n"
    "  if (!status) told.push('straight from the origin');\n"
    "  else if (agree) told.push(hits + ' answered by Larder');\n"
    "  bar.className = status && hits ? 'hit' : 'miss';\n"
    "  bar.children[1].textContent = told.join(' · ');\n"
    "  bar.children[2].textContent = status && '/products/1: ' + status;\n"
    "  page.pictures = [...document.images].filter(i => i.complete && i.naturalWidth).length;\n"
    "  page.protocol = visit.nextHopProtocol;\n"
    "  page.requests = sent.length;\n"
    "  page.hits = hits;\n"
    "});\n"
    "</script>\n";

static void put_card(struct text *t, unsigned number)
{
	char id[16];
	snprintf(id, sizeof id, "%u", number);
	struct product p = product_of(id);
	text_print(t,
	    "<article><a href=/products/%s><img src=/pictures/%s.svg width=%d height=%d alt='%s %s'></a>"
	    "<div><h2>%s %s</h2><span>€%u.%02u</span></div><p>No. %s · %u left</article>\n",
	    id, id, PICTURE_WIDTH, PICTURE_HEIGHT, p.name[0], p.name[1], p.name[0], p.name[1],
	    p.euros, p.cents, id, p.stock);
}

void make_shop(struct text *t, unsigned revision, const char *variant)
{
	text_print(t, "%s%s%s", head, style, opening);
	for (unsigned number = 1; number <= SHOWN; number++)
		put_card(t, number);
	text_print(
	    t, "</main>\n<footer><p>A sample: every byte of it is computed. Revision %u", revision);
	if (*variant)
		text_print(t, ", variant ");
	text_html(t, variant);
	text_print(t, ".</footer>\n%s", script);
}
