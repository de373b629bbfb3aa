# shellcheck shell=bash
# shellcheck disable=SC2034 # what is set here is for the scripts that source it
# Shared by the scripts of this folder, which source it. By itself it only finds the folders they work in.

scripts=$(cd "$(dirname "$0")" && pwd -P)
script=$(basename "$0")

# What has been made for this checkout, and may be thrown away with its target folder.
state=${IECHOR_MACHINE_DIR:-$scripts/../../target/machine}
mkdir -p "$state/tmp"
state=$(cd "$state" && pwd -P)

# Several checkouts may share a machine: names that all of it sees carry this.
hash=$(printf %s "$state" | sha256sum | cut -c1-8)

# Sockets live here and not in the state directory, since a socket's path has no more than 107 bytes.
if [ "$(id -u)" = 0 ]; then run=/run/iechor-$hash; else run=${XDG_RUNTIME_DIR:-/tmp}/iechor-$hash; fi
own_engine=unix://$run/docker.sock

buildkit_image=moby/buildkit:buildx-stable-1

say() { printf '%s: %s\n' "$script" "$*" >&2; }

fail() {
    say "error: $*"
    exit 1
}

need_root() { [ "$(id -u)" = 0 ] || fail "$1 needs root: run it with sudo"; }

# lock NAME: one process at a time; the lock ends with the script. Programs that outlive it close descriptor 9.
lock() {
    exec 9>"$state/tmp/$1.lock"
    flock -n 9 && return
    say "waiting for another $1 to finish"
    flock 9
}

# Sets `scratch` to an empty folder that goes away with this shell. What is made there is moved to its place when it
# is whole, so that an interrupted run leaves nothing that looks finished.
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
        apt-get -qq update >&2 || fail "apt-get update does not work here: mend the machine's package sources"
        apt_updated=1
    fi
    DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends "$@" >&2 ||
        fail "apt-get cannot install $*: install it by hand, then run $script again"
}

# need_command PROGRAM PACKAGE: installs the package where the program is missing.
need_command() {
    command -v "$1" >/dev/null && return
    install_packages "$2"
    command -v "$1" >/dev/null || fail "the package $2 does not bring $1: install it by hand, then run $script again"
}

# The client; Debian had it in the engine's package before it had one of its own.
need_docker() {
    command -v docker >/dev/null && return
    case $(debian_release) in
    bookworm) install_packages docker.io ;;
    *) install_packages docker-cli ;;
    esac
}

machine_architecture() { dpkg --print-architecture; }

debian_release() { (. /etc/os-release && [ "${ID:-}" = debian ] && echo "${VERSION_CODENAME:-}"); }

# The archive that this machine installs from, so that a mirror or a proxy of its own is used here too.
debian_mirror() {
    if [ -n "${IECHOR_DEBIAN_MIRROR:-}" ]; then
        echo "$IECHOR_DEBIAN_MIRROR"
        return
    fi
    local targets mirror
    # shellcheck disable=SC2016 # apt fills these in
    targets=$(apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' 'Component: main')
    mirror=$(echo "$targets" | sed -n 's/^Debian \([^ ]*\)$/\1/p' | head -n 1)
    # A machine that never ran apt-get update knows the addresses but not yet whose they are.
    [ -n "$mirror" ] || mirror=$(echo "$targets" | sed -n 's/^ *\(.*\/debian\/*\)$/\1/p' | head -n 1)
    [ -n "$mirror" ] || fail "apt knows no Debian archive: set IECHOR_DEBIAN_MIRROR to the URI of one"
    echo "$mirror"
}

# Leaves an apt configuration in `apt`, for SUITE and ARCHITECTURE alone: with lists and a package state of its own,
# so that the machine's apt knows nothing of a foreign suite or architecture. Fails where the suite does not come.
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
        # How the machine reaches its archive, but not what it wishes to know of it.
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

# unpack_packages FOLDER PACKAGE...: downloads these packages, and no others, of the open suite and unpacks them,
# with the help of the scratch folder. Nothing of them is run.
unpack_packages() {
    local folder=$1 debs=$scratch/debs deb
    shift
    mkdir -p "$debs" "$folder"
    (cd "$debs" && APT_CONFIG=$apt/apt.conf apt-get -qq download "$@") >&2 || return 1
    for deb in "$debs"/*.deb; do dpkg -x "$deb" "$folder" || return 1; done
    rm -rf "$debs"
}

# unpack_from 'SUITE ...' ARCHITECTURE FOLDER PACKAGE...: the same, from the first of the suites that has them all.
unpack_from() {
    local suites=$1 architecture=$2 folder=$3 suite
    shift 3
    for suite in $suites; do
        open_suite "$suite" "$architecture" && unpack_packages "$folder" "$@" && return
        say "Debian $suite does not give $* for $architecture"
    done
    fail "none of Debian's $suites gives $* for $architecture: check the network and the machine's apt sources"
}

# compile NAME FLAG...: a static program from src/NAME.c, printed as a path; made anew when its source changed.
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

# need_busybox ARCHITECTURE: makes base/ARCHITECTURE/busybox, a root filesystem of busybox, and its tar beside it.
need_busybox() {
    local architecture=$1 native home=$state/base/$1
    [ ! -d "$home/busybox" ] || return 0
    native=$(machine_architecture)
    [ "$architecture" = "$native" ] || need_busybox "$native"
    (
        lock "busybox-$architecture"
        [ ! -d "$home/busybox" ] || exit 0
        make_scratch
        say "making a root filesystem of busybox for $architecture"
        unpack_from "$(debian_release) trixie forky" "$architecture" "$scratch/packages" busybox-static
        binary=$(find "$scratch/packages" -path '*/bin/busybox' -type f)
        root=$scratch/root
        mkdir -p "$root"/{bin,sbin,usr/bin,usr/sbin,etc,root,proc,sys,dev,var}
        mkdir -m 1777 "$root/tmp"
        cp "$binary" "$root/bin/busybox"
        # A foreign busybox cannot say what it can do before it can be emulated, so the native one tells for both.
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

# The engine that the other scripts fill: the caller's IECHOR_ENGINE, else whichever `engine` finds or starts.
engine_host() {
    if [ -n "${IECHOR_ENGINE:-}" ]; then echo "$IECHOR_ENGINE"; else "$scripts/engine"; fi
}

# answers HOST: does an engine answer there?
answers() { timeout 10 docker -H "$1" version --format '{{.Server.Version}}' >/dev/null 2>&1; }

# processes_of PATH: the processes that have this path in their command line.
processes_of() {
    { grep -l -a -F -e "$1" /proc/[0-9]*/cmdline 2>/dev/null || :; } | cut -d/ -f3 | grep -v -x -e "$$" -e self || :
}

# remove_networks POOL BRIDGE: removes the bridges with an address of the pool, but for BRIDGE.
remove_networks() {
    local device
    ip -4 -o addr show to "$1" | while read -r _ device _; do [ "$device" = "$2" ] || ip link del "$device"; done
}
