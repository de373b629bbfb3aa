variable "TAG" { default = "latest" }
variable "REGISTRY" { default = "registry.example.com" }

group "default" {
  targets = ["api", "worker"]
}

target "_common" {
  dockerfile = "docker/Dockerfile"
  args = {
    GO_VERSION = "1.24"
  }
  labels = {
    "org.opencontainers.image.source" = "https://example.com/shop"
  }
}

target "api" {
  inherits = ["_common"]
  target   = "api"
  tags     = ["${REGISTRY}/shop/api:${TAG}"]
}

target "worker" {
  inherits = ["_common"]
  target   = "worker"
  tags     = ["${REGISTRY}/shop/worker:${TAG}"]
}
