# Ends BuildKit when nobody has used it for $1 seconds, looking every $2 seconds. Runs in BuildKit's container, in the
# background, and ends with it. For the sh of busybox, which images of BuildKit have.
idle=$1 pause=$2

# A container that is booted a second time has a watch already. Shells are told apart by $0, which is in their command line.
for process in /proc/[0-9]*; do
  [ "$process" != "/proc/$$" ] || continue
  read -r name 2>/dev/null <"$process/comm" && [ "$name" = sh ] || continue
  case $(tr '\0' ' ' 2>/dev/null <"$process/cmdline") in
  *" iechor-idle-stop "*) exit 0 ;;
  esac
done

# Every build comes through buildctl dial-stdio; what it runs is a child of buildkit-runc.
in_use() {
  for process in /proc/[0-9]*; do
    read -r name 2>/dev/null <"$process/comm" || continue
    case $name in
    buildctl | buildkit-runc) return 0 ;;
    esac
  done
  return 1
}

watch() {
  read -r used _ </proc/uptime
  used=${used%.*}
  read -r _ _ _ _ before </proc/loadavg
  while sleep "$pause"; do
    read -r now _ </proc/uptime
    now=${now%.*}
    # A build that came and went between two looks is known by the process numbers that it took: a connection takes six
    # or more, a sleep takes one, and BuildKit by itself hardly any.
    read -r _ _ _ _ last </proc/loadavg
    taken=$((last - before))
    before=$last
    if in_use || [ "$taken" -lt 0 ] || [ "$taken" -gt 5 ]; then
      used=$now
    elif [ $((now - used)) -ge "$idle" ]; then
      kill -TERM 1
    fi
  done
}

# A shell of its own, since redirecting a function would leave it the streams that the caller waits for.
(watch) </dev/null >/dev/null 2>&1 &
