version = "${major}.${minor}"
major   = 4
minor   = length(split(",", "a,b,c"))
names   = [for n in ["x", "y"] : upper(n)]

target "default" {
  args = { VERSION = version, NAMES = join("", names) }
}
