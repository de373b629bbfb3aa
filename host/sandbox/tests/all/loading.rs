//! What can be loaded, what cannot, and the cache of compiled code.
//!
//! The cache's place comes from the environment, which a process has one of: those tests run
//! [`in_a_process_of_its_own`] again, in a child.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use iechor_sandbox::{DriverError, Sandbox, limits};

use crate::generated::{functions, leb128, module, section};
use crate::support::{Nodes, embedded_component, granting, guest, load, patched_guest};

const DRIVER: &str = "IECHOR_TEST_DRIVER";

#[tokio::test(start_paused = true)]
#[ignore = "the other half of the tests that run it in a child"]
async fn in_a_process_of_its_own() {
    let name = std::env::var(DRIVER).unwrap();
    let driver = match Sandbox::embedded(&name).unwrap() {
        Some(driver) => driver,
        None => load(Path::new(&name)).await,
    };
    println!("describes {}", driver.descriptor().await.unwrap().name);
}

/// What a driver calls itself that a fresh process loads with this cache.
fn describe_in_child(driver: &str, cache: &Path) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "loading::in_a_process_of_its_own",
            "--ignored",
            "--nocapture",
        ])
        .env("XDG_CACHE_HOME", cache)
        .env(DRIVER, driver)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    let name = text
        .lines()
        .find_map(|line| line.split_once("describes "))
        .unwrap()
        .1;
    name.to_owned()
}

/// The one file of a cache.
fn cached(cache: &Path) -> PathBuf {
    let entries: Vec<_> = std::fs::read_dir(cache.join("iechor/drivers"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(entries.len(), 1, "{entries:?}");
    entries.into_iter().next().unwrap()
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

async fn refusal(path: &Path) -> DriverError {
    Sandbox::file(path).await.err().expect("it was loaded")
}

#[test]
fn the_embedded_driver_needs_no_compilation() {
    let cache = tempfile::tempdir().unwrap();
    assert_eq!(
        describe_in_child("iechor-container", cache.path()),
        "iechor-container"
    );
    // Whatever is compiled at run time is kept there.
    assert_eq!(std::fs::read_dir(cache.path()).unwrap().count(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_same_component_from_disk_behaves_the_same() {
    let embedded = Sandbox::embedded("docker-container").unwrap().unwrap();
    let file = load(&embedded_component()).await;
    assert_eq!(embedded.name(), "docker-container");
    assert_eq!(embedded.digest(), file.digest());
    assert_eq!(embedded.imports(), file.imports());
    let described = format!("{:?}", embedded.descriptor().await.unwrap());
    assert_eq!(described, format!("{:?}", file.descriptor().await.unwrap()));

    let requests = &file.descriptor().await.unwrap().capabilities;
    let all: Vec<_> = requests
        .iter()
        .map(|request| request.name.as_str())
        .collect();
    let mut journals = Vec::new();
    for driver in [&embedded, &file] {
        let bench = granting(&file, &all).await;
        bench.engine.add_image(crate::support::IMAGE);
        let node = bench
            .with_options(driver, &[("memory", "1g"), ("env.A", "b")])
            .await;
        node.boot().await.unwrap();
        node.dial().await.unwrap();
        // What differs by design: the driver's name as the user gave it, and the operation's id.
        let journal = bench.engine.journal().into_iter().map(|line| {
            let mut words: Vec<_> = line.split([' ', ',']).collect();
            words.retain(|word| {
                !word.starts_with("dev.iechor.driver=")
                    && !word.starts_with("dev.iechor.operation=")
            });
            words.join(" ")
        });
        journals.push(journal.collect::<Vec<_>>());
    }
    assert_eq!(journals[0], journals[1]);
    assert!(journals[0].len() > 5, "{:?}", journals[0]);
}

#[tokio::test]
async fn what_is_no_component_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("driver.wasm");
    for (bytes, expected) in [
        (&b""[..], "it is not WebAssembly"),
        (b"#!/bin/sh\n", "it is not WebAssembly"),
        (
            b"\0asm\x01\0\0\0",
            "it is a WebAssembly module, not a component",
        ),
        (b"\0asm\x0d\0\x01\0garbage", ""),
    ] {
        std::fs::write(&file, bytes).unwrap();
        let error = refusal(&file).await;
        let DriverError::Unloadable { driver, reason } = &error else {
            panic!("{error:?}")
        };
        assert_eq!(driver, file.to_str().unwrap());
        assert!(reason.contains(expected), "{reason}");
    }
}

#[tokio::test]
async fn what_is_not_a_readable_file_of_a_sensible_size_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let large = directory.path().join("large.wasm");
    std::fs::File::create(&large)
        .unwrap()
        .set_len((64 << 20) + 1)
        .unwrap();
    let pipe = directory.path().join("pipe.wasm");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).unwrap();
    for (path, expected) in [
        (directory.path().join("missing.wasm"), "No such file"),
        (
            directory.path().to_owned(),
            "it is a directory, not a regular file",
        ),
        (large, "it has more than 64 MiB"),
        (pipe, "it is a named pipe, not a regular file"),
        ("/dev/zero".into(), "it is a device, not a regular file"),
    ] {
        let error = refusal(&path).await;
        let DriverError::Unreadable {
            path: named,
            reason,
        } = &error
        else {
            panic!("{error:?}")
        };
        assert_eq!(*named, path);
        assert!(reason.contains(expected), "{reason}");
    }
    assert!(Sandbox::embedded("docker-contianer").unwrap().is_none());
}

#[tokio::test]
async fn an_import_that_no_host_offers_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = patched_guest(directory.path(), "iechor:driver/log@", "iechor:driver/lag@");
    let error = refusal(&path).await;
    let DriverError::UnknownImports { imports, .. } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(*imports, ["iechor:driver/lag@0.2.1"]);
    assert!(error.to_string().contains("patched.wasm"), "{error}");
}

#[tokio::test]
async fn a_driver_of_another_contract_is_told_what_it_needs() {
    let directory = tempfile::tempdir().unwrap();
    let path = patched_guest(
        directory.path(),
        "iechor:driver/driver@0.2.1",
        "iechor:driver/driver@0.9.0",
    );
    let error = refusal(&path).await;
    let DriverError::OtherContract { version, .. } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(version, "0.9.0");
    assert!(error.to_string().contains("newer iechor"), "{error}");
}

/// Nobody has checked yet that it is the number of a version.
#[tokio::test]
async fn the_version_of_a_contract_moves_no_cursor() {
    let directory = tempfile::tempdir().unwrap();
    let path = patched_guest(
        directory.path(),
        "iechor:driver/driver@0.2.1",
        "iechor:driver/driver@\x1b[2J.",
    );
    let error = refusal(&path).await;
    assert!(
        matches!(error, DriverError::OtherContract { .. }),
        "{error:?}"
    );
    assert!(!error.to_string().contains('\x1b'), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_driver_of_another_contract_of_the_same_line_loads_and_may_do_no_more() {
    let directory = tempfile::tempdir().unwrap();
    // An older one, and one that this host does not know yet.
    for version in ["0.2.0", "0.2.9"] {
        let path = patched_guest(directory.path(), "@0.2.1", &format!("@{version}"));
        let driver = load(&path).await;
        assert_eq!(driver.contract(), version);
        for (behaviour, value, allowed) in [
            ("run", "buildkitd --version", true),
            ("run", "sh -c x", false),
            ("read a connection", "", false),
        ] {
            let bench = granting(&driver, &[]).await;
            let options = [("behave", behaviour), ("value", value)];
            let result = bench.with_options(&driver, &options).await.boot().await;
            let denied = matches!(result, Err(DriverError::Denied { .. }));
            assert_eq!(denied, !allowed, "{behaviour} {value}: {result:?}");
        }
    }
}

#[tokio::test]
async fn a_component_that_is_no_driver_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = patched_guest(
        directory.path(),
        "iechor:driver/driver@",
        "iechor:driver/drover@",
    );
    let error = refusal(&path).await;
    let DriverError::Unloadable { reason, .. } = &error else {
        panic!("{error:?}")
    };
    assert!(reason.contains("iechor:driver/driver"), "{reason}");
}

#[tokio::test]
async fn what_would_take_too_long_or_too_much_is_not_compiled() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("large.wasm");
    let driver = std::fs::read(embedded_component()).unwrap();
    let empty = b"\0\x0b";
    // So many that do nothing.
    let long = |length: usize| [b"\0".as_slice(), &b"\x01".repeat(length), b"\x0b"].concat();
    let globals = |count| {
        let each = b"\x7f\x01\x41\0\x0b".repeat(count);
        module(&[section(6, &[leb128(count), each].concat())])
    };
    // Each makes two of the one before, which stands inside.
    let nested = |levels| {
        (0..levels).fold(Vec::new(), |inner: Vec<u8>, _| {
            let header = b"\0asm\x0d\0\x01\0".to_vec();
            let two = if inner.is_empty() {
                Vec::new()
            } else {
                section(5, b"\x02\0\0\0\0\0\0")
            };
            section(4, &[header, inner, two].concat())
        })
    };
    for (more, words) in [
        (
            [nested(40), section(5, b"\x01\0\x01\0")].concat(),
            "instances; a driver may have",
        ),
        (
            functions(limits::FUNCTIONS, empty),
            "functions; a driver may have",
        ),
        (
            functions(1, &long(limits::FUNCTION_BYTES)),
            "bytes of code in one function",
        ),
        (
            functions(60, &long(limits::FUNCTION_BYTES / 2)),
            "bytes of code; a driver may have",
        ),
        (globals(limits::GLOBALS + 1), "globals"),
        (globals(1).repeat(limits::PARTS), "modules and components"),
    ] {
        // Whatever it has besides, it is a driver.
        std::fs::write(&path, [driver.clone(), more].concat()).unwrap();
        let error = refusal(&path).await;
        let DriverError::Unloadable { reason, .. } = &error else {
            panic!("{words}: {error:?}")
        };
        assert!(reason.contains(words), "{reason}");
    }
    // What is within bounds is compiled, with what it has besides.
    std::fs::write(&path, [driver, functions(100, empty)].concat()).unwrap();
    load(&path).await;
}

#[tokio::test]
async fn no_word_of_a_component_moves_a_cursor() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("words.wasm");
    let component = b"\0asm\x0d\0\x01\0".to_vec();
    let name = |name: &str| [leb128(name.len()), name.as_bytes().to_vec()].concat();
    let import = name("url=<\x1b[2Jred\u{202e}>");
    let instance = section(7, b"\x01\x42\0");
    let imports = section(
        10,
        &[b"\x01\0".to_vec(), import, b"\x05\0".to_vec()].concat(),
    );
    let named = [name("\x1b[2Jred"), name("f"), vec![0, 0]].concat();
    let needs = module(&[
        section(1, b"\x01\x60\0\0"),
        section(2, &[vec![1], named].concat()),
    ]);
    let instantiated = section(2, b"\x01\0\0\0");
    for bytes in [
        [component.clone(), instance, imports].concat(),
        [component, needs, instantiated].concat(),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let error = refusal(&path).await.to_string();
        let hidden = |c: char| c.is_control() || c == '\u{202e}';
        assert!(!error.contains(hidden), "{error:?}");
    }
}

#[tokio::test]
async fn machine_code_is_kept_in_private_and_refused_from_anywhere_else() {
    let cache = tempfile::tempdir().unwrap();
    assert_eq!(
        describe_in_child(guest().to_str().unwrap(), cache.path()),
        "misbehaving"
    );
    let code = cached(cache.path());
    let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(code.parent().unwrap()), 0o700);
    assert_eq!(mode(&code), 0o600);

    let elsewhere = cache.path().join("driver.wasm");
    std::fs::copy(&code, &elsewhere).unwrap();
    let error = refusal(&elsewhere).await;
    let DriverError::Unloadable { reason, .. } = &error else {
        panic!("{error:?}")
    };
    assert!(reason.contains("it is machine code"), "{reason}");
}

/// What is no driver is neither compiled nor kept.
#[test]
fn what_is_refused_leaves_nothing_in_the_cache() {
    let cache = tempfile::tempdir().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = patched_guest(directory.path(), "iechor:driver/log@", "iechor:driver/lag@");
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "loading::in_a_process_of_its_own", "--ignored"])
        .env("XDG_CACHE_HOME", cache.path())
        .env(DRIVER, &path)
        .output()
        .unwrap();
    assert!(!output.status.success());
    let kept = std::fs::read_dir(cache.path().join("iechor/drivers"));
    assert_eq!(kept.map_or(0, Iterator::count), 0);
}

/// Machine code of another driver under the guest's name tells whether the cache was used.
#[test]
fn the_cache_is_used_only_while_it_is_private() {
    let (cache, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let driver = guest().to_str().unwrap();
    describe_in_child(driver, cache.path());
    describe_in_child(embedded_component().to_str().unwrap(), other.path());
    let code = cached(cache.path());
    std::fs::copy(cached(other.path()), &code).unwrap();
    assert_eq!(describe_in_child(driver, cache.path()), "iechor-container");

    for mode in [0o770, 0o755, 0o701] {
        set_mode(code.parent().unwrap(), mode);
        assert_eq!(
            describe_in_child(driver, cache.path()),
            "misbehaving",
            "{mode:o}"
        );
    }
    set_mode(code.parent().unwrap(), 0o700);
    // Nor is it while others may put another folder in the place of one above.
    let home = cache.path().join("iechor");
    for (folder, mode, used) in [
        (home.as_path(), 0o720, false),
        (home.as_path(), 0o755, true),
        (cache.path(), 0o777, false),
        (cache.path(), 0o1777, true),
    ] {
        set_mode(folder, mode);
        let expected = if used {
            "iechor-container"
        } else {
            "misbehaving"
        };
        assert_eq!(
            describe_in_child(driver, cache.path()),
            expected,
            "{mode:o}"
        );
        set_mode(folder, 0o700);
    }
    let drivers = code.parent().unwrap();
    std::fs::rename(drivers, cache.path().join("moved")).unwrap();
    std::os::unix::fs::symlink(cache.path().join("moved"), drivers).unwrap();
    assert_eq!(describe_in_child(driver, cache.path()), "misbehaving");
}

#[test]
fn a_damaged_cache_is_made_anew() {
    let cache = tempfile::tempdir().unwrap();
    let driver = guest().to_str().unwrap();
    describe_in_child(driver, cache.path());
    let whole = std::fs::read(cached(cache.path())).unwrap();
    std::fs::write(cached(cache.path()), b"garbage").unwrap();
    assert_eq!(describe_in_child(driver, cache.path()), "misbehaving");
    assert_eq!(
        std::fs::read(cached(cache.path())).unwrap().len(),
        whole.len()
    );
}
