#!/bin/sh
# Builds the stock cosign command line once and prints its path. The version is that of the
# library in go.mod. Kept in a cache outside the repository; needs the network the first time.
set -eu

version=${1:?usage: build-cosign.sh VERSION}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/remediator/cosign-$version
binary=$cache/cosign

if [ ! -x "$binary" ]; then
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	cd "$work"
	cat >go.mod <<MODULE
module cosignbuild

go 1.26.0

require github.com/sigstore/cosign/v2 $version
MODULE
	cat >tools.go <<'SOURCE'
//go:build tools

package tools

import _ "github.com/sigstore/cosign/v2/cmd/cosign"
SOURCE
	mkdir -p "$cache"
	GOFLAGS=-mod=mod GOWORK=off go build -o "$work/cosign" github.com/sigstore/cosign/v2/cmd/cosign >&2
	mv "$work/cosign" "$binary.$$"
	mv "$binary.$$" "$binary"
fi
echo "$binary"
