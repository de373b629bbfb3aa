//! Words of a driver, made fit to be shown.

/// Removes control characters (line ends and tabs stay) and what is not seen or turns round what is
/// seen, and cuts at `most` characters, so that a driver cannot move the cursor, retitle the terminal,
/// flood it, or have its words read as others than they are.
pub(crate) fn clean(text: &str, most: usize) -> String {
    let mut kept: String = text
        .chars()
        .filter(|c| matches!(c, '\n' | '\t') || !(c.is_control() || is_invisible(*c)))
        .take(most + 1)
        .collect();
    if kept.chars().count() > most {
        kept.pop();
        kept.push('…');
    }
    kept
}

/// Unicode's format characters (category Cf: marks of direction, joiners, tags), and its line and
/// paragraph separators.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}'
        | '\u{8e2}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}'
        | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0001}' | '\u{e0020}'..='\u{e007f}')
}

/// As [`clean`], on one line.
pub(crate) fn clean_line(text: &str, most: usize) -> String {
    clean(text, most).replace(['\n', '\t'], " ")
}

/// The word that was most likely meant, where one is near enough.
pub(crate) fn nearest<'a>(word: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    words
        .map(|known| (distance(word, known), known))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= 2)
        .map(|(_, known)| known)
}

/// Edits (insert, delete, replace) that make one word the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_sequences_lose_their_escape() {
        assert_eq!(clean("a\x1b[2Jb\rc\u{9b}d\ne", 100), "a[2Jbcd\ne");
        assert_eq!(clean_line("a\nb\tc", 100), "a b c");
        // "nogrant" is what a terminal would make of it.
        assert_eq!(
            clean("no\u{202e}tnarg\u{2066}\u{200b}\u{2028}", 100),
            "notnarg"
        );
    }

    #[test]
    fn long_text_is_cut_by_characters() {
        assert_eq!(clean("äöüß", 3), "äöü…");
        assert_eq!(clean("äöü", 3), "äöü");
    }

    #[test]
    fn distances() {
        assert_eq!(distance("memory", "memory"), 0);
        assert_eq!(distance("memroy", "memory"), 2);
        assert_eq!(distance("", "abc"), 3);
    }

    #[test]
    fn a_word_that_is_near_enough_was_meant() {
        let words = ["image", "memory", "memory-swap"];
        for (word, meant) in [
            ("imag", Some("image")),
            ("memroy", Some("memory")),
            ("colour", None),
        ] {
            assert_eq!(nearest(word, words.into_iter()), meant, "{word}");
        }
        assert_eq!(nearest("a", std::iter::empty()), None);
    }
}
