//! Files of the user's machine that options name: read here, and never seen by a driver.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls_pki_types::pem::{self, PemObject as _};

/// Largest such file, in bytes: bundles of all public authorities have a quarter of that.
const LIMIT: u64 = 1 << 20;

/// The contents of such files, by the names of their options.
#[derive(Clone, Default)]
pub(crate) struct Files(Arc<BTreeMap<String, Vec<u8>>>);

impl Files {
    pub(crate) fn new(files: BTreeMap<String, Vec<u8>>) -> Self {
        Self(Arc::new(files))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.get(name).map(Vec::as_slice)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// Leaves the contents out: there are private keys among them.
impl fmt::Debug for Files {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

/// Reads a file that an option names; it has to be PEM.
pub(crate) fn read(value: &str) -> Result<Vec<u8>, String> {
    const MEND: &str = "give the path of a file with certificates or a key in PEM";
    let path = Path::new(value);
    if value.is_empty() {
        return Err(format!("it is empty; {MEND}"));
    }
    // What a relative path means would change with the directory of each command.
    if !path.is_absolute() {
        return Err(format!("{value:?} is not an absolute path; {MEND}"));
    }
    let unreadable = |reason: String| format!("cannot read {value}: {reason}; {MEND}");
    let metadata = std::fs::metadata(path).map_err(|error| unreadable(error.to_string()))?;
    if !metadata.is_file() {
        return Err(unreadable("it is not a file".into()));
    }
    if metadata.len() > LIMIT {
        return Err(unreadable(format!(
            "it has {} KiB, more than the {} that are allowed",
            metadata.len() >> 10,
            LIMIT >> 10
        )));
    }
    let contents = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
    match <(pem::SectionKind, Vec<u8>)>::pem_slice_iter(&contents).next() {
        Some(Ok(_)) => Ok(contents),
        _ => Err(format!("{value} has no PEM in it (-----BEGIN ...); {MEND}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_pem_file_is_refused_with_what_would_be_right() {
        let directory = tempfile::tempdir().expect("directory");
        let path = |name: &str, contents: &[u8]| {
            let path = directory.path().join(name);
            std::fs::write(&path, contents).expect("written");
            path.to_str().expect("Unicode").to_owned()
        };
        let good = path(
            "good",
            b"words\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        );
        assert!(read(&good).is_ok());
        let large = path("large", &vec![b'x'; 2 << 20]);
        for (value, expected) in [
            ("", "it is empty"),
            ("ca.pem", "not an absolute path"),
            ("/nonexistent/ca.pem", "No such file"),
            (directory.path().to_str().expect("Unicode"), "not a file"),
            (&large, "2048 KiB"),
            (&path("der", b"\x30\x82\x01"), "no PEM"),
            (&path("none", b""), "no PEM"),
            (&path("cut", b"-----BEGIN CERTIFICATE-----\nAA"), "no PEM"),
        ] {
            let error = read(value).expect_err(value);
            assert!(error.contains(expected), "{error}");
            assert!(error.contains("give the path"), "{error}");
        }
    }

    #[test]
    fn debug_output_holds_no_key() {
        let files = Files::new(BTreeMap::from([("key".to_owned(), b"secret".to_vec())]));
        assert_eq!(format!("{files:?}"), r#"{"key"}"#);
    }
}
