target "default" {
  attest = ["type=provenance,mode=max", "type=sbom"]
}
target "plain" {
  inherits = ["default"]
  attest = [{ type = "provenance", disabled = true }]
}
