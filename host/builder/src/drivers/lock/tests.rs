use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn driver(name: &str, component: &[u8]) -> Installed {
    Installed {
        name: name.into(),
        version: "1".into(),
        source: "/a.wasm".into(),
        pinned: "/a.wasm".into(),
        digest: Digest::of(component),
        installed_at: "2026-01-02T03:04:05Z".into(),
        others: toml::Table::new(),
    }
}

fn grant(text: &str) -> Grant {
    Grant::parse(text).expect("a grant")
}

fn store() -> (tempfile::TempDir, Store) {
    let directory = tempfile::tempdir().expect("a directory");
    let store = Store::open(directory.path().join("store"));
    (directory, store)
}

fn install(store: &Store, name: &str, component: &[u8]) {
    let entry = driver(name, component);
    let digest = entry.digest.clone();
    edit(store, Some((&digest, component)), |lock| {
        lock.put(entry);
        lock.grant(&digest, &[grant("image.pull=a*")]);
        Ok(())
    })
    .expect("written");
}

#[test]
fn what_is_installed_is_read_again_and_private() {
    let (_directory, store) = store();
    assert_eq!(LockFile::read(&store).expect("none"), LockFile::default());
    assert!(!store.directory().exists());
    install(&store, "b", b"one");
    install(&store, "A", b"two");
    let lock = LockFile::read(&store).expect("read");
    let names: Vec<_> = lock.drivers.iter().map(|d| d.name.as_str()).collect();
    assert_eq!(names, ["A", "b"]);
    assert_eq!(lock.driver("a"), Some(&driver("A", b"two")));
    let digest = Digest::of(b"one");
    assert_eq!(lock.grants(digest.as_str()), [grant("image.pull=a*")]);
    let file = component_path(&store, &digest);
    assert_eq!(std::fs::read(&file).expect("read"), b"one");
    let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode();
    assert_eq!(mode(&file) & 0o777, 0o600);
    assert_eq!(mode(&path(&store)) & 0o777, 0o600);
    let directory = file.parent().expect("above");
    assert_eq!(mode(directory) & 0o777, 0o700);
    assert_eq!(mode(directory.parent().expect("above")) & 0o777, 0o700);
}

#[test]
fn what_nothing_names_is_removed() {
    let (_directory, store) = store();
    install(&store, "a", b"one");
    install(&store, "a", b"two");
    assert!(!component_path(&store, &Digest::of(b"one")).exists());
    assert!(component_path(&store, &Digest::of(b"two")).exists());
    edit(&store, None, |lock| {
        let taken = lock.take("A").expect("installed");
        lock.forget(&taken.digest, false);
        Ok(())
    })
    .expect("written");
    assert!(!component_path(&store, &Digest::of(b"two")).exists());
    let lock = LockFile::read(&store).expect("read");
    assert!(lock.grants(Digest::of(b"two").as_str()).is_empty());
}

#[test]
fn a_change_that_fails_leaves_everything() {
    let (_directory, store) = store();
    install(&store, "a", b"one");
    let before = LockFile::read(&store).expect("read");
    let refused = edit(&store, Some((&Digest::of(b"two"), b"two")), |lock| {
        lock.take("a");
        Err::<(), _>(BuilderError::Cancelled("a test"))
    });
    assert!(refused.is_err());
    assert_eq!(LockFile::read(&store).expect("read"), before);
    assert!(!component_path(&store, &Digest::of(b"two")).exists());
}

#[test]
fn what_another_program_wrote_stays_and_grants_nothing() {
    let (_directory, store) = store();
    install(&store, "a", b"one");
    let text = std::fs::read_to_string(path(&store)).expect("read");
    let text = text
        .replace("image.pull=a*\"", "image.pull=a*\", \"of.the.future\"")
        .replace("grants = ", "signed_by = \"x\"\ngrants = ")
        .replace("installed_at = ", "channel = \"beta\"\ninstalled_at = ")
        .replace("version = 1\n", "version = 1\nflavour = \"x\"\n");
    std::fs::write(path(&store), &text).expect("written");
    let digest = Digest::of(b"one");
    let lock = LockFile::read(&store).expect("read");
    assert_eq!(lock.grants(digest.as_str()), [grant("image.pull=a*")]);
    install(&store, "b", b"two");
    edit(&store, None, |lock| {
        lock.grant(&digest, &[grant("engine.open")]);
        lock.revoke(&digest, &grant("image.pull"))?;
        lock.set_grants(&digest, &[grant("image.pull=b")]);
        Ok(())
    })
    .expect("written");
    let kept = std::fs::read_to_string(path(&store)).expect("read");
    for words in [
        "of.the.future",
        "signed_by = \"x\"",
        "channel = \"beta\"",
        "flavour = \"x\"",
    ] {
        assert!(kept.contains(words), "{kept}");
    }
    let lock = LockFile::read(&store).expect("read");
    assert_eq!(lock.grants(digest.as_str()), [grant("image.pull=b")]);
}

#[test]
fn an_entry_that_cannot_be_used_spares_the_others_and_stays() {
    let (_directory, store) = store();
    install(&store, "a", b"one");
    install(&store, "b", b"two");
    let text = std::fs::read_to_string(path(&store)).expect("read");
    let (one, two) = (Digest::of(b"one"), Digest::of(b"two"));
    let text = text.replace(one.as_str(), "sha256:abc");
    std::fs::write(path(&store), &text).expect("written");
    let lock = LockFile::read(&store).expect("read");
    assert_eq!(lock.drivers, [driver("b", b"two")]);
    let reason = lock.broken_driver("A").expect("broken").to_string();
    assert!(reason.contains("is not a digest"), "{reason}");
    assert!(reason.contains("iechor driver rm a"), "{reason}");
    let reason = lock.broken_grants().expect("broken").to_string();
    assert!(reason.contains("is not a digest"), "{reason}");
    edit(&store, None, |lock| {
        lock.grant(&two, &[grant("engine.open")]);
        Ok(())
    })
    .expect("written");
    let kept = std::fs::read_to_string(path(&store)).expect("read");
    assert_eq!(kept.matches("sha256:abc").count(), 2, "{kept}");
    // Nobody knows which component it is that the entry means.
    assert!(component_path(&store, &one).exists());
    edit(&store, None, |lock| {
        assert_eq!(lock.take("a"), None);
        Ok(())
    })
    .expect("written");
    let lock = LockFile::read(&store).expect("read");
    assert!(lock.broken_driver("a").is_none());
}

#[test]
fn a_file_of_a_newer_program_is_not_called_broken() {
    let (_directory, store) = store();
    install(&store, "a", b"one");
    // Of whatever shape it is otherwise.
    for text in ["version = 2\n", "version = 3\ndriver = 1\n"] {
        std::fs::write(path(&store), text).expect("written");
        let error = LockFile::read(&store).expect_err(text).to_string();
        assert!(error.contains("written by a newer iechor"), "{error}");
        assert!(error.contains("update iechor"), "{error}");
        assert!(!error.contains("remove"), "{error}");
        assert!(edit(&store, None, |_| Ok(())).is_err());
        let kept = std::fs::read_to_string(path(&store)).expect("read");
        assert_eq!(kept, text);
    }
}

#[test]
fn a_pattern_or_all_of_a_name_is_taken_back() {
    let digest = Digest::of(b"");
    let mut lock = LockFile::default();
    let all = ["image.pull=a", "image.pull=b", "engine.open"].map(grant);
    lock.grant(&digest, &all);
    let mut pattern = lock.clone();
    let one = grant("image.pull=a");
    pattern.revoke(&digest, &one).expect("granted");
    assert_eq!(pattern.grants(digest.as_str()), all[1..]);
    let error = pattern.revoke(&digest, &one).expect_err("gone").to_string();
    assert!(error.contains("image.pull=b, engine.open"), "{error}");
    lock.revoke(&digest, &grant("image.pull")).expect("granted");
    assert_eq!(lock.grants(digest.as_str()), all[2..]);
}

#[test]
fn grants_add_up_without_repetition() {
    let mut lock = LockFile::default();
    let digest = Digest::of(b"");
    let several = Grant {
        name: "image.pull".into(),
        scope: vec!["a".into(), "b".into()],
    };
    assert_eq!(lock.grant(&digest, &[several]).len(), 2);
    let new = lock.grant(&digest, &[grant("image.pull=b"), grant("engine.open")]);
    assert_eq!(new, [grant("engine.open")]);
    let texts: Vec<_> = lock
        .grants(digest.as_str())
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(texts, ["image.pull=a", "image.pull=b", "engine.open"]);
}

#[test]
fn a_file_that_makes_no_sense_is_named() {
    let (_directory, store) = store();
    install(&store, "a", b"one");
    for text in ["hello", "", "version = 0\n", "version = 1\ndriver = 1\n"] {
        std::fs::write(path(&store), text).expect("written");
        let error = LockFile::read(&store).expect_err(text).to_string();
        assert!(error.contains("drivers.lock"), "{error}");
        assert!(edit(&store, None, |_| Ok(())).is_err());
    }
}

#[test]
fn a_grant_whose_pattern_is_none_counts_for_nothing_and_can_be_taken_back() {
    let (_directory, store) = store();
    install(&store, "a", b"one");
    let digest = Digest::of(b"one");
    // As a program before this one wrote them: what it took for a pattern is none by now.
    let path = path(&store);
    let text = std::fs::read_to_string(&path).expect("there");
    let old = "\"image.pull=a*\", \"image.pull=moby*/x\", \"image.pull=\", \"of.the.future=x\"";
    let text = text.replace("\"image.pull=a*\"", old);
    std::fs::write(&path, &text).expect("written");
    let lock = LockFile::read(&store).expect("read");
    assert_eq!(lock.grants(digest.as_str()), [grant("image.pull=a*")]);
    let useless = lock.useless_grants(digest.as_str());
    let named: Vec<_> = useless.iter().map(|(text, _)| *text).collect();
    assert_eq!(named, ["image.pull=moby*/x", "image.pull="]);
    assert!(
        useless[0].1.contains("\"moby*/x\" is no pattern"),
        "{useless:?}"
    );
    for revoked in ["image.pull=moby*/x", "image.pull"] {
        let revoked = Grant::parse_any(revoked).expect("a name");
        edit(&store, None, |lock| Ok(lock.revoke(&digest, &revoked)?)).expect("there");
    }
    let lock = LockFile::read(&store).expect("read");
    assert!(lock.grants(digest.as_str()).is_empty());
    assert!(lock.useless_grants(digest.as_str()).is_empty());
    // What only another program understands stays.
    let text = std::fs::read_to_string(&path).expect("there");
    assert!(text.contains("of.the.future=x"), "{text}");
}
