-- SPDX-License-Identifier: Apache-2.0
--
-- What wrk is told: with BENCH_MISS set, ask for a path that nobody asked for before; with BENCH_KEYS
-- for one of so many, by Zipf's law, or with BENCH_FROM for each in turn from there on, and for
-- nothing more behind the last; at the end print the counts as one line of JSON, which wrk's own report rounds.

local fresh = os.getenv("BENCH_MISS")
local keys, from = tonumber(os.getenv("BENCH_KEYS")), tonumber(os.getenv("BENCH_FROM"))
local EXPONENT, DRAWS, PRIME = 0.9, 200000, 7919

-- Which of the keys has a rank: the popular ones are spread over all.
local function spread(rank)
	return rank * PRIME % keys
end

-- Draws made beforehand, so that the load's core has nothing to compute.
local function draw_all()
	local sums, sum, draws = {}, 0, {}

	for rank = 1, keys do
		sum = sum + 1 / rank ^ EXPONENT
		sums[rank] = sum
	end
	for i = 1, DRAWS do
		local wanted, low, high = math.random() * sum, 1, keys

		while low < high do
			local middle = math.floor((low + high) / 2)

			if sums[middle] < wanted then low = middle + 1 else high = middle end
		end
		draws[i] = wrk.format("GET", wrk.path .. spread(low))
	end
	return draws
end

if keys and from then
	local count, answers = from - 1, 0

	function request()
		count = math.min(count + 1, keys - 1)
		return wrk.format("GET", wrk.path .. count)
	end

	function response()
		answers = answers + 1
		if answers >= keys - from then wrk.thread:stop() end
	end
elseif keys then
	local draws, at = nil, 0

	function init()
		math.randomseed(tonumber(os.getenv("BENCH_SEED") or "1"))
		draws = draw_all()
	end

	function request()
		at = at % DRAWS + 1
		return draws[at]
	end
end

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
