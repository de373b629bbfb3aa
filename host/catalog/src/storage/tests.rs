use std::os::unix::fs::PermissionsExt as _;

use iechor_sandbox::Grant;

use super::*;
use crate::lock::Installed;
use crate::users::Use;

/// A store without builders.
struct NoUsers;

impl Users for NoUsers {
    fn list(&self) -> Result<Vec<Use>, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Vec::new())
    }
}

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

fn storage() -> (tempfile::TempDir, Storage) {
    let directory = tempfile::tempdir().expect("a directory");
    let store = Directory::at(directory.path().join("store"));
    (directory, Storage::new(store, Arc::new(NoUsers)))
}

fn install(storage: &Storage, name: &str, component: &[u8]) {
    let entry = driver(name, component);
    let digest = entry.digest.clone();
    storage
        .edit(Some((&digest, component)), |lock| {
            lock.put(entry);
            lock.grant(&digest, &[grant("image.pull=a*")]);
            Ok(())
        })
        .expect("written");
}

#[test]
fn what_is_installed_is_read_again_and_private() {
    let (_directory, storage) = storage();
    assert_eq!(storage.lock_file().expect("none"), LockFile::default());
    assert!(!storage.store.path().exists());
    install(&storage, "b", b"one");
    install(&storage, "A", b"two");
    let lock = storage.lock_file().expect("read");
    let names: Vec<_> = lock.drivers.iter().map(|d| d.name.as_str()).collect();
    assert_eq!(names, ["A", "b"]);
    assert_eq!(lock.driver("a"), Some(&driver("A", b"two")));
    let digest = Digest::of(b"one");
    assert_eq!(lock.grants(digest.as_str()), [grant("image.pull=a*")]);
    let file = storage.component_path(&digest);
    assert_eq!(std::fs::read(&file).expect("read"), b"one");
    let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode();
    assert_eq!(mode(&file) & 0o777, 0o600);
    assert_eq!(mode(&storage.lock_path()) & 0o777, 0o600);
    let directory = file.parent().expect("above");
    assert_eq!(mode(directory) & 0o777, 0o700);
    assert_eq!(mode(directory.parent().expect("above")) & 0o777, 0o700);
}

#[test]
fn what_nothing_names_is_removed() {
    let (_directory, storage) = storage();
    install(&storage, "a", b"one");
    install(&storage, "a", b"two");
    assert!(!storage.component_path(&Digest::of(b"one")).exists());
    assert!(storage.component_path(&Digest::of(b"two")).exists());
    storage
        .edit(None, |lock| {
            let taken = lock.take("A").expect("installed");
            lock.forget(&taken.digest, false);
            Ok(())
        })
        .expect("written");
    assert!(!storage.component_path(&Digest::of(b"two")).exists());
    let lock = storage.lock_file().expect("read");
    assert!(lock.grants(Digest::of(b"two").as_str()).is_empty());
}

#[test]
fn a_change_that_fails_leaves_everything() {
    let (_directory, storage) = storage();
    install(&storage, "a", b"one");
    let before = storage.lock_file().expect("read");
    let refused = storage.edit(Some((&Digest::of(b"two"), b"two")), |lock| {
        lock.take("a");
        Err::<(), _>(CatalogError::Cancelled("a test"))
    });
    assert!(refused.is_err());
    assert_eq!(storage.lock_file().expect("read"), before);
    assert!(!storage.component_path(&Digest::of(b"two")).exists());
}

#[test]
fn what_another_program_wrote_stays_and_grants_nothing() {
    let (_directory, storage) = storage();
    install(&storage, "a", b"one");
    let text = std::fs::read_to_string(storage.lock_path()).expect("read");
    let text = text
        .replace("image.pull=a*\"", "image.pull=a*\", \"of.the.future\"")
        .replace("grants = ", "signed_by = \"x\"\ngrants = ")
        .replace("installed_at = ", "channel = \"beta\"\ninstalled_at = ")
        .replace("version = 1\n", "version = 1\nflavour = \"x\"\n");
    std::fs::write(storage.lock_path(), &text).expect("written");
    let digest = Digest::of(b"one");
    let lock = storage.lock_file().expect("read");
    assert_eq!(lock.grants(digest.as_str()), [grant("image.pull=a*")]);
    install(&storage, "b", b"two");
    storage
        .edit(None, |lock| {
            lock.grant(&digest, &[grant("engine.open")]);
            lock.revoke(&digest, &grant("image.pull"))?;
            lock.set_grants(&digest, &[grant("image.pull=b")]);
            Ok(())
        })
        .expect("written");
    let kept = std::fs::read_to_string(storage.lock_path()).expect("read");
    for words in [
        "of.the.future",
        "signed_by = \"x\"",
        "channel = \"beta\"",
        "flavour = \"x\"",
    ] {
        assert!(kept.contains(words), "{kept}");
    }
    let lock = storage.lock_file().expect("read");
    assert_eq!(lock.grants(digest.as_str()), [grant("image.pull=b")]);
}

#[test]
fn an_entry_that_cannot_be_used_spares_the_others_and_stays() {
    let (_directory, storage) = storage();
    install(&storage, "a", b"one");
    install(&storage, "b", b"two");
    let text = std::fs::read_to_string(storage.lock_path()).expect("read");
    let (one, two) = (Digest::of(b"one"), Digest::of(b"two"));
    let text = text.replace(one.as_str(), "sha256:abc");
    std::fs::write(storage.lock_path(), &text).expect("written");
    let lock = storage.lock_file().expect("read");
    assert_eq!(lock.drivers, [driver("b", b"two")]);
    let error = lock.broken_driver("A").expect("broken");
    assert!(error.to_string().contains("is not a digest"), "{error}");
    assert!(
        matches!(&error, CatalogError::BrokenEntry { name, .. } if name == "a"),
        "{error}"
    );
    let reason = lock.broken_grants().expect("broken").to_string();
    assert!(reason.contains("is not a digest"), "{reason}");
    storage
        .edit(None, |lock| {
            lock.grant(&two, &[grant("engine.open")]);
            Ok(())
        })
        .expect("written");
    let kept = std::fs::read_to_string(storage.lock_path()).expect("read");
    assert_eq!(kept.matches("sha256:abc").count(), 2, "{kept}");
    // The component of the entry is unknown.
    assert!(storage.component_path(&one).exists());
    storage
        .edit(None, |lock| {
            assert_eq!(lock.take("a"), None);
            Ok(())
        })
        .expect("written");
    let lock = storage.lock_file().expect("read");
    assert!(lock.broken_driver("a").is_none());
}

#[test]
fn a_file_of_a_newer_program_is_not_called_broken() {
    let (_directory, storage) = storage();
    install(&storage, "a", b"one");
    // The other contents do not matter.
    for text in ["version = 2\n", "version = 3\ndriver = 1\n"] {
        std::fs::write(storage.lock_path(), text).expect("written");
        let error = storage.lock_file().expect_err(text);
        assert!(matches!(error, CatalogError::NewerLock { .. }), "{error}");
        let error = error.to_string();
        assert!(error.contains("written by a newer iechor"), "{error}");
        assert!(!error.contains("remove"), "{error}");
        assert!(storage.edit(None, |_| Ok(())).is_err());
        let kept = std::fs::read_to_string(storage.lock_path()).expect("read");
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
    let (_directory, storage) = storage();
    install(&storage, "a", b"one");
    for text in ["hello", "", "version = 0\n", "version = 1\ndriver = 1\n"] {
        std::fs::write(storage.lock_path(), text).expect("written");
        let error = storage.lock_file().expect_err(text).to_string();
        assert!(error.contains("drivers.lock"), "{error}");
        assert!(storage.edit(None, |_| Ok(())).is_err());
    }
}

#[test]
fn a_grant_whose_pattern_is_none_counts_for_nothing_and_can_be_taken_back() {
    let (_directory, storage) = storage();
    install(&storage, "a", b"one");
    let digest = Digest::of(b"one");
    // An older version of the program wrote these grants; their patterns are invalid now.
    let path = storage.lock_path();
    let text = std::fs::read_to_string(&path).expect("there");
    let old = "\"image.pull=a*\", \"image.pull=moby*/x\", \"image.pull=\", \"of.the.future=x\"";
    let text = text.replace("\"image.pull=a*\"", old);
    std::fs::write(&path, &text).expect("written");
    let lock = storage.lock_file().expect("read");
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
        storage
            .edit(None, |lock| lock.revoke(&digest, &revoked))
            .expect("there");
    }
    let lock = storage.lock_file().expect("read");
    assert!(lock.grants(digest.as_str()).is_empty());
    assert!(lock.useless_grants(digest.as_str()).is_empty());
    // Unknown contents stay.
    let text = std::fs::read_to_string(&path).expect("there");
    assert!(text.contains("of.the.future=x"), "{text}");
}
