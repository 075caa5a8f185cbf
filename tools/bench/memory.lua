-- SPDX-License-Identifier: Apache-2.0
--
-- What wrk asks for in tools/bench/memory_soak: objects of MEMORY_KEYS, a few of them often, each of
-- a size that its number says: from 1 KiB to MEMORY_LARGEST, each power of two as often as the next.

local keys = tonumber(os.getenv("MEMORY_KEYS"))
local powers = math.floor(math.log(tonumber(os.getenv("MEMORY_LARGEST")) / 1024, 2) + 0.5)
local only = os.getenv("MEMORY_ONLY")
local threads = 0

function setup(thread)
	threads = threads + 1
	thread:set("seed", threads * 7919)
end

function init()
	math.randomseed(seed)
end

function request()
	local number = math.floor(keys * math.random() ^ 3)
	local power = (number * 2654435761 % 4294967296) / 4294967296 * powers
	local size = only or math.floor(1024 * 2 ^ power)
	return wrk.format("GET", "/images/" .. number .. "?size=" .. size .. "&cc=max-age%3D9000")
end

function done(summary, latency)
	local errors = summary.errors

	print(string.format('{"requests":%d,"bytes":%d,"p50_us":%d,"p99_us":%d,"p999_us":%d,' ..
		'"socket_errors":%d,"timeouts":%d,"bad_status":%d}',
		summary.requests, summary.bytes, latency:percentile(50), latency:percentile(99),
		latency:percentile(99.9),
		errors.connect + errors.read + errors.write, errors.timeout, errors.status))
end
