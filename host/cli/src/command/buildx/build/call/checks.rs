//! The warnings of the checks of a Dockerfile, as text.

use iechor_build::checks::Finding;
use iechor_text::clean_line;

use crate::text::Text;

/// Maximum length of a line, in characters.
const LONGEST: usize = 4 << 10;

/// Returns the warnings, after a line with their number.
pub(super) fn text(warnings: &[Finding], has_error: bool) -> Text {
    let mut text = Text::default();
    match warnings.len() {
        0 if has_error => {}
        0 => text.line("Check complete, no warnings found."),
        1 => text.line("Check complete, 1 warning has been found!"),
        count => text.line(&format!(
            "Check complete, {count} warnings have been found!"
        )),
    }
    for warning in warnings {
        let url = match warning.url.as_str() {
            "" => String::new(),
            url => format!(" - {url}"),
        };
        let title = clean_line(&format!("{}{url}", warning.rule), LONGEST);
        // The marker is the program's.
        text.append(&Text::prepared(format!("\nWARNING: {title}\n")));
        text.line(&warning.detail);
        for line in &warning.snippet {
            text.line(line);
        }
    }
    text
}

/// Returns an error with the lines of the Dockerfile.
pub(super) fn error(error: &Finding) -> String {
    let lines = std::iter::once(&error.detail).chain(&error.snippet);
    let lines: Vec<_> = lines.map(|line| clean_line(line, LONGEST)).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(rule: &str, url: &str, detail: &str) -> Finding {
        Finding {
            rule: rule.into(),
            url: url.into(),
            detail: detail.into(),
            snippet: vec!["Dockerfile:1".into(), "   1 | >>> FROM".into()],
        }
    }

    #[test]
    fn warnings_are_counted_and_shown_with_their_lines() {
        let found = [
            finding("First", "https://x/First", "because"),
            finding("Second", "", "because of that"),
        ];
        assert_eq!(
            text(&found, false).as_str(),
            "Check complete, 2 warnings have been found!\n\
             \nWARNING: First - https://x/First\nbecause\nDockerfile:1\n   1 | >>> FROM\n\
             \nWARNING: Second\nbecause of that\nDockerfile:1\n   1 | >>> FROM\n"
        );
        let one = text(&found[..1], true);
        assert!(
            one.as_str()
                .starts_with("Check complete, 1 warning has been found!\n")
        );
        assert_eq!(
            text(&[], false).as_str(),
            "Check complete, no warnings found.\n"
        );
        assert_eq!(text(&[], true).as_str(), "");
    }

    #[test]
    fn foreign_text_cannot_look_like_the_program() {
        let found = [finding("R\nERROR: x", "", "hint: y")];
        assert!(
            text(&found, false)
                .as_str()
                .contains("\nWARNING: R ERROR: x\n hint: y\n")
        );
    }

    #[test]
    fn an_error_is_followed_by_its_lines() {
        let found = finding("", "", "unknown instruction");
        let expected = "unknown instruction\nDockerfile:1\n   1 | >>> FROM";
        assert_eq!(error(&found), expected);
    }
}
