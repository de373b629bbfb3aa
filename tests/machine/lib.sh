# shellcheck shell=bash
# shellcheck disable=SC2034 # the variables are for the scripts that source this file
# Functions of the scripts in this directory, which source this file. Sourcing it only sets the directories.

scripts=$(cd "$(dirname "$0")" && pwd -P)
script=$(basename "$0")

# Files of this checkout, which may be deleted with its target directory.
state=${IECHOR_MACHINE_DIR:-$scripts/../../target/machine}
mkdir -p "$state/tmp"
state=$(cd "$state" && pwd -P)

# Several checkouts may share a machine, so names that are visible machine-wide contain this hash.
hash=$(printf %s "$state" | sha256sum | cut -c1-8)

# Sockets are here and not in the state directory, because the path of a socket has at most 107 bytes.
if [ "$(id -u)" = 0 ]; then run=/run/iechor-$hash; else run=${XDG_RUNTIME_DIR:-/tmp}/iechor-$hash; fi
own_engine=unix://$run/docker.sock

buildkit_image=moby/buildkit:buildx-stable-1

say() { printf '%s: %s\n' "$script" "$*" >&2; }

fail() {
    say "error: $*"
    exit 1
}

need_root() { [ "$(id -u)" = 0 ] || fail "$1 needs root: run it with sudo"; }

# lock NAME: lets one process run at a time; the lock ends with the script. Programs that outlive it close descriptor 9.
lock() {
    exec 9>"$state/tmp/$1.lock"
    flock -n 9 && return
    say "waiting for another $1 to finish"
    flock 9
}

# Sets `scratch` to an empty directory that is removed when this shell ends. Results are moved to their place when they are
# complete, so that an interrupted run leaves no incomplete results.
make_scratch() {
    local old
    for old in "$state"/tmp/scratch.*; do
        [ ! -d "$old" ] || kill -0 "${old##*.}" 2>/dev/null || rm -rf "$old"
    done
    scratch=$state/tmp/scratch.$BASHPID
    mkdir "$scratch"
    trap 'rm -rf "$scratch"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
}

install_packages() {
    need_root "installing $*"
    say "installing $*"
    if [ -z "${apt_updated:-}" ]; then
        apt-get -qq update >&2 || fail "apt-get update failed: check the machine's package sources"
        apt_updated=1
    fi
    DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends "$@" >&2 ||
        fail "apt-get cannot install $*: install it manually, then run $script again"
}

# need_command PROGRAM PACKAGE: installs the package if the program is missing.
need_command() {
    command -v "$1" >/dev/null && return
    install_packages "$2"
    command -v "$1" >/dev/null || fail "the package $2 does not contain $1: install it manually, then run $script again"
}

# Installs the client. Older releases of Debian have it in the engine's package.
need_docker() {
    command -v docker >/dev/null && return
    case $(debian_release) in
    bookworm) install_packages docker.io ;;
    *) install_packages docker-cli ;;
    esac
}

machine_architecture() { dpkg --print-architecture; }

debian_release() { (. /etc/os-release && [ "${ID:-}" = debian ] && echo "${VERSION_CODENAME:-}"); }

# Prints the archive that this machine installs from, so that a configured mirror or proxy is used here as well.
debian_mirror() {
    if [ -n "${IECHOR_DEBIAN_MIRROR:-}" ]; then
        echo "$IECHOR_DEBIAN_MIRROR"
        return
    fi
    local targets mirror
    # shellcheck disable=SC2016 # apt fills these in
    targets=$(apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' 'Component: main')
    mirror=$(echo "$targets" | sed -n 's/^Debian \([^ ]*\)$/\1/p' | head -n 1)
    # Before the first apt-get update, apt knows the addresses of the archives but not their origin.
    [ -n "$mirror" ] || mirror=$(echo "$targets" | sed -n 's/^ *\(.*\/debian\/*\)$/\1/p' | head -n 1)
    [ -n "$mirror" ] || fail "apt knows no Debian archive: set IECHOR_DEBIAN_MIRROR to the URI of one"
    echo "$mirror"
}

# Creates an apt configuration in `apt` for SUITE and ARCHITECTURE only. It has its own lists and package state, so that
# the machine's apt does not see the other suite or architecture. Fails if the suite cannot be fetched.
open_suite() {
    local suite=$1 architecture=$2 keyring=/usr/share/keyrings/debian-archive-keyring.gpg signed=
    apt=$state/apt/$suite-$architecture
    [ -z "$(find "$apt/fresh" -mmin -60 2>/dev/null)" ] || return 0
    mkdir -p "$apt/etc/apt.conf.d" "$apt/etc/preferences.d" "$apt/etc/sources.list.d" "$apt/lib/lists/partial" \
        "$apt/cache/archives/partial"
    : >"$apt/status"
    [ ! -e "$keyring" ] || signed="[signed-by=$keyring] "
    echo "deb $signed$(debian_mirror) $suite main" >"$apt/etc/sources.list"
    {
        # Keep the machine's settings for reaching the archive, but not those for its contents.
        apt-config dump | grep '^Acquire::' | grep -v -e '^Acquire::IndexTargets' -e '^Acquire::Languages'
        cat <<EOF
Dir::Etc "$apt/etc";
Dir::State "$apt/lib";
Dir::State::status "$apt/status";
Dir::Cache "$apt/cache";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Dir::Etc::trustedparts "/etc/apt/trusted.gpg.d";
APT::Architecture "$architecture";
APT::Architectures { "$architecture"; };
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Acquire::Languages "none";
EOF
    } >"$apt/apt.conf"
    say "reading the package lists of Debian $suite for $architecture"
    APT_CONFIG=$apt/apt.conf flock "$apt/lock" apt-get -qq update >&2 || return 1
    : >"$apt/fresh"
}

# unpack_packages FOLDER PACKAGE...: downloads exactly these packages of the open suite and unpacks them, using the scratch
# directory. None of their scripts is run.
unpack_packages() {
    local folder=$1 debs=$scratch/debs deb
    shift
    mkdir -p "$debs" "$folder"
    (cd "$debs" && APT_CONFIG=$apt/apt.conf apt-get -qq download "$@") >&2 || return 1
    for deb in "$debs"/*.deb; do dpkg -x "$deb" "$folder" || return 1; done
    rm -rf "$debs"
}

# unpack_from 'SUITE ...' ARCHITECTURE FOLDER PACKAGE...: does the same, with the first suite that has all packages.
unpack_from() {
    local suites=$1 architecture=$2 folder=$3 suite
    shift 3
    for suite in $suites; do
        open_suite "$suite" "$architecture" && unpack_packages "$folder" "$@" && return
        say "Debian $suite does not provide $* for $architecture"
    done
    fail "none of Debian's suites $suites provides $* for $architecture: check the network and the machine's apt sources"
}

# compile NAME FLAG...: builds a static program from src/NAME.c, again if its source changed, and prints its path.
compile() {
    local name=$1 key program
    shift
    key=$({ cat "$scripts/src/$name.c"; echo "$*"; } | sha256sum | cut -c1-8)
    program=$state/programs/$name-$key
    if [ ! -x "$program" ]; then
        { command -v gcc >/dev/null && [ -e /usr/include/stdio.h ]; } || install_packages gcc libc6-dev
        say "compiling $name"
        mkdir -p "$state/programs"
        gcc -static -O2 -Wall -Wextra "$@" -o "$program.part.$$" "$scripts/src/$name.c" ||
            fail "gcc cannot compile $scripts/src/$name.c: see above"
        mv "$program.part.$$" "$program"
    fi
    echo "$program"
}

# need_busybox ARCHITECTURE: creates base/ARCHITECTURE/busybox, a root filesystem with busybox, and a tar archive beside it.
need_busybox() {
    local architecture=$1 native home=$state/base/$1
    [ ! -d "$home/busybox" ] || return 0
    native=$(machine_architecture)
    [ "$architecture" = "$native" ] || need_busybox "$native"
    (
        lock "busybox-$architecture"
        [ ! -d "$home/busybox" ] || exit 0
        make_scratch
        say "creating a root filesystem with busybox for $architecture"
        unpack_from "$(debian_release) trixie forky" "$architecture" "$scratch/packages" busybox-static
        binary=$(find "$scratch/packages" -path '*/bin/busybox' -type f)
        root=$scratch/root
        mkdir -p "$root"/{bin,sbin,usr/bin,usr/sbin,etc,root,proc,sys,dev,var}
        mkdir -m 1777 "$root/tmp"
        cp "$binary" "$root/bin/busybox"
        # A foreign busybox cannot run before it can be emulated, so the native one lists the commands for both.
        [ "$architecture" = "$native" ] || binary=$state/base/$native/busybox/bin/busybox
        for applet in $("$binary" --list-full); do
            [ -e "$root/$applet" ] || ln -s /bin/busybox "$root/$applet"
        done
        echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
        echo 'root:x:0:' >"$root/etc/group"
        mkdir -p "$home"
        tar -C "$root" --numeric-owner --owner=0 --group=0 -cf "$scratch/tar" .
        mv "$scratch/tar" "$home/busybox.tar"
        mv "$root" "$home/busybox"
    )
}

# Prints the engine that the other scripts use: the caller's IECHOR_ENGINE, else the one that `engine` finds or starts.
engine_host() {
    if [ -n "${IECHOR_ENGINE:-}" ]; then echo "$IECHOR_ENGINE"; else "$scripts/engine"; fi
}

# answers HOST: succeeds if an engine answers at HOST.
answers() { timeout 10 docker -H "$1" version --format '{{.Server.Version}}' >/dev/null 2>&1; }

# processes_of PATH: prints the processes that have this path in their command line.
processes_of() {
    { grep -l -a -F -e "$1" /proc/[0-9]*/cmdline 2>/dev/null || :; } | cut -d/ -f3 | grep -v -x -e "$$" -e self || :
}

# remove_networks POOL BRIDGE: removes the bridges with an address of the pool, except BRIDGE.
remove_networks() {
    local device
    ip -4 -o addr show to "$1" | while read -r _ device _; do [ "$device" = "$2" ] || ip link del "$device"; done
}
