-- SPDX-License-Identifier: Apache-2.0
--
-- What wrk is told: with BENCH_MISS set, ask for a path that nobody asked for before; with BENCH_KEYS
-- for one of so many, by Zipf's law (BENCH_EXPONENT=0: all alike), or with BENCH_FROM for each in turn
-- from there on, and for nothing more behind the last; with BENCH_PAUSE wait before each request, up to
-- so many milliseconds; with BENCH_TELL say when all is prepared; at the end print the counts as one
-- line of JSON, which wrk's own report rounds.

local fresh = os.getenv("BENCH_MISS")
local keys, from = tonumber(os.getenv("BENCH_KEYS")), tonumber(os.getenv("BENCH_FROM"))
local pause = tonumber(os.getenv("BENCH_PAUSE"))
local EXPONENT = tonumber(os.getenv("BENCH_EXPONENT") or "0.9")
local DRAWS, PRIME = 200000, 7919

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
	-- wrk asks once beforehand, to see what comes, and sends nothing.
	local count, answers = from - 2, 0

	function request()
		count = math.min(count + 1, keys - 1)
		return wrk.format("GET", wrk.path .. math.max(count, from))
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
		if os.getenv("BENCH_TELL") then
			print("begun")
			io.stdout:flush()
		end
	end

	function request()
		at = at % DRAWS + 1
		return draws[at]
	end
end

if pause then
	function delay()
		return math.random(0, pause)
	end
end

if fresh then
	local count = 0

	function request()
		count = count + 1
		return wrk.format("GET", fresh .. count)
	end
end

local line = '{"requests":%d,"bytes":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d,"p999_us":%d,' ..
	'"socket_errors":%d,"timeouts":%d,"bad_status":%d}'

function done(summary, latency)
	local errors = summary.errors

	print(string.format(line, summary.requests, summary.bytes, summary.duration,
		latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
		errors.connect + errors.read + errors.write, errors.timeout, errors.status))
end
