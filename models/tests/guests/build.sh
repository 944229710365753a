#!/bin/sh
# Builds the guests of the tests. The results are committed: the tests need none of these tools.
#
# clang and wasm-ld (LLVM 14 or later), and AssemblyScript (npm install assemblyscript; ASC names its compiler).
set -eu
cd "$(dirname "$0")"
CLANG=${CLANG:-clang}
ASC=${ASC:-asc}

c() {
    "$CLANG" --target=wasm32 -std=c11 -Wall -Wextra -O2 -nostdlib -ffreestanding -fno-builtin \
        -Wl,--no-entry -Wl,--strip-debug -Wl,-z,stack-size=16384 "$@"
}

c linear.c -o linear.wasm
c -DCOMPONENT linear.c -o linear.core.wasm # the test makes a component of it, by wit/larder.wit
c echo.c -o echo.wasm
c endless.c -o endless.wasm
c column.c -o column.wasm
# `abort` would be an import, and a guest has none.
"$ASC" tree.ts -O3 --use abort= --runtime stub -o tree.wasm
