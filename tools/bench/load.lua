-- SPDX-License-Identifier: Apache-2.0
--
-- What wrk is told: with BENCH_MISS set, ask for a path that nobody asked for before; at the end
-- print the counts as one line of JSON, which wrk's own report rounds.

local fresh = os.getenv("BENCH_MISS")

if fresh then
	local count = 0

	function request()
		count = count + 1
		return wrk.format("GET", fresh .. count)
	end
end

local line = '{"requests":%d,"bytes":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d,' ..
	'"socket_errors":%d,"timeouts":%d,"bad_status":%d}'

function done(summary, latency)
	local errors = summary.errors

	print(string.format(line, summary.requests, summary.bytes, summary.duration,
		latency:percentile(50), latency:percentile(99),
		errors.connect + errors.read + errors.write, errors.timeout, errors.status))
end
