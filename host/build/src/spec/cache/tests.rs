use super::*;

fn cache(kind: CacheKind, pairs: &[(&str, &str)]) -> Cache {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    Cache {
        kind,
        attributes: pairs.iter().map(owned).collect(),
    }
}

#[test]
fn names_are_those_of_buildkit() {
    for name in ["registry", "inline", "local", "gha", "s3", "azblob", "new"] {
        assert_eq!(CacheKind::named(name).name(), name);
    }
    assert_eq!(CacheKind::named("s3"), CacheKind::S3);
}

#[test]
fn texts_become_caches() {
    let registry = |reference: &str| cache(CacheKind::Registry, &[("ref", reference)]);
    for (text, expected) in [
        ("", vec![]),
        ("user/app:cache", vec![registry("user/app:cache")]),
        ("a/b,c/d", vec![registry("a/b"), registry("c/d")]),
        ("type=registry,ref=a/b", vec![registry("a/b")]),
        (
            "type=registry,REF=a/b,\"x=1,2\"",
            vec![cache(CacheKind::Registry, &[("ref", "a/b"), ("x", "1,2")])],
        ),
        ("type=inline", vec![Cache::inline()]),
        (
            "type=new,a=b=c",
            vec![cache(CacheKind::Other("new".into()), &[("a", "b=c")])],
        ),
    ] {
        assert_eq!(Cache::imports(text).as_ref(), Ok(&expected), "{text}");
        assert_eq!(Cache::exports(text), Ok(expected), "{text}");
    }
    let local = cache(CacheKind::Local, &[("src", "dir"), ("tag", "v1")]);
    assert_eq!(Cache::imports("type=local,src=dir,tag=v1"), Ok(vec![local]));
}

#[test]
fn mistakes_have_the_texts_of_docker_buildx() {
    let import = |text| Cache::imports(text).map(drop);
    let export = |text| Cache::exports(text).map(drop);
    for (found, text) in [
        (import("ref=a/b"), "type required for \"ref=a/b\""),
        (import("type=,ref=a"), "type required for \"type=,ref=a\""),
        (import("type=local,x"), "invalid value x"),
        (import("type=local"), "local cache importer requires src"),
        (
            import("type=registry"),
            "registry cache importer requires ref",
        ),
        (
            export("type=local,src=x"),
            "local cache exporter requires dest",
        ),
        (
            export("type=registry"),
            "registry cache exporter requires ref",
        ),
        (
            import("type=local,src=x,tag="),
            "local cache importer requires either explicit digest, \"latest\" tag or custom tag on \
             index.json",
        ),
        (
            export("type=local,dest=x,reset=maybe"),
            "failed to parse reset attribute: \"maybe\" is not a boolean",
        ),
    ] {
        let [problem] = found.expect_err(text).try_into().expect("one");
        assert_eq!(CacheProblem::to_string(&problem), text);
    }
    let error = import("type=a,\"b=c").expect_err("open quote")[0].to_string();
    assert!(error.starts_with("invalid cache: "), "{error}");
}

#[test]
fn all_mistakes_of_a_text_are_reported() {
    let texts = |found: Result<Vec<Cache>, Vec<CacheProblem>>| {
        let problems = found.expect_err("mistakes").into_iter();
        problems
            .map(|problem| problem.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        texts(Cache::exports("type=local,reset=maybe,x,y")),
        [
            "invalid value x",
            "invalid value y",
            "failed to parse reset attribute: \"maybe\" is not a boolean",
        ]
    );
    assert_eq!(texts(Cache::exports("type=local,reset=maybe")).len(), 2);
    assert_eq!(texts(Cache::imports("type=local,tag=")).len(), 2);
    // The type may be the field that is not read.
    assert_eq!(
        texts(Cache::imports("ref=a,local")),
        ["invalid value local"]
    );
}

#[test]
fn credentials_are_not_displayed() {
    let text = "secret_access_key=hunter2,session_token=hunter2,token=hunter2,bucket=b";
    let error = Cache::exports(text).expect_err("no type").remove(0);
    let caches = Cache::exports(&format!("type=s3,{text}")).expect("well-formed");
    for shown in [format!("{error} {error:?}"), format!("{caches:?}")] {
        assert!(
            shown.contains("bucket") && shown.contains("token"),
            "{shown}"
        );
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
