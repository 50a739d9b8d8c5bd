#!/bin/sh
# Makes one executable of the gateway: engine, program and packages in a file that needs nothing but the C library.
#
#   scripts/build-executable.sh FILE
#
# The same sources and lock file give the same bytes, as long as FILE has the same name.
set -eu
case ${1:?name the file to write} in
  /*) out=$1 ;;
  *) out=$PWD/$1 ;;
esac
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"
. bin/find-bun
# A worker is started as a file beside the program that starts it, so all are laid out in one folder.
# A .env or bunfig.toml in the folder where it is started is not ours to obey.
exec "$bun" --no-env-file --config=bin/bunfig.toml build --compile \
  --no-compile-autoload-dotenv --no-compile-autoload-bunfig \
  --entry-naming "[name].[ext]" src/main.ts src/tokens/worker.ts src/store/sqlite/thread.ts --outfile "$out"
