//! Files of the user's machine whose contents no driver sees.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use iechor_files::pem::{self, Purpose};

use crate::node_files::NodeFiles;

/// The files of a configuration.
#[derive(Clone, Default, Debug)]
pub(crate) struct Files {
    /// Those that options name.
    pub(crate) of_options: OptionFiles,
    /// Those for BuildKit.
    pub(crate) of_node: NodeFiles,
}

/// The contents of files that options name, by the names of these options.
#[derive(Clone, Default)]
pub(crate) struct OptionFiles(Arc<BTreeMap<String, Vec<u8>>>);

impl OptionFiles {
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

/// Leaves out the contents, which may be private keys.
impl fmt::Debug for OptionFiles {
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
    let contents = iechor_files::read(path, pem::LARGEST)
        .map_err(|error| format!("cannot read {value}: {error}; {MEND}"))?;
    match pem::check(&contents, Purpose::Any) {
        Ok(()) => Ok(contents),
        Err(error) => Err(format!("cannot use {value}: {error}; {MEND}")),
    }
}

#[cfg(test)]
mod tests {
    use rustix::fs::{CWD, Mode, mkfifoat};

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
            b"words\n-----BEGIN CERTIFICATE-----\nMAIwAA==\n-----END CERTIFICATE-----\n",
        );
        assert!(read(&good).is_ok());
        let pipe = directory.path().join("pipe").display().to_string();
        mkfifoat(CWD, &pipe, Mode::RWXU).expect("made");
        let large = path("large", &vec![b'x'; 2 << 20]);
        for (value, expected) in [
            ("", "it is empty"),
            ("ca.pem", "not an absolute path"),
            ("/nonexistent/ca.pem", "No such file"),
            (directory.path().to_str().expect("Unicode"), "a directory"),
            (&pipe, "a named pipe"),
            ("/dev/zero", "a device"),
            ("/etc/shadow", "no certificate or private key in it"),
            (&large, "more than 1 MiB"),
            (&path("der", b"\x30\x82\x01"), "in PEM"),
            (&path("none", b""), "in PEM"),
            (&path("cut", b"-----BEGIN CERTIFICATE-----\nAA"), "damaged"),
        ] {
            let error = read(value).expect_err(value);
            assert!(error.contains(expected), "{error}");
            assert!(error.contains("give the path"), "{error}");
        }
    }

    #[test]
    fn debug_output_holds_no_key() {
        let files = OptionFiles::new(BTreeMap::from([("key".to_owned(), b"secret".to_vec())]));
        assert_eq!(format!("{files:?}"), r#"{"key"}"#);
    }
}
