// SPDX-License-Identifier: Apache-2.0
// Node's HTTP/2 client, for interop.py: node node.mjs URL. Prints one line of JSON a test.
import http2 from "node:http2";
import { createHash, randomBytes } from "node:crypto";

const url = process.argv[2];
const session = http2.connect(url, { rejectUnauthorized: false });
const digest = (body) => createHash("sha256").update(body).digest("hex");
session.on("error", (error) => say("session", { error: String(error) }));

function say(test, found) {
	console.log(JSON.stringify({ test, ...found }));
}

// Resolves when the stream has closed, however it does.
function ask(fields, { body, open, onStream } = {}) {
	return new Promise((resolve) => {
		const found = { interim: [], body: Buffer.alloc(0), trailers: {}, error: null };
		const stream = session.request(fields, { endStream: body === undefined && !open });
		stream.on("headers", (h) => found.interim.push([h[":status"], h.link]));
		stream.on("response", (h) => Object.assign(found, { status: h[":status"], fields: h }));
		stream.on("trailers", (h) => (found.trailers = { ...h }));
		stream.on("data", (some) => (found.body = Buffer.concat([found.body, some])));
		stream.on("error", (error) => (found.error = error.code));
		stream.on("close", () => resolve({ ...found, code: stream.rstCode }));
		if (body !== undefined) stream.end(body);
		onStream?.(stream, found);
	});
}

const many = await Promise.all(
	Array.from({ length: 100 }, (_, i) => ask({ ":path": `/numbered/${i}` })),
);
say("parallel", {
	good: many.filter((f, i) => f.status === 200 && String(f.body) === `/numbered/${i}`).length,
});

const upload = randomBytes(5 * 1024 * 1024);
const uploaded = await ask({ ":path": "/digest", ":method": "POST" }, { body: upload });
say("upload", { status: uploaded.status, same: String(uploaded.body) === digest(upload) });

const aborted = await ask(
	{ ":path": "/large" },
	{ onStream: (s) => s.once("data", () => s.close(http2.constants.NGHTTP2_CANCEL)) },
);
say("abort", { status: aborted.status, code: aborted.code, some: aborted.body.length > 0 });

const halfway = await ask(
	{ ":path": "/digest", ":method": "POST" },
	{
		open: true,
		onStream: (s) => {
			s.write(Buffer.alloc(100_000));
			setTimeout(() => s.close(http2.constants.NGHTTP2_CANCEL), 100);
		},
	},
);
say("abort-upload", { status: halfway.status ?? null, code: halfway.code });

const trailed = await ask({ ":path": "/trailers" });
say("trailers", { body: String(trailed.body), trailers: trailed.trailers });

const hinted = await ask({ ":path": "/hints" });
say("hints", { interim: hinted.interim, status: hinted.status });

const head = await ask({ ":path": "/large", ":method": "HEAD" });
say("head", { status: head.status, length: head.fields["content-length"], body: head.body.length });

const cut = await ask({ ":path": "/cut" });
say("cut", { status: cut.status, error: cut.error, code: cut.code });

session.ping((error, ms) => {
	say("ping", { error: error && String(error), ms: ms >= 0 });
	session.close(() => say("end", {}));
});
