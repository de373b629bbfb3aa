//! Hints for errors of the files of a build.

use iechor_build::plan::PlanError;
use iechor_build::{Absence, MissingFile};

use crate::program;

/// Returns what to do about a file of a build that cannot be used.
pub(super) fn hint(error: &PlanError) -> Option<String> {
    Some(match error {
        PlanError::Dockerfile { .. } => "name the Dockerfile with --file FILE".into(),
        PlanError::ContextNotFound { .. } => {
            "a context is a directory, an http:// or https:// URL, a git repository (git://, ssh://, \
             USER@HOST:PATH or a URL that ends in .git), or - for standard input"
                .into()
        }
        PlanError::ContextNotDirectory { path } => format!(
            "to build from an archive, pass it on standard input: `{} < {}`",
            program::buildx("build -"),
            path.display()
        ),
        PlanError::StdinTwice => {
            "name a directory as the context, or the Dockerfile in it with --file FILE".into()
        }
        PlanError::StdinAmbiguous => {
            "standard input is not a tar archive (plain, or compressed with gzip, bzip2, xz or zstd), so \
             it is taken as the Dockerfile: leave --file out, or pass an archive"
                .into()
        }
        PlanError::StdinEmpty => {
            "check the command before the pipe, or the file that standard input is redirected from".into()
        }
        PlanError::NamedContext { .. } => named(),
        PlanError::Temporary { .. } => "set TMPDIR to a directory that you can write to".into(),
        _ => return None,
    })
}

/// Returns the syntax of named contexts.
pub(super) fn named() -> String {
    "--build-context takes NAME=SOURCE, with NAME in lower case, and SOURCE a directory, a URL, \
     docker-image://IMAGE or oci-layout://DIRECTORY"
        .into()
}

/// Returns why a file is missing in the context.
pub(super) fn missing(missing: &MissingFile) -> String {
    let path = &missing.path;
    match &missing.reason {
        Absence::Excluded {
            file,
            line,
            pattern,
        } => format!(
            "{path:?} is excluded by line {line} of {}: {pattern}",
            file.display()
        ),
        Absence::NotThere { context } => format!(
            "there is no {path:?} in the context {}; no .dockerignore file excludes it",
            context.display()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_a_missing_file_is_told() {
        let because = |reason| {
            missing(&MissingFile {
                path: "a.log".into(),
                reason,
            })
        };
        let excluded = because(Absence::Excluded {
            file: "app/.dockerignore".into(),
            line: 3,
            pattern: "*.log".into(),
        });
        let said = "\"a.log\" is excluded by line 3 of app/.dockerignore: *.log";
        assert_eq!(excluded, said);
        let context = "app".into();
        let not_there = because(Absence::NotThere { context });
        assert!(
            not_there.contains("no .dockerignore file excludes it"),
            "{not_there}"
        );
    }

    #[test]
    fn mistakes_about_standard_input_have_a_hint() {
        for error in [
            PlanError::StdinTwice,
            PlanError::StdinAmbiguous,
            PlanError::StdinEmpty,
        ] {
            assert!(hint(&error).is_some(), "{error}");
        }
    }
}
