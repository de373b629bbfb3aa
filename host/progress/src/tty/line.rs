//! Formats one line, by the widths that characters have on a terminal.

use iechor_text::RESET;
use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

use crate::output::Line;

/// The beginning of the line of a job.
const MARK: &str = " => ";

/// Minimum space for the name of a job. On a narrower screen, its line is left out.
const LEAST_NAME: usize = 12;

/// Space for the name and the amount above which the amount is shown.
const LEAST_WITH_AMOUNT: usize = 20;

/// Returns a line of text without colours.
pub(super) fn of(text: String) -> Line {
    Line {
        width: text.width(),
        text,
    }
}

/// Returns a line with the text in a colour, or another attribute.
pub(super) fn painted(text: &str, sequence: &str) -> Line {
    Line {
        width: text.width(),
        text: format!("{sequence}{text}{RESET}"),
    }
}

/// Returns the beginning of a text that is at most `width` columns wide.
fn fitting(text: &str, width: usize) -> &str {
    let mut taken = 0;
    for (start, cluster) in text.grapheme_indices(true) {
        taken += cluster.width();
        if taken > width {
            return &text[..start];
        }
    }
    text
}

/// Returns a line that is at most `width` columns wide.
pub(super) fn cut(text: &str, width: usize) -> Line {
    of(fitting(text, width).to_owned())
}

/// Returns a text with `right` at its end, so that it is `width` columns wide.
pub(super) fn aligned(left: &str, right: &str, width: usize) -> String {
    let used = left.width() + right.width() + 1;
    let space = width.saturating_sub(used);
    format!("{left}{:space$} {right}", "")
}

/// Returns the line of a job: its name, the amount that it has done, and its time at the right. Returns
/// `None` if there is no space for the name.
pub(super) fn job(name: &str, amount: &str, seconds: f64, width: usize) -> Option<String> {
    let seconds = if seconds < 0.05 { 0.0 } else { seconds };
    let timer = format!(" {seconds:3.1}s");
    // One column at the right stays free, and one is between the name and the time.
    let right = width.saturating_sub(timer.width() + 1);
    let mut left = right.saturating_sub(MARK.len() + 1);
    let mut amount = amount.to_owned();
    // As in BuildKit, which compares after it has added the length of the amount.
    if !amount.is_empty() && left + amount.width() > LEAST_WITH_AMOUNT {
        left = left.saturating_sub(amount.width() + 1);
        amount.insert(0, ' ');
    } else {
        amount.clear();
    }
    if left < LEAST_NAME {
        return None;
    }
    // A tab has no width of its own.
    let name = name.replace('\t', " ");
    let text = format!("{MARK}{}{amount}", fitting(&name, left));
    Some(aligned(&text, &timer, width.saturating_sub(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_stands_at_the_right() {
        for (name, amount, expected) in [
            ("[1/2] RUN make", "", " => [1/2] RUN make"),
            ("=> sha256:1", "1B / 2B", " => => sha256:1 1B / 2B"),
            (
                "0123456789abcdefghijklmnopqrstuvwxyz",
                "",
                " => 0123456789abcdefghijklmnopqrs",
            ),
            // Characters of two columns are not halved.
            (
                "日本語日本語日本語日本語日本語",
                "",
                " => 日本語日本語日本語日本語日本",
            ),
            ("xe\u{301}e\u{301}", "", " => xe\u{301}e\u{301}"),
            ("tab\there", "", " => tab here"),
        ] {
            let line = job(name, amount, 1.5, 40).unwrap();
            let space = 33 - expected.width();
            assert_eq!(line, format!("{expected}{:space$}  1.5s", ""));
            assert_eq!(line.width(), 39, "{line:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        // The same calculation as BuildKit's: 30 - 4 - 6 - 1 = 19 columns for the name.
        assert_eq!(
            job("0123456789abcdefghijklmnop", "", 1.5, 30).unwrap(),
            " => 0123456789abcdefghi  1.5s"
        );
        // 19 + 2 > 20: the amount is shown, and there is space for 16 characters of the name.
        assert_eq!(
            job("0123456789abcdefghijklmnop", "1B", 1.5, 30).unwrap(),
            " => 0123456789abcdef 1B  1.5s"
        );
        assert_eq!(job("name", "", 1.5, 23).map(|line| line.width()), Some(22));
        assert_eq!(job("name", "", 1.5, 22), None);
        assert_eq!(job("name", "", 1.5, 0), None);
    }

    #[test]
    fn times_are_rounded() {
        for (seconds, expected) in [
            (0.0, "0.0s"),
            (0.049, "0.0s"),
            (0.051, "0.1s"),
            (123.45, "123.5s"),
        ] {
            assert!(
                job("x", "", seconds, 40)
                    .unwrap()
                    .ends_with(&format!(" {expected}"))
            );
        }
    }

    #[test]
    fn lines_are_cut_between_characters() {
        assert_eq!(cut("日本語", 5), of("日本".into()));
        assert_eq!(cut("e\u{301}e\u{301}", 1), of("e\u{301}".into()));
        assert_eq!(cut("abc", 0), of(String::new()));
    }
}
