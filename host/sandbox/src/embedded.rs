//! The drivers that are built in: components like any other, with the machine code that the build
//! script made of them.

/// A driver that is built in.
pub struct Embedded {
    /// Name.
    pub name: &'static str,
    /// Names in docker buildx.
    pub aliases: &'static [&'static str],
    pub(crate) component: &'static [u8],
    pub(crate) machine_code: &'static [u8],
}

macro_rules! embedded {
    ($name:literal $(, $alias:literal)*) => {
        Embedded {
            name: $name,
            aliases: &[$($alias),*],
            component: include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".wasm")),
            machine_code: include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".cwasm")),
        }
    };
}

/// All of them.
pub static EMBEDDED: &[Embedded] = &[
    embedded!("iechor-container", "docker-container"),
    embedded!("iechor", "docker"),
    embedded!("remote"),
];

impl Embedded {
    /// Returns the built-in driver with this name or alias.
    pub fn find(name: &str) -> Option<&'static Self> {
        EMBEDDED.iter().find(|driver| driver.is_called(name))
    }

    /// Returns whether this is its name, or one of its aliases.
    pub fn is_called(&self, name: &str) -> bool {
        self.name == name || self.aliases.contains(&name)
    }

    /// Returns the names and aliases of all built-in drivers.
    pub fn names() -> impl Iterator<Item = &'static str> {
        EMBEDDED
            .iter()
            .flat_map(|driver| std::iter::once(driver.name).chain(driver.aliases.iter().copied()))
    }
}
