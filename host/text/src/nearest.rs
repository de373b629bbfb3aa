//! Words that are similar to a given one.

/// Returns the word that was most likely meant, where one is near enough.
pub fn nearest<'a>(word: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
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
