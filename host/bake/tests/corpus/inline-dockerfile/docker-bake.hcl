target "default" {
  dockerfile-inline = <<-EOT
    FROM alpine
    RUN echo "$${HOME}" && \
      true
  EOT
}
