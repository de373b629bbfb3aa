#![allow(clippy::unwrap_used, reason = "tests")]

mod conformance;

use super::translate::{GoMatch, go_match};
use super::*;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Expected {
    /// Neither the path nor a directory above it matches.
    No,
    /// The path itself matches.
    Itself,
    /// Only a directory above it matches.
    Above,
}
use Expected::{Above, Itself, No};

/// Go's two ways to match a path outside of a walk, which its table of tests covers.
impl PatternMatcher {
    /// Returns whether the path itself matches; directories above it do not count.
    fn matches_exactly(&self, path: &[u8]) -> Result<bool, PatternError> {
        let subject = Subject { bytes: path };
        self.last_match(|pattern| pattern.matches(&subject))
    }

    /// Returns whether the path or a directory above it matches.
    fn matches_or_parent_matches(&self, path: &[u8]) -> Result<bool, PatternError> {
        let subject = Subject { bytes: path };
        let parents = subject.parents();
        self.last_match(|pattern| matches_either(pattern, &subject, &parents))
    }

    fn last_match(
        &self,
        mut matches: impl FnMut(&Pattern) -> Result<bool, PatternError>,
    ) -> Result<bool, PatternError> {
        let mut matched = false;
        for pattern in &self.patterns {
            // Only a pattern that could change the answer is evaluated.
            if pattern.exclusion == matched && matches(pattern)? {
                matched = !pattern.exclusion;
            }
        }
        Ok(matched)
    }
}

/// Checks all ways to match one path against each other.
fn check(patterns: &[&str], path: &str, expected: Expected) {
    let matcher = PatternMatcher::new(patterns).unwrap();
    let says = format!("{patterns:?} {path:?}");
    let path = path.as_bytes();
    assert_eq!(
        matcher.matches_or_parent_matches(path),
        Ok(expected != No),
        "{says}"
    );
    if patterns.len() == 1 {
        assert_eq!(
            matcher.matches_exactly(path),
            Ok(expected == Itself),
            "{says}"
        );
    }
    let mut results = vec![false; matcher.patterns().len()];
    let alone = matcher.matches_using_parent_results(path, None, &mut results);
    assert_eq!(alone, Ok(expected != No), "{says}, without a walk");
    assert_eq!(
        walked(&matcher, path),
        Ok(expected != No),
        "{says}, in a walk"
    );
}

/// Matches as a walk does: first the directories above the path, from the top.
fn walked(matcher: &PatternMatcher, path: &[u8]) -> Result<bool, PatternError> {
    let mut parent: Option<Vec<bool>> = None;
    let mut results = vec![false; matcher.patterns().len()];
    for directory in (Subject { bytes: path }).parents() {
        matcher.matches_using_parent_results(&directory, parent.as_deref(), &mut results)?;
        parent = Some(results.clone());
    }
    matcher.matches_using_parent_results(path, parent.as_deref(), &mut results)
}

#[test]
fn double_stars() {
    for (pattern, path, expected) in [
        ("**", "file", Itself),
        ("**", "file/", Itself),
        ("**/", "file", Itself),
        ("**/", "file/", Itself),
        ("**", "/", Itself),
        ("**/", "/", Itself),
        ("**", "dir/file", Itself),
        ("**/", "dir/file/", Itself),
        ("**/**", "dir/file", Itself),
        ("**/**", "dir/file/", Itself),
        ("dir/**", "dir/file", Itself),
        ("dir/**", "dir/file/", Itself),
        ("dir/**", "dir/deep/file", Itself),
        ("dir/**", "dir", No),
        ("dir/**", "dirt/file", No),
        ("**/dir", "dir", Itself),
        ("**/dir", "dir/file", Above),
        ("**/dir", "mydir", No),
        ("**/deep/*", "dir/deep/file", Itself),
        ("**/deep/*", "dir/deep/file/", Above),
        ("**/deep/**", "dir/deep/deeper/file", Itself),
        ("**/deep/**", "dir/deep/deeper/file/", Itself),
        ("**file", "file", Itself),
        ("**file", "dir/file", Itself),
        ("**file", "dir/myfile", Itself),
        ("**/file", "dir/dir/file", Itself),
        ("**/file*", "dir/dir/file.txt", Itself),
        ("**/file*txt", "dir/dir/file.txt", Itself),
        ("**/file*.txt*", "dir/dir/file.txt", Itself),
        ("**/**/*.txt", "dir/dir/file.txt", Itself),
        ("**/**/*.txt2", "dir/dir/file.txt", No),
        ("**/*.txt", "file.txt", Itself),
        ("**/**/*.txt", "file.txt", Itself),
        ("a**/*.txt", "a/file.txt", Itself),
        ("a**/*.txt", "a/dir/dir/file.txt", Itself),
        ("a/*.txt**", "a/file.txt", Itself),
        ("**/foo/bar", "foo/bar", Itself),
        ("**/foo/bar", "dir/deep/foo/bar", Itself),
        ("**/.foo", ".foo", Itself),
        ("**/.foo", "bar.foo", No),
        ("foo**", "foobar/x", Itself),
        ("a/**/b", "a/b", Itself),
        ("a/**/b", "a/x/y/b", Itself),
        ("a/**/b", "a/xb", No),
    ] {
        check(&[pattern], path, expected);
    }
}

#[test]
fn wildcards_and_literals() {
    for (pattern, path, expected) in [
        ("*", "abc", Itself),
        ("*", "a/b", Above),
        ("*.go", "fileutils.go", Itself),
        ("*c", "abc", Itself),
        ("a*", "a", Itself),
        ("a*", "ab/c", Above),
        ("a*/b", "abc/b", Itself),
        ("a*/b", "a/c/b", No),
        ("a/*.txt", "a/dir/file.txt", No),
        ("a*b*c*d*e*/f", "axbxcxdxe/f", Itself),
        ("a*b*c*d*e*/f", "axbxcxdxexxx/f", Itself),
        ("a*b*c*d*e*/f", "axbxcxdxe/xxx/f", No),
        ("a*b*c*d*e*/f", "axbxcxdxexxx/fff", No),
        ("a*b?c*x", "abxbbxdbxebxczzx", Itself),
        ("a*b?c*x", "abxbbxdbxebxczzy", No),
        ("a?b", "a/b", No),
        ("a*b", "a/b", No),
        (".*", ".foo", Itself),
        (".*", "foo", No),
        ("abc.def", "abcdef", No),
        ("abc.def", "abc.def", Itself),
        ("abc.def", "abcZdef", No),
        ("abc?def", "abcZdef", Itself),
        ("abc?def", "abcdef", No),
        ("a(b)c/def", "a(b)c/def", Itself),
        ("a(b)c/def", "a(b)c/xyz", No),
        ("a.|)$(}+{bc", "a.|)$(}+{bc", Itself),
        (
            "dist/*.whl",
            "dist/proxy.py-2.4.0rc3.dev36+g08acad9-py3-none-any.whl",
            Itself,
        ),
        ("docs/", "docs/README.md", Above),
        ("docs/.", "docs", Itself),
        ("./docs", "docs", Itself),
        ("a/../docs", "docs/x", Above),
        ("  docs\t", "docs", Itself),
        ("/docs", "docs", No),
        ("docs//x", "docs/x", Itself),
    ] {
        check(&[pattern], path, expected);
    }
}

#[test]
fn classes_and_escapes() {
    for (pattern, path, expected) in [
        ("a[b-d]e", "ae", No),
        ("a[b-d]e", "ace", Itself),
        ("a[b-d]e", "aae", No),
        ("a[^b-d]e", "aze", Itself),
        ("ab[e-g]", "abc", No),
        ("ab[^e-g]", "abc", Itself),
        ("a[!b]e", "a!e", Itself),
        ("a[!b]e", "aze", No),
        ("a\\*b", "a*b", Itself),
        ("a\\*b", "ab", No),
        ("a\\\\", "a\\", Itself),
        ("\\!foo", "!foo", Itself),
        ("[\\]a]", "]", Itself),
        ("[\\-]", "-", Itself),
        ("[x\\-]", "x", Itself),
        ("[x\\-]", "-", Itself),
        ("[x\\-]", "z", No),
        ("[\\-x]", "a", No),
        // Syntax that Rust's classes have and Go's do not.
        ("x[a&&b]", "x&", Itself),
        ("x[a&&b]", "xa", Itself),
        ("x[a~~b]", "x~", Itself),
        ("x[[]y", "x[y", Itself),
        ("x[[a]y", "xay", Itself),
        ("x[^[]y", "x[y", No),
        ("x[<>]y", "x<y", Itself),
        ("x\\<y*", "x<yz", Itself),
        // Characters without a meaning outside of brackets.
        ("a]b*", "a]bc", Itself),
        ("a#b &~-*", "a#b &~-c", Itself),
        // Cases where Go's translation has an unexpected meaning.
        ("x[*]", "x[]", Itself),
        ("x[*]", "x*", No),
        ("x[*]", "x^]", Itself),
        ("x\\d", "x7", Itself),
        ("x\\d", "xd", No),
        ("x\\D", "x☺", Itself),
        ("x\\w", "xé", No),
        ("x[\\d]", "x7", Itself),
        ("x\\x41", "xA", Itself),
        ("x\\101", "xA", Itself),
        ("x[[:digit:]]", "x7", Itself),
        ("foo\\bar", "foobar", No),
        ("a^b*", "a^b", No),
    ] {
        check(&[pattern], path, expected);
    }
}

#[test]
fn characters_are_not_bytes() {
    for (pattern, path, expected) in [
        ("a?b", "a☺b", Itself),
        ("a[^a]b", "a☺b", Itself),
        ("a???b", "a☺b", No),
        ("a[^a][^a][^a]b", "a☺b", No),
        ("[a-ζ]*", "α", Itself),
        ("*[a-ζ]", "A", No),
        ("grüße/*", "grüße/x", Itself),
    ] {
        check(&[pattern], path, expected);
    }
    let matcher = PatternMatcher::new(["a?b"]).unwrap();
    assert_eq!(matcher.matches_exactly(b"a\xffb"), Ok(true));
    assert_eq!(matcher.matches_exactly(b"a\xff\xfeb"), Ok(false));
    // The first two bytes of a three-byte character count as one character each.
    let matcher = PatternMatcher::new(["a??b"]).unwrap();
    assert_eq!(matcher.matches_exactly(b"a\xe2\x98b"), Ok(true));
    let matcher = PatternMatcher::new([&b"a\xffb"[..], b"c*\xff"]).unwrap();
    assert_eq!(matcher.matches_exactly(b"a\xffb"), Ok(true));
    assert_eq!(matcher.matches_exactly(b"a\xfeb"), Ok(false));
}

#[test]
fn dots_do_not_match_line_feeds() {
    // `.` of the regular expression does not, in both languages; `[^/]` does.
    check(&["a/**/b"], "a/x\ny/b", No);
    check(&["a*b"], "a\nb", Itself);
}

#[test]
fn exceptions() {
    for (patterns, path, expected) in [
        (&["!fileutils.go", "*.go"][..], "fileutils.go", Itself),
        (&["*.go", "!fileutils.go"], "fileutils.go", No),
        (&["docs", "!docs/README.md"], "docs/README.md", No),
        (&["docs", "!docs/README.md"], "docs/other", Above),
        (&["docs/", "!docs/README.md"], "docs/README.md", No),
        (&["docs/*", "!docs/README.md"], "docs/README.md", No),
        (&["**", "!util/docker/web"], "util/docker/web/foo", No),
        (
            &["**", "!util/docker/web", "util/docker/web/foo"],
            "util/docker/web/foo",
            Itself,
        ),
        (
            &["**", "!dist/*.whl"],
            "dist/proxy.py-2.4.0rc3.dev36+g08acad9.whl",
            No,
        ),
        (&["  !x ", "x"], "x", Itself),
        (&["*", "!a", "a/b"], "a/b/c", Above),
        (&["*", "!a", "a/b", "!a/b/c"], "a/b/c", No),
        (&["!!x"], "x", No),
    ] {
        check(patterns, path, expected);
    }
}

/// Go's two ways differ here: in a walk, `!d` was not evaluated for the directory, because nothing
/// had matched yet.
#[test]
fn a_walk_remembers_what_it_skipped() {
    let matcher = PatternMatcher::new(["d/x", "!d"]).unwrap();
    assert_eq!(matcher.matches_or_parent_matches(b"d/x"), Ok(false));
    assert_eq!(walked(&matcher, b"d/x"), Ok(true));
}

#[test]
fn nothing_matches_nothing() {
    let matcher = PatternMatcher::new([""; 2]).unwrap();
    assert!(matcher.patterns().is_empty());
    assert_eq!(
        matcher.matches_or_parent_matches(b"/any/path/there"),
        Ok(false)
    );
}

#[test]
fn patterns_are_cleaned() {
    let matcher = PatternMatcher::new(["docs/", "", " !a//b/ ", "!./c"]).unwrap();
    let found: Vec<_> = matcher
        .patterns()
        .iter()
        .map(|p| (shown(p.text()), p.is_exclusion()))
        .collect();
    let expected = [("docs", false), ("a/b", true), ("./c", true)];
    assert_eq!(
        found,
        expected.map(|(text, exclusion)| (text.to_owned(), exclusion))
    );
}

#[test]
fn wrong_patterns() {
    for pattern in ["!", " ! ", "!/"] {
        assert_eq!(
            PatternMatcher::new([pattern]).unwrap_err(),
            PatternError::NothingExcluded
        );
    }
    for pattern in [
        "[", "[]a]", "[-]", "[x-]", "[-x]", "\\", "[a-b-c]", "[^", "[^bc", "a[",
    ] {
        let expected = PatternError::Syntax {
            pattern: pattern.to_owned(),
        };
        assert_eq!(PatternMatcher::new([pattern]).unwrap_err(), expected);
    }
}

#[test]
fn long_patterns_are_refused() {
    let longest = "?".repeat(LONGEST);
    assert!(PatternMatcher::new([&longest]).is_ok());
    let error = PatternMatcher::new([format!("{longest}?")]).unwrap_err();
    assert_eq!(
        error,
        PatternError::Long {
            length: LONGEST + 1
        }
    );
}

#[test]
fn broken_expressions_show_when_they_matter() {
    let matcher = PatternMatcher::new(["a", "![z-a]"]).unwrap();
    assert_eq!(matcher.matches_exactly(b"b"), Ok(false));
    let error = matcher.matches_exactly(b"a").unwrap_err();
    assert!(matches!(error, PatternError::Unmatchable { .. }), "{error}");
    for pattern in [
        "x\\y",
        "x\\Q",
        "x\\8",
        "x\\1",
        "x\\☺",
        "x[[:nope:]]",
        "x\\xg",
        "x\\pL",
    ] {
        let matcher = PatternMatcher::new([pattern]).unwrap();
        let error = matcher.matches_exactly(b"a").unwrap_err();
        assert!(
            matches!(error, PatternError::Unmatchable { .. }),
            "{pattern} {error}"
        );
    }
}

#[test]
fn the_fast_ways_are_taken_where_go_takes_them() {
    let regex = |text: &str| GoMatch::Regex(text.to_owned());
    for (pattern, expected) in [
        ("*", regex("[^/]*")),
        ("file*", regex("file[^/]*")),
        ("*file", regex("[^/]*file")),
        ("a*/b", regex("a[^/]*/b")),
        ("**", GoMatch::Suffix),
        ("**/**", regex("(.*/)?.*")),
        ("dir/**", GoMatch::Prefix),
        ("**/dir", GoMatch::Suffix),
        ("**/dir2/*", regex("(.*/)?dir2/[^/]*")),
        ("**/dir2/**", regex("(.*/)?dir2/.*")),
        ("**file", GoMatch::Suffix),
        ("**/file*txt", regex("(.*/)?file[^/]*txt")),
        ("**/**/*.txt", regex(r"(.*/)?(.*/)?[^/]*\.txt")),
        ("a[b-d]e", regex("a[b-d]e")),
        (".*", regex(r"\.[^/]*")),
        ("abc.def", GoMatch::Exact),
        ("abc?def", regex("abc[^/]def")),
        ("**/foo/bar", GoMatch::Suffix),
        ("a(b)c/def", GoMatch::Exact),
        ("a.|)$(}+{bc", GoMatch::Exact),
        ("x[*]", regex("x[[^/]*]")),
        ("a\\.b/**", regex(r"a\.b/.*")),
    ] {
        assert_eq!(go_match(pattern), expected, "{pattern}");
    }
}
