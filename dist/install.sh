#!/bin/sh
# Installs paddock, or replaces an installed one by this release:
#
#   curl -fsSL URL/install.sh | sh
#
# Downloads the archive for this machine, compares its SHA-256 with SHA256SUMS, and puts the program `paddock` into
# ~/.local/bin, for root into /usr/local/bin. Nothing else is changed. Variables:
#
#   PADDOCK_DOWNLOAD_URL   where the archive and SHA256SUMS are
#   PADDOCK_INSTALL_DIR    where the program is put
#
# Everything is in functions, and the last line calls the first: if the download of this script is cut, nothing runs.
set -eu

# The release workflow replaces this word by the address of the release.
release_url=@RELEASE_URL@

main() {
    url=${PADDOCK_DOWNLOAD_URL:-$release_url}
    case $url in
        @*) fail 'set PADDOCK_DOWNLOAD_URL to the address of a release: this script comes from the source, not from a release' ;;
    esac
    url=${url%/}
    find_archive
    find_directory
    find_tools

    work=$(mktemp -d) || fail 'cannot create a temporary directory'
    new=$directory/.paddock.$$
    trap clean_up EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM

    say "downloading $url/$archive"
    fetch "$url/SHA256SUMS" "$work/SHA256SUMS"
    fetch "$url/$archive" "$work/$archive"
    verify
    tar -xzf "$work/$archive" -C "$work" || fail "cannot unpack $archive"
    install_program
    advise
}

# Every release has an archive of this name for each platform.
find_archive() {
    system=$(uname -s)
    machine=$(uname -m)
    case $system in
        Linux) ;;
        Darwin) fail 'there is no program for macOS; compile paddock with: cargo install --locked --path crates/cli' ;;
        *) fail "there is no program for $system; on Windows, install paddock in WSL2" ;;
    esac
    case $machine in
        x86_64 | amd64) machine=x86_64 ;;
        aarch64 | arm64) machine=aarch64 ;;
        *) fail "there is no program for $machine, only for x86_64 and aarch64" ;;
    esac
    archive=paddock-$machine-linux.tar.gz
}

find_directory() {
    if [ -n "${PADDOCK_INSTALL_DIR:-}" ]; then
        directory=$PADDOCK_INSTALL_DIR
    elif [ "$(id -u)" -eq 0 ]; then
        directory=/usr/local/bin
    elif [ -n "${HOME:-}" ]; then
        directory=$HOME/.local/bin
    else
        fail 'HOME is not set; set PADDOCK_INSTALL_DIR to a directory'
    fi
}

find_tools() {
    for tool in curl wget none; do
        ! has "$tool" || break
    done
    [ "$tool" != none ] || fail 'curl or wget is needed to download; install one of them'
    for sum in sha256sum shasum none; do
        ! has "$sum" || break
    done
    [ "$sum" != none ] || fail 'sha256sum or shasum is needed to verify the download; install one of them'
    for needed in tar gzip; do
        has "$needed" || fail "$needed is needed to unpack the download; install it"
    done
}

has() {
    command -v "$1" >/dev/null 2>&1
}

# fetch URL FILE. curl follows no redirect from https to http. wget gets no time limit: busybox 1.35 crashes with one.
fetch() {
    case $tool-$1 in
        curl-https:*) curl -fsSL --proto '=https' --connect-timeout 30 --retry 3 -o "$2" "$1" ;;
        curl-*) curl -fsSL --connect-timeout 30 --retry 3 -o "$2" "$1" ;;
        wget-*) wget -q -t 3 -O "$2" "$1" ;;
    esac || fail "cannot download $1"
}

verify() {
    expected=
    while read -r digest name || [ -n "$digest" ]; do
        [ "${name#\*}" != "$archive" ] || expected=$digest
    done <"$work/SHA256SUMS"
    [ -n "$expected" ] || fail "$url/SHA256SUMS does not list $archive"
    case $sum in
        sha256sum) actual=$(sha256sum "$work/$archive") ;;
        shasum) actual=$(shasum -a 256 "$work/$archive") ;;
    esac
    actual=${actual%% *}
    [ "$actual" = "$expected" ] ||
        fail "$archive is damaged: its SHA-256 is $actual, but SHA256SUMS lists $expected; nothing was installed"
}

# A rename puts the program in place, so that it is the old one or the new one, even if paddock runs.
install_program() {
    mkdir -p "$directory" || fail "cannot create $directory"
    [ ! -d "$directory/paddock" ] || fail "$directory/paddock is a directory; move it away"
    cp "$work/${archive%.tar.gz}/paddock" "$new" || fail "cannot write to $directory"
    chmod 755 "$new"
    version=$("$new" version) || fail "the program does not run on this machine; nothing was installed"
    mv -f "$new" "$directory/paddock" || fail "cannot replace $directory/paddock"
    say "installed $version: $directory/paddock"
}

advise() {
    case :${PATH:-}: in
        *:"$directory":*) ;;
        *)
            say "$directory is not in PATH; add it, for example in ~/.profile:"
            say "  export PATH=\"$directory:\$PATH\""
            ;;
    esac
    found=$(command -v paddock 2>/dev/null) || return 0
    [ "$found" = "$directory/paddock" ] || say "another paddock comes first in PATH: $found"
}

clean_up() {
    rm -rf "$work" "$new"
}

say() {
    printf '%s\n' "$*" >&2
}

fail() {
    say "install.sh: $*"
    exit 1
}

main
