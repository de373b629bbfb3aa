//! Credentials from the file, the variable and helpers.

use super::super::tests::{Fixture, auth};

#[tokio::test]
async fn a_helper_that_says_too_much_is_ended() {
    let config = r#"{"credHelpers":{"r.example":"loud","w.example":"wordy"}}"#;
    let fixture = Fixture::new(config)
        .helper("loud", "exec cat /dev/zero")
        .helper("wordy", "exec cat /dev/zero >&2");
    for host in ["r.example", "w.example"] {
        let said = fixture.get(host).await;
        assert!(said.contains("output has more than 1 MiB"), "{said}");
    }
}

// The clock jumps ahead where everybody waits, so that this takes no time.
#[tokio::test(start_paused = true)]
async fn a_helper_that_does_not_answer_is_not_waited_for() {
    let fixture = Fixture::new(r#"{"credsStore":"slow"}"#).helper("slow", "exec sleep 1000");
    let said = fixture.get("r.example").await;
    assert!(said.contains("did not answer within 120 s"), "{said}");
}

#[tokio::test]
async fn from_the_file() {
    let fixture = Fixture::new(&format!(
        r#"{{"auths":{{
                "https://index.docker.io/v1/":{{"auth":"{hub}"}},
                "r.example:5000":{{"username":"u","password":"p"}},
                "https://old.example/v1/":{{"auth":"{old}"}},
                "https://user@ported.example:7/v1":{{"auth":"{old}"}},
                "token.example":{{"auth":"{old}","identitytoken":"idt"}},
                "empty.example":{{}},
                "bad64.example":{{"auth":"%%%"}},
                "nocolon.example":{{"auth":"{nocolon}"}}
            }}}}"#,
        hub = auth("hub:pa:ss"),
        old = auth("old:secret\0\0"),
        nocolon = auth("hush"),
    ));
    for (host, expected) in [
        ("docker.io", "hub:pa:ss:false"),
        ("registry-1.docker.io", "hub:pa:ss:false"),
        ("index.docker.io", "hub:pa:ss:false"),
        ("r.example:5000", "u:p:false"),
        ("r.example", "none"),
        ("old.example", "old:secret:false"),
        ("ported.example:7", "old:secret:false"),
        ("token.example", ":idt:true"),
        ("empty.example", "none"),
    ] {
        assert_eq!(fixture.get(host).await, expected, "{host}");
    }
    let error = fixture.get("bad64.example").await;
    assert!(error.contains("\"bad64.example\" in /"), "{error}");
    assert!(error.contains("not base64"), "{error}");
    let error = fixture.get("nocolon.example").await;
    assert!(
        error.contains("colon") && !error.contains("hush"),
        "{error}"
    );
}

#[tokio::test]
async fn logins_of_repositories() {
    let fixture = Fixture::new(
        r#"{"auths":{
                "r.example":{"username":"all","password":"p"},
                "r.example/team":{"username":"team","password":"p"},
                "r.example/team/app":{"username":"app","password":"p"},
                "r.example/other":{"username":"other","password":"p"},
                "q.example/team":{"username":"only","password":"p"}}}"#,
    );
    let config = fixture.load();
    for (host, repository, user) in [
        ("r.example", None, "all"),
        ("r.example", Some(""), "all"),
        ("r.example", Some("else/app"), "all"),
        ("r.example", Some("team"), "team"),
        ("r.example", Some("team/lib"), "team"),
        ("r.example", Some("team/lib/deep"), "team"),
        ("r.example", Some("team/app"), "app"),
        ("r.example", Some("team/app/deep"), "app"),
        ("r.example", Some("teams/app"), "all"),
        // The Docker CLI uses the login of any path for the whole registry.
        ("q.example", None, "only"),
        ("q.example", Some("else"), "only"),
    ] {
        let found = config.credentials_for(host, repository).await;
        let found = found.expect("good").expect("a login");
        assert_eq!(found.username, user, "{host} {repository:?}");
    }
}

#[tokio::test]
async fn from_helpers() {
    let fixture = Fixture::new(&format!(
            r#"{{"credsStore":"all","credHelpers":{{"one.example":"one","off.example":"",
                 "gone.example":"gone","bad.example":"bad","odd.example":"odd",
                 "climb.example":"../../bin/x"}},
                 "auths":{{"off.example":{{"auth":"{0}"}},"none.example":{{"auth":"{0}"}}}}}}"#,
            auth("file:file"),
        ))
        .helper(
            "all",
            r#"read -r url
               case "$1 $url" in
               "get https://index.docker.io/v1/") echo '{"ServerURL":"x","Username":"hub","Secret":"s"}';;
               *) echo "credentials not found in native keychain"; exit 1;;
               esac"#,
        )
        .helper("one", r#"cat >/dev/null; echo '{"Username":"<token>","Secret":"t"}'"#)
        .helper("bad", r#"echo "the keychain is locked"; exit 3"#)
        .helper("odd", r#"echo '{"Username":"u","Secret":["hush"]}'"#);
    for (host, expected) in [
        ("docker.io", "hub:s:false"),
        ("one.example", ":t:true"),
        ("off.example", "file:file:false"),
        // A helper is asked alone: what the file has beside it is not used.
        ("none.example", "none"),
    ] {
        assert_eq!(fixture.get(host).await, expected, "{host}");
    }
    for (host, expected) in [
        (
            "gone.example",
            "docker-credential-gone for \"gone.example\"",
        ),
        ("gone.example", "not in any directory of PATH"),
        ("bad.example", "the keychain is locked (exit status: 3)"),
        ("odd.example", "is not valid"),
        ("climb.example", "not in any directory of PATH"),
    ] {
        let error = fixture.get(host).await;
        assert!(error.contains(expected), "{host}: {error}");
        assert!(!error.contains("hush"), "{error}");
    }
}

#[tokio::test]
async fn the_variable_goes_first() {
    let json = r#"{"auths":{"a.example":{"username":"f","password":"f"},
                                "b.example":{"username":"f","password":"f"}}}"#;
    let fixture = Fixture::new(json).variable(&format!(
        r#"{{"auths":{{"a.example":{{"auth":"{}"}}}}}}"#,
        auth("v:v")
    ));
    assert_eq!(fixture.get("a.example").await, "v:v:false");
    assert_eq!(fixture.get("b.example").await, "f:f:false");
    let fixture = Fixture::new(json).variable(r#"{"auths":{"a.example":{"password":"hush"}}}"#);
    let error = fixture.get("b.example").await;
    assert!(error.contains("DOCKER_AUTH_CONFIG, line 1"), "{error}");
    assert!(!error.contains("hush"), "{error}");
}
