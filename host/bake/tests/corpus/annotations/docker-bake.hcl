target "default" {
  annotations = ["index,manifest:org.opencontainers.image.vendor=Example", "a=$${b}"]
  labels = { "note" = "costs $${PRICE} & <more>" }
}
target "more" {
  inherits = ["default"]
  annotations = ["c=d"]
}
