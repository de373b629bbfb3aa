//! What patterns match, by pattern: the cases of Go's matcher, and the inputs that users get wrong.

use super::*;

/// A pattern, and paths: those that match, those that are below a match, and the others.
struct Row(
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
    &'static [&'static str],
);

fn check_rows(rows: &[Row]) {
    for Row(pattern, matching, below, others) in rows {
        for (paths, expected) in [(matching, Itself), (below, Above), (others, No)] {
            for path in *paths {
                check(&[pattern], path, expected);
            }
        }
    }
}

#[test]
fn double_stars_match_any_number_of_directories() {
    check_rows(&[
        Row(
            "**",
            &["file", "file/", "/", "dir/file", "dir/file/"],
            &[],
            &[],
        ),
        Row(
            "**/",
            &["file", "file/", "/", "dir/file", "dir/file/"],
            &[],
            &[],
        ),
        Row("**/**", &["dir/file", "dir/file/", "file"], &[], &[]),
        Row(
            "dir/**",
            &["dir/file", "dir/file/", "dir/deep/file", "dir/deep/file/"],
            &[],
            &["dir", "dirt", "other/dir"],
        ),
        Row("**/dir", &["dir", "a/b/dir"], &["dir/file"], &["adir"]),
        Row(
            "**/deep/*",
            &["dir/deep/file", "deep/file"],
            &["dir/deep/file/", "dir/deep/a/b"],
            &["dir/deep"],
        ),
        Row(
            "**/deep/**",
            &["dir/deep/a/file", "dir/deep/a/file/", "deep/x"],
            &[],
            &["deep"],
        ),
        Row(
            "**file",
            &["file", "dir/file", "dir/dir/file", "afile"],
            &[],
            &["file2"],
        ),
        Row("**/file", &["dir/file", "dir/dir/file"], &[], &["afile"]),
        Row(
            "**/file*",
            &["dir/dir/file", "dir/dir/file.txt", "file"],
            &[],
            &[],
        ),
        Row("**/file*txt", &["dir/dir/file.txt"], &[], &["file.txt2"]),
        Row(
            "**/file*.txt*",
            &["dir/dir/file.txt", "file1.txt2"],
            &[],
            &[],
        ),
        Row(
            "**/**/*.txt",
            &["dir/dir/file.txt", "file.txt", "a/b/c/d.txt"],
            &["dir.txt/x"],
            &["dir/file.txt2"],
        ),
        Row("**/*.txt", &["file.txt", "a/file.txt"], &[], &["txt"]),
        Row(
            "a**/*.txt",
            &["a/file.txt", "a/dir/file.txt", "a/b/c/file.txt"],
            &[],
            &["b/file.txt"],
        ),
        Row("a/*.txt**", &["a/file.txt", "a/file.txt.gz"], &[], &["a/b"]),
        Row(
            "**/foo/bar",
            &["foo/bar", "dir/foo/bar", "a/b/foo/bar"],
            &["foo/bar/x"],
            &["foo", "xfoo/bar"],
        ),
        Row("abc/**", &["abc/def", "abc/def/ghi"], &[], &["abc"]),
        Row("**/.foo", &[".foo", "a/.foo"], &[], &["bar.foo"]),
        // `**` within a name is not two stars.
        Row(
            "a**b",
            &["ab", "a/b", "ax/b"],
            &[],
            &["axb", "a/xb", "ax/yb"],
        ),
        Row("***", &["x", "x/y"], &[], &[]),
    ]);
}

#[test]
fn trailing_slashes_and_unclean_patterns() {
    check_rows(&[
        Row("docs/", &["docs"], &["docs/README.md"], &["docs2"]),
        Row("docs//", &["docs"], &["docs/x"], &[]),
        Row("docs/.", &["docs"], &["docs/x"], &[]),
        Row("./docs", &["docs"], &["docs/x"], &[]),
        Row("a/b/../c", &["a/c"], &[], &["a/b", "a/b/c"]),
        Row("docs/*/", &["docs/x"], &["docs/x/y"], &["docs"]),
        // The root itself is not an entry.
        Row(".", &["."], &[], &["x"]),
        Row("./", &["."], &[], &["x"]),
        // Go's client removes the leading slash when it reads the file, not here.
        Row("/docs", &["/docs"], &[], &["docs"]),
        Row("../x", &["../x"], &[], &["x"]),
    ]);
}

#[test]
fn escapes() {
    check_rows(&[
        Row(r"a\*b", &["a*b"], &[], &["ab", "axb"]),
        Row(r"a\?b", &["a?b"], &[], &["axb"]),
        Row(r"a\[b\]", &["a[b]"], &[], &["ab"]),
        Row(r"\#x", &["#x"], &[], &["x"]),
        Row(r"\!x", &["!x"], &[], &["x"]),
        Row(r"a\\", &[r"a\"], &[], &["a"]),
        Row(r"\\!x", &[r"\!x"], &[], &["!x"]),
        Row("#x", &["#x"], &[], &["x"]),
        Row("x#y", &["x#y"], &[], &["x"]),
        Row("x y", &["x y"], &[], &["x", "y"]),
    ]);
}

/// On Linux, Go's matcher takes a backslash for an escape, so a path in Windows' style does not match
/// the path that is meant.
#[test]
fn backslashes_are_no_separators() {
    check_rows(&[
        Row(r"dir\*.md", &["dir*.md"], &[], &["dir/x.md"]),
        Row(r"dir\sub", &[], &[], &["dir/sub", r"dir\sub", "dirsub"]),
        Row(r"dir\\sub", &[r"dir\sub"], &[], &["dir/sub"]),
        // `\f` is a form feed, `\b` a word boundary.
        Row(r"dir\file", &["dir\x0cile"], &[], &["dir/file", "dirfile"]),
        Row(r"a \bin", &["a in"], &[], &["a/bin", "a bin"]),
        Row("C:/x", &["C:/x"], &[], &["x"]),
    ]);
    for pattern in [r"C:\x", r"dir\q", r"dir\1"] {
        let matcher = PatternMatcher::new([pattern]).unwrap();
        let error = matcher.matches_exactly(b"x").unwrap_err();
        assert!(
            matches!(error, PatternError::Unmatchable { .. }),
            "{pattern}"
        );
    }
}

/// A byte order mark belongs to the name, except where Go's scanner drops it: at the beginning of a
/// pattern that becomes a regular expression.
#[test]
fn a_byte_order_mark() {
    check_rows(&[
        Row("\u{feff}x", &["\u{feff}x"], &[], &["x"]),
        Row("\u{feff}*.x", &["a.x"], &[], &["b"]),
        Row("\u{feff}x/**", &["\u{feff}x/y"], &[], &["x/y", "\u{feff}x"]),
    ]);
}

#[test]
fn white_space_around_a_pattern_is_ignored() {
    for pattern in ["x\r", " x ", "\tx\u{b}", "\u{a0}x\u{2003}", "x\n"] {
        check(&[pattern], "x", Itself);
    }
    // Also if the rest is not text.
    let matcher = PatternMatcher::new([&b"\x0b\xff\xc2\xa0"[..]]).unwrap();
    assert_eq!(matcher.matches_exactly(b"\xff"), Ok(true));
}

#[test]
fn bytes_that_are_no_text() {
    for (pattern, path, expected) in [
        (&b"a\xff"[..], &b"a\xff"[..], true),
        (b"a\xff", b"a\xfe", false),
        (b"\xff/**", b"\xff/x", true),
        (b"**/\xff", b"x/\xff", true),
        // In a regular expression, every such byte is a U+FFFD.
        (b"*\xff", b"a\xfe", true),
        (b"*\xff", b"a\xef\xbf\xbd", true),
        (b"?", b"\xff", true),
        (b"?", b"\xff\xff", false),
    ] {
        let matcher = PatternMatcher::new([pattern]).unwrap();
        let found = matcher.matches_exactly(path);
        assert_eq!(found, Ok(expected), "{} {}", shown(pattern), shown(path));
    }
}

#[test]
fn the_last_pattern_that_matches_decides() {
    for (patterns, kept, dropped) in [
        (
            &["docs", "!docs/a"][..],
            &["docs/a", "x"][..],
            &["docs", "docs/b"][..],
        ),
        (&["docs/", "!docs/a"], &["docs/a"], &["docs/b"]),
        (&["docs/*", "!docs/a"], &["docs/a", "docs"], &["docs/b"]),
        (&["*.go", "!a.go"], &["a.go"], &["b.go"]),
        (&["!a.go", "*.go"], &["x"], &["a.go"]),
        (&["**", "!a/b"], &["a/b", "a/b/c"], &["a", "a/c"]),
        (&["**", "!a/b", "a/b/c"], &["a/b", "a/b/d"], &["a/b/c"]),
        (&["**", "!a/*.whl"], &["a/x-1.whl"], &["a/x-1.zip"]),
        (
            &["**/*.md", "!README*.md"],
            &["README-x.md"],
            &["a/README.md", "x.md"],
        ),
        (
            &["*", "!*.txt", "secret.txt"],
            &["a.txt"],
            &["secret.txt", "b"],
        ),
        (&["a", "!a", "a"], &["b"], &["a", "a/x"]),
        (&["!a"], &["a", "b"], &[]),
        (&["!!a", "a"], &["b"], &["a"]),
        (&["**", "!**"], &["a", "a/b"], &[]),
    ] {
        for path in kept {
            check(patterns, path, No);
        }
        for path in dropped {
            check(patterns, path, Itself);
        }
    }
}
