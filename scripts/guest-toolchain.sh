#!/usr/bin/env bash
# Makes a cargo that compiles Rust guests for wasm32-wasip2, and prints its path last.
#
#   guest-toolchain.sh [PREFIX]     (default: target/tools/rust)
#
# 1. Where the installed toolchain has the target, or rustup can add it, that cargo is the plain one.
# 2. Elsewhere it takes Debian's rustc and its wasm32 standard library from the testing suite, unpacked below PREFIX
#    together with the C library that they were built for. Nothing outside PREFIX changes.
# A finished PREFIX is kept, so that a second run takes no time.
set -euo pipefail
prefix=${1:-$(dirname "$(dirname "$(realpath "$0")")")/target/tools/rust}
suite=${GUEST_RUST_SUITE:-forky}
target=wasm32-wasip2
cargo_out=$prefix/bin/guest-cargo
[ -x "$cargo_out" ] && { echo "$cargo_out"; exit 0; }
mkdir -p "$prefix/bin"

sysroot=$(rustc --print sysroot)
if [ -d "$sysroot/lib/rustlib/$target/lib" ] || timeout 60 rustup target add "$target" >/dev/null 2>&1; then
  printf '#!/bin/sh\nexec cargo "$@"\n' > "$cargo_out"
  chmod +x "$cargo_out"; echo "$cargo_out"; exit 0
fi

work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{lists/partial,cache/archives/partial,debs,root}
# the mirror that this system already uses
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m1 -E '/debian/?$')
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" > "$work/sources.list"
: > "$work/status"
apt=(-o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=- -o Dir::State::Lists="$work/lists"
     -o Dir::State::status="$work/status" -o Dir::Cache="$work/cache" -o Acquire::Languages=none -o APT::Sandbox::User=root)
apt-get "${apt[@]}" -qq update >&2
# the whole dependency closure, less what only linking native programs would need
want='^(rustc|libstd-rust.*|libllvm.*|libc6|libgcc-s1|libstdc\+\+6|zlib1g|libzstd1|libxml2.*|libedit2|libtinfo6|libffi[0-9]*|libbsd0|libmd0|liblzma5|libicu[0-9]+)$'
names=$(apt-get "${apt[@]}" -s --no-install-recommends install rustc libstd-rust-dev-wasm32 | awk '/^Inst/{print $2}' | grep -E "$want")
(cd "$work/debs" && apt-get "${apt[@]}" -qq download $names >&2)
for deb in "$work"/debs/*.deb; do dpkg -x "$deb" "$prefix"; done

lib=$prefix/usr/lib/x86_64-linux-gnu
linker=$sysroot/lib/rustlib/$(rustc -vV | sed -n 's/^host: //p')/bin/wasm-component-ld
cat > "$prefix/bin/guest-rustc" <<SH
#!/bin/sh
exec $lib/ld-linux-x86-64.so.2 --library-path $lib:$prefix/usr/lib $prefix/usr/bin/rustc --sysroot $prefix/usr "\$@"
SH
cat > "$cargo_out.tmp" <<SH
#!/bin/sh
# PATH: wasm-component-ld looks for wasm-ld beside it
PATH=$(dirname "$linker"):$(dirname "$linker")/gcc-ld:\$PATH RUSTC=$prefix/bin/guest-rustc CARGO_TARGET_WASM32_WASIP2_LINKER=$linker exec cargo "\$@"
SH
chmod +x "$prefix/bin/guest-rustc" "$cargo_out.tmp"
"$prefix/bin/guest-rustc" -vV >&2
mv "$cargo_out.tmp" "$cargo_out"
echo "$cargo_out"
