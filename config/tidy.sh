#!/bin/sh
# ./dev tidy --all: clang-tidy over everything in engine/ and orchestrator/. Nearly all of its time
# goes into headers, so each of the two is read as one unit that includes its sources; therefore no
# name stands in two anonymous namespaces of a folder. The analyzer follows paths only through a
# file that is read by itself: ./dev tidy does that with what changed; for everything it takes many
# minutes.
set -eu
cd "$(dirname "$0")/.."
compile_commands=$1

rm -rf build/tidy
mkdir -p build/tidy
for house in engine orchestrator; do
  find $house -name '*.cpp' | sort | sed 's/.*/#include "&"/' >build/tidy/$house.cpp
done
# What links everything has the flags for everything. The warnings are the compiler's business.
sed -n '/ -o orchestrator\/api\//{s/^ *"command": "[^ ]* \(.*\) -o .*/\1/p;q;}' "$compile_commands" |
  tr ' ' '\n' | grep -v '^-W' >build/tidy/compile_flags.txt
echo '-DDROVER_VERSION=""' >>build/tidy/compile_flags.txt

ls build/tidy/*.cpp |
  xargs -n 1 -P "$(nproc)" clang-tidy --quiet -p build/tidy --checks=-bugprone-suspicious-include
