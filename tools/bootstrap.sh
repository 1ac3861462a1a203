#!/bin/sh
# Makes the pinned Node run: a bare Debian 12 lacks one shared library that it needs. All else is brought by setup.ts.
set -eu
cd "$(dirname "$0")/.."
node=node_modules/.bin/node
if $node --version >/dev/null 2>&1; then exit 0; fi
if [ "$(id -u)" != 0 ]; then
  echo 'the Node of this project does not run; run as root: apt-get install --no-install-recommends libatomic1' >&2
  exit 5
fi
apt-get update -q >&2
DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends libatomic1 >&2
$node --version >/dev/null
