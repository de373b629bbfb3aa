//! URLs that BuildKit fetches: the forms that docker buildx recognises.

/// Schemes of URLs of git repositories. With HTTP, the path ends in `.git`.
const GIT_SCHEMES: [&str; 4] = ["http://", "https://", "git://", "ssh://"];

/// Returns whether a text is an HTTP URL.
pub fn is_http(text: &str) -> bool {
    text.starts_with("http://") || text.starts_with("https://")
}

/// Returns whether BuildKit fetches a context of this name: an HTTP URL or a git repository.
pub fn is_remote(text: &str) -> bool {
    is_http(text) || is_git(text)
}

/// Returns whether a text names a git repository: `git://...`, `ssh://...`, `USER@HOST:PATH`,
/// `github.com/...`, or an HTTP URL with a path that ends in `.git`.
pub fn is_git(text: &str) -> bool {
    if is_http(text) {
        return without_query(text).ends_with(".git");
    }
    text.starts_with("github.com/")
        || GIT_SCHEMES.iter().any(|scheme| text.starts_with(scheme))
        || is_scp(text)
}

/// Returns whether a git repository is reached over SSH.
pub fn is_git_over_ssh(text: &str) -> bool {
    text.starts_with("ssh://") || is_scp(text)
}

/// Returns whether the URL of a git repository has a query, for example `?branch=main`.
pub fn has_git_query(text: &str) -> bool {
    let before_fragment = text.split('#').next().unwrap_or_default();
    is_git(text) && before_fragment.contains('?')
}

/// Returns the URL up to its query and fragment.
fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

/// Returns whether a text has the form `USER@HOST:PATH`.
fn is_scp(text: &str) -> bool {
    let is_user = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    let Some((user, rest)) = text.split_once('@') else {
        return false;
    };
    let Some((host, _)) = rest.split_once(':') else {
        return false;
    };
    let is_all = |part: &str, usual: fn(char) -> bool| !part.is_empty() && part.chars().all(usual);
    is_all(user, is_user) && is_all(host, is_host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_docker_buildx() {
        for (text, remote, git) in [
            ("https://example.com/a.tar.gz", true, false),
            ("http://example.com/", true, false),
            ("https://example.com/a.git", true, true),
            ("https://user:pass@example.com/a.git#main:sub", true, true),
            ("https://example.com/a.git?branch=main", true, true),
            ("https://example.com/a.git/", true, false),
            ("git://example.com/a", true, true),
            ("ssh://git@example.com:22/a", true, true),
            ("git@github.com:moby/buildkit", true, true),
            ("git@github.com:moby/buildkit.git#main", true, true),
            ("someone_else@host.example:path", true, true),
            ("github.com/moby/buildkit", true, true),
            ("github.com/moby/buildkit#main", true, true),
            ("github.com", false, false),
            ("custom.xyz/moby/buildkit.git", false, false),
            ("a/b", false, false),
            ("./github.com/a", false, false),
            ("../git@host:a", false, false),
            ("dir:with@colon", false, false),
            ("user@host", false, false),
            ("@host:x", false, false),
            ("ftp://example.com/a", false, false),
            ("file:///a", false, false),
        ] {
            assert_eq!((is_remote(text), is_git(text)), (remote, git), "{text}");
        }
    }

    #[test]
    fn queries_of_git_repositories() {
        assert!(has_git_query("https://example.com/a.git?branch=main"));
        assert!(has_git_query("git@github.com:a/b?ref=x#y"));
        assert!(!has_git_query("https://example.com/a?b=c"));
        assert!(!has_git_query("https://example.com/a.git#b?c"));
    }

    #[test]
    fn repositories_over_ssh() {
        for url in [
            "ssh://git@example.com/a.git",
            "ssh://example.com:2222/a.git#main",
            "git@github.com:a/b.git",
            "git@example.com:a.git#main:sub",
        ] {
            assert!(is_git_over_ssh(url), "{url}");
        }
        for url in [
            "https://git@example.com/a.git",
            "http://user:password@example.com/a.git",
            "git://example.com/a.git",
            "github.com/a/b",
            "a/b@c",
            ".",
        ] {
            assert!(!is_git_over_ssh(url), "{url}");
        }
    }
}
