//! Words of a driver, made fit to be shown.

/// Removes control characters (line ends and tabs stay) and cuts at `most` characters, so that a
/// driver cannot move the cursor, retitle the terminal or flood it.
pub(crate) fn clean(text: &str, most: usize) -> String {
    let mut kept: String = text
        .chars()
        .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
        .take(most + 1)
        .collect();
    if kept.chars().count() > most {
        kept.pop();
        kept.push('…');
    }
    kept
}

/// As [`clean`], on one line.
pub(crate) fn clean_line(text: &str, most: usize) -> String {
    clean(text, most).replace(['\n', '\t'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_sequences_lose_their_escape() {
        assert_eq!(clean("a\x1b[2Jb\rc\u{9b}d\ne", 100), "a[2Jbcd\ne");
        assert_eq!(clean_line("a\nb\tc", 100), "a b c");
    }

    #[test]
    fn long_text_is_cut_by_characters() {
        assert_eq!(clean("äöüß", 3), "äöü…");
        assert_eq!(clean("äöü", 3), "äöü");
    }
}
