target "default" {
  context = "${BAKE_CMD_CONTEXT}src/../lib"
  platforms = [BAKE_LOCAL_PLATFORM]
  dockerfile = "../build/Dockerfile"
}
