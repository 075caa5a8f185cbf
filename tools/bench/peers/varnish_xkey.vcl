# SPDX-License-Identifier: Apache-2.0
#
# PURGE with a tag in Surrogate-Key purges what carries the tag, by xkey of Debian's varnish-modules.
vcl 4.1;

import xkey;

backend origin {
	.host = "127.0.0.1";
	.port = "@ORIGIN@";
}

sub vcl_recv {
	if (req.method == "PURGE") {
		return (synth(200, "purged " + xkey.purge(req.http.Surrogate-Key)));
	}
}

sub vcl_backend_response {
	set beresp.http.xkey = beresp.http.Surrogate-Key;
}
