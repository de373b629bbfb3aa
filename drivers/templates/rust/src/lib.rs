//! {{name}}: BuildKit in a container of the engine, its cache in a volume.
//!
//! `iechor_buildkit_container` creates, starts, stops and removes the container. This driver
//! decides its settings and options. A driver that runs BuildKit elsewhere implements
//! [`iechor_driver::Driver`] instead.

use iechor_buildkit_container::{ContainerDriver, DEFAULT_IMAGE, Policy, Settings};
use iechor_driver::container::Container;
use iechor_driver::{Description, Error, Node, Options, capability, log, values};

/// What this driver adds to a BuildKit in a container.
pub struct Mine;

iechor_driver::register!(ContainerDriver<Mine>);

impl Policy for Mine {
    fn describe() -> Description {
        Description::new(
            "{{name}}",
            env!("CARGO_PKG_VERSION"),
            "BuildKit in a container of the engine, its cache in a volume",
        )
        .capability(capability::required(
            "container.privileged",
            "BuildKit mounts file systems and starts containers of its own",
        ))
        .capability(capability::required(
            "image.pull",
            "the image that BuildKit runs from",
        ))
        .capability(capability::optional(
            "engine.load",
            "the option default-load loads results into the engine",
        ))
    }

    fn open(_: &Node, options: &mut Options) -> (Self, Settings) {
        let settings = Settings {
            image: options
                .text("image", "Image that BuildKit runs from")
                .parse(values::image_reference)
                .default(DEFAULT_IMAGE),
            memory: options
                .size("memory", "Memory that the container may use")
                .optional(),
            default_load: options
                .boolean("default-load", "Load results into the engine")
                .default("false"),
            env: options
                .table("env", "Environment variable of BuildKit, as env.NAME=VALUE")
                .read(),
            ..Settings::default()
        };
        if settings.memory.is_some_and(|bytes| bytes < 64 << 20) {
            options.refuse("memory", "BuildKit needs 64m at least");
        }
        (Self, settings)
    }

    fn booted(&self, _container: &Container) -> Result<(), Error> {
        log::write(log::Level::Debug, "BuildKit answers", &[]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use iechor_driver::testing;

    type Driver = ContainerDriver<Mine>;

    #[test]
    fn what_it_says_of_itself_can_be_relied_on() {
        testing::assert_sound::<Driver>();
    }

    #[test]
    fn options_are_read() {
        let driver = testing::open::<Driver>(&[("memory", "1g")]).expect("it is right");
        assert_eq!(driver.settings().memory, Some(1 << 30));
    }

    #[test]
    fn wrong_options_are_refused_by_name() {
        testing::assert_refused::<Driver>(&[("memory", "1m")], &["memory"]);
        testing::assert_refused::<Driver>(&[("image", ""), ("memory", "x")], &["image", "memory"]);
    }
}
