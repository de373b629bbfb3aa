//! Errors with their causes.

use std::error::Error;

/// Returns the text of an error and of its causes, separated by colons. A cause whose text is already part of
/// the text, because the error repeats it, is left out.
pub fn chain(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let more = cause.to_string();
        if !words.contains(&more) {
            words.push_str(": ");
            words.push_str(&more);
        }
        next = cause.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use std::{fmt, io};

    use super::*;

    /// An error with its text, and a cause.
    #[derive(Debug)]
    struct Because(String, io::Error);

    impl fmt::Display for Because {
        fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str(&self.0)
        }
    }

    impl Error for Because {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.1)
        }
    }

    #[test]
    fn a_cause_is_told_once() {
        let denied = || io::Error::from_raw_os_error(13);
        for text in [
            "cannot read x",
            "cannot read x: Permission denied (os error 13)",
        ] {
            let error = Because(text.to_owned(), denied());
            assert_eq!(
                chain(&error),
                "cannot read x: Permission denied (os error 13)"
            );
        }
        assert_eq!(chain(&denied()), "Permission denied (os error 13)");
    }
}
