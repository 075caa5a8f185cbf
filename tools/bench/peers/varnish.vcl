# SPDX-License-Identifier: Apache-2.0
#
# The built-in rules do all that the bench needs.
vcl 4.1;

backend origin {
	.host = "127.0.0.1";
	.port = "@ORIGIN@";
}
