target "default" {
  network = "host"
  shm-size = "128m"
  ulimits = ["nofile=1024:2048", "core=0"]
  extra-hosts = { "db.local" = "10.0.0.5", "skip" = null }
  entitlements = ["security.insecure"]
  no-cache-filter = ["deps", "deps"]
  call = "check"
}
