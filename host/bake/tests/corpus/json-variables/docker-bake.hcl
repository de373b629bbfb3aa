variable "IMAGES" {
  type = list(object({
    name = string
    port = optional(number)
  }))
  default = [{ name = "a" }]
}

target "default" {
  args = { for image in IMAGES : "PORT_${upper(image.name)}" => image.port == null ? "none" : image.port }
}
