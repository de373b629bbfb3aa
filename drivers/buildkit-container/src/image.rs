//! The image that BuildKit runs from.

use iechor_driver::image::{self, Pull as When};
use iechor_driver::{Error, step};

use crate::settings::Pull;

/// Makes the image available in the engine, and returns its reference for a container.
pub fn obtain(reference: &str, pull: Pull) -> Result<String, Error> {
    if pull == Pull::Always {
        return pulled_or_local(reference);
    }
    match image::resolve(reference, None, When::Never, None) {
        Err(Error::NotFound(_)) if pull == Pull::Missing => pulled(reference),
        Err(Error::NotFound(_)) => Err(Error::Other(format!(
            "image {reference} is not in the engine, and the option pull is never: load the image, \
             or set pull=missing"
        ))),
        local => Ok(local?.reference),
    }
}

/// Pulls the image. If that fails and the engine has an image of that name, shows this and uses it.
fn pulled_or_local(reference: &str) -> Result<String, Error> {
    let pull_error = match pulled(reference) {
        Ok(reference) => return Ok(reference),
        Err(error @ (Error::Cancelled | Error::Timeout | Error::Denied(_))) => return Err(error),
        Err(error) => error,
    };
    match image::resolve(reference, None, When::Never, None) {
        Ok(resolved) => step(&format!("using local image {reference}"), |_| {
            Ok(resolved.reference)
        }),
        Err(Error::NotFound(_)) => Err(pull_error),
        Err(error) => Err(error),
    }
}

fn pulled(reference: &str) -> Result<String, Error> {
    let resolved = step(&format!("pulling image {reference}"), |task| {
        image::resolve(reference, None, When::Always, Some(task))
    });
    Ok(resolved?.reference)
}
