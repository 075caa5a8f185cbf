# SPDX-License-Identifier: Apache-2.0
#
# PURGE with a tag in Surrogate-Key bans what carries the tag. The expression is of obj alone, so that
# the lurker can work on it too; it may hold no space.
vcl 4.1;

import std;

backend origin {
	.host = "127.0.0.1";
	.port = "@ORIGIN@";
}

sub vcl_recv {
	if (req.method == "PURGE") {
		if (!std.ban("obj.http.Surrogate-Key ~ (^|\s)" + req.http.Surrogate-Key + "(\s|$)")) {
			return (synth(500, std.ban_error()));
		}
		return (synth(200));
	}
}
