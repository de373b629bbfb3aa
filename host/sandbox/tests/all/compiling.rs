//! Components that cost more to compile than any driver: they are refused before, or their compiler is
//! stopped, and the program goes on.

use std::path::Path;
use std::process::Command;

use iechor_sandbox::{DriverError, Sandbox, limits};

use crate::generated::{
    function, functions, kind, leb128, locals, long_to_compile, module, section,
};
use crate::support::{embedded_component, load};

const LOOP: u8 = 0x03;
const BLOCK: u8 = 0x02;
const EMPTY: u8 = 0x40;
const END: u8 = 0x0b;

/// What comes of a driver that has this besides.
async fn loaded(directory: &Path, more: &[u8]) -> Result<(), DriverError> {
    let driver = std::fs::read(embedded_component()).unwrap();
    let path = directory.join("costly.wasm");
    std::fs::write(&path, [&driver, more].concat()).unwrap();
    Sandbox::file(&path).await.map(drop)
}

async fn assert_not_compiled(more: &[u8], words: &str) {
    let directory = tempfile::tempdir().unwrap();
    let error = loaded(directory.path(), more).await.unwrap_err();
    let DriverError::Unloadable { reason, .. } = &error else {
        panic!("{words}: {error:?}")
    };
    assert!(reason.contains(words), "{reason}");
    assert!(error.to_string().contains("costly.wasm"), "{error}");
}

/// A loop beside the other, in a function with so many local variables that each of them writes.
fn loops(count: usize, variables: usize) -> Vec<u8> {
    let each: Vec<u8> = (0..count)
        .flat_map(|number| {
            let variable = leb128(number % variables);
            let body = [vec![0x20], variable.clone(), vec![0x21], variable];
            [vec![LOOP, EMPTY], body.concat(), vec![0x0c, 0, END]].concat()
        })
        .collect();
    [locals(variables), each, vec![END]].concat()
}

#[tokio::test]
async fn blocks_are_multiplied_by_local_variables() {
    let body = loops(6000, 6000);
    let module = function(&[kind(0, 0)], &body);
    assert!(module.len() < 100_000);
    assert_not_compiled(
        &module,
        "pairs of a block and a local variable in one function",
    )
    .await;
    // Several together are as bad as one.
    let blocks = |count: usize, variables: usize| {
        let each = [BLOCK, EMPTY, END].repeat(count);
        [locals(variables), each, vec![END]].concat()
    };
    let many = function(&[kind(0, 0)], &blocks(999, 999)).repeat(50);
    assert_not_compiled(&many, "pairs of a block and a local variable; a driver").await;
    // Loops cost more than other blocks.
    let body = loops(300, 900);
    let module = function(&[kind(0, 0)], &body);
    assert_not_compiled(
        &module,
        "pairs of a loop and a local variable in one function",
    )
    .await;
    let many = function(&[kind(0, 0)], &loops(100, 900)).repeat(40);
    assert_not_compiled(&many, "pairs of a loop and a local variable; a driver").await;
}

#[tokio::test]
async fn blocks_are_multiplied_by_the_loops_around_them() {
    let nested = |depth: usize| {
        let begin = [LOOP, EMPTY].repeat(depth);
        [vec![0], begin, vec![END; depth + 1]].concat()
    };
    let module = function(&[kind(0, 0)], &nested(5000));
    assert!(module.len() < 17_000);
    assert_not_compiled(
        &module,
        "pairs of a block and a loop around it in one function",
    )
    .await;
    let many = function(&[kind(0, 0)], &nested(400)).repeat(40);
    assert_not_compiled(&many, "pairs of a block and a loop around it; a driver").await;
}

#[tokio::test]
async fn values_that_two_bytes_move_are_counted() {
    // Calls itself again and again, with a thousand values each time.
    let calls = [vec![0], b"\x10\0".repeat(20_000), vec![0, END]].concat();
    let wide = kind(1000, 1000);
    assert_not_compiled(
        &function(&[wide], &calls),
        "values of calls and branches in one function",
    )
    .await;
    // Several together are as bad as one.
    let some = [vec![0], b"\x10\0".repeat(30), vec![0, END]].concat();
    let many = function(&[kind(1000, 1000)], &some).repeat(40);
    assert_not_compiled(&many, "values of calls and branches; a driver").await;
    // Blocks, each of which takes and gives a thousand.
    let blocks = [
        vec![0],
        [BLOCK, 0].repeat(20_000),
        vec![0],
        vec![END; 20_001],
    ]
    .concat();
    let kinds = [kind(1000, 1000), kind(0, 0)];
    assert_not_compiled(&function(&kinds, &blocks), "values of calls and branches").await;
    // One branch to twenty thousand places, each time with a thousand.
    let branch = [vec![0x0e], leb128(20_000), vec![0; 20_001]].concat();
    let body = [vec![0, BLOCK, 0], branch, vec![END, END]].concat();
    assert_not_compiled(&function(&kinds, &body), "values of calls and branches").await;
}

#[tokio::test]
async fn local_variables_take_a_few_bytes_in_a_component_and_many_in_a_compiler() {
    let body = [locals(50_000), vec![END]].concat();
    let many = functions(limits::LOCALS / 50_000 + 1, &body);
    assert_not_compiled(&many, "local variables").await;
}

#[tokio::test]
async fn segments_and_descriptions_are_counted() {
    let element = |count: usize| {
        let each = b"\xd2\0\x0b".repeat(count);
        [vec![5, 0x70], leb128(count), each].concat()
    };
    let elements = section(9, &[leb128(1), element(limits::SEGMENTS)].concat());
    assert_not_compiled(&module(&[elements]), "segments and their elements").await;
    let data = [
        leb128(limits::SEGMENTS + 1),
        b"\x01\0".repeat(limits::SEGMENTS + 1),
    ]
    .concat();
    assert_not_compiled(
        &module(&[section(11, &data)]),
        "segments and their elements",
    )
    .await;
    // The initial value of one global, as a sum of millions.
    let sum = [
        vec![1, 0x7f, 0, 0x41, 0],
        b"\x41\0\x6a".repeat(limits::DESCRIPTION_BYTES / 3),
        vec![END],
    ]
    .concat();
    assert_not_compiled(
        &module(&[section(6, &sum)]),
        "types, names and initial values",
    )
    .await;
}

/// Whatever these take, it is the compiler's process that takes it: each ends with an error that names
/// the driver, and the next one is loaded.
#[tokio::test]
async fn types_that_grow_by_themselves_end_in_the_compiler() {
    let directory = tempfile::tempdir().unwrap();
    // Each is a tuple of eight of the one before.
    let doubled = |levels: u8| {
        let first = vec![0x6f, 8, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f];
        let types = (0..levels).flat_map(|level| [vec![0x6f, 8], vec![level; 8]].concat());
        let types: Vec<u8> = first.into_iter().chain(types).collect();
        section(7, &[leb128(usize::from(levels) + 1), types].concat())
    };
    // Types of components within types of components.
    let deep = |levels: usize| {
        let within = [0x41, 1, 1].repeat(levels);
        section(7, &[vec![1], within, vec![0x41, 0]].concat())
    };
    for more in [doubled(60), deep(1_000_000)] {
        let component = [b"\0asm\x0d\0\x01\0".as_slice(), &more].concat();
        // Within a component of its own, where the indices begin anew.
        let error = loaded(directory.path(), &section(4, &component))
            .await
            .unwrap_err();
        let fits = matches!(
            error,
            DriverError::Unloadable { .. } | DriverError::TooCostly { .. }
        );
        assert!(fits, "{error:?}");
        assert!(error.to_string().contains("costly.wasm"), "{error}");
    }
    load(&embedded_component()).await;
}

/// Names that nobody can read are not shown: there are bounds on their number and length.
#[tokio::test]
async fn interfaces_have_names_that_can_be_shown() {
    let directory = tempfile::tempdir().unwrap();
    let component = b"\0asm\x0d\0\x01\0".to_vec();
    let instance = section(7, b"\x01\x42\0");
    let imports = |names: Vec<String>| {
        let each: Vec<u8> = names
            .iter()
            .flat_map(|name| {
                [vec![0], leb128(name.len()), name.clone().into(), vec![5, 0]].concat()
            })
            .collect();
        section(10, &[leb128(names.len()), each].concat())
    };
    let long = vec![format!("iechor:driver/log@0.2.0+{}", "x".repeat(90_000))];
    let many = (0..limits::INTERFACES + 1).map(|n| format!("iechor:driver/log@0.1.{n}"));
    for (names, words) in [
        (long, "the name of an interface has 90024 bytes"),
        (many.collect(), "it imports and exports 201 interfaces"),
    ] {
        let path = directory.path().join("names.wasm");
        let bytes = [component.clone(), instance.clone(), imports(names)].concat();
        std::fs::write(&path, bytes).unwrap();
        let error = Sandbox::file(&path).await.err().unwrap().to_string();
        assert!(error.contains(words) && error.len() < 400, "{error}");
    }
}

const COSTLY: &str = "IECHOR_TEST_COSTLY";

#[tokio::test]
#[ignore = "the other half of the test that runs it in a child"]
async fn loads_in_a_process_that_is_killed() {
    let path = std::env::var(COSTLY).unwrap();
    let _ = Sandbox::file(Path::new(&path)).await;
}

/// Whoever compiles for a process that is gone is gone too.
#[test]
fn no_compiler_outlives_its_program() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("long.wasm");
    let driver = std::fs::read(embedded_component()).unwrap();
    std::fs::write(&path, [driver, long_to_compile()].concat()).unwrap();
    let mut program = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "compiling::loads_in_a_process_that_is_killed",
            "--ignored",
        ])
        .env("XDG_CACHE_HOME", directory.path())
        .env(COSTLY, &path)
        .spawn()
        .unwrap();
    let compiler = loop {
        if let Some(child) = child_of(program.id()) {
            break child;
        }
        assert!(program.try_wait().unwrap().is_none(), "it ended");
        std::thread::sleep(std::time::Duration::from_millis(10));
    };
    // Who stands still in a process group without a parent is sent SIGHUP, which would end it as well:
    // the compiler becomes a child of this process.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).unwrap();
    // It is confined by now, and stands still, so that it does not end by itself.
    let limits = format!("/proc/{compiler}/limits");
    let is_confined = |limits: String| {
        let files = limits
            .lines()
            .find(|line| line.starts_with("Max open files"));
        files.is_some_and(|line| line.split_whitespace().nth(3) == Some("3"))
    };
    while !std::fs::read_to_string(&limits).is_ok_and(is_confined) {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let process = rustix::process::Pid::from_raw(i32::try_from(compiler).unwrap()).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::STOP).unwrap();
    program.kill().unwrap();
    program.wait().unwrap();
    let about = format!("/proc/{compiler}/stat");
    let is_alive = || {
        // What ended and was not waited for by anybody is a zombie.
        std::fs::read_to_string(&about).is_ok_and(|stat| !stat.contains(") Z "))
    };
    for _ in 0..1000 {
        if !is_alive() {
            let _ = rustix::process::waitpid(Some(process), rustix::process::WaitOptions::empty());
            rustix::process::set_child_subreaper(None).unwrap();
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let _ = rustix::process::kill_process(process, rustix::process::Signal::KILL);
    panic!("the compiler goes on");
}

/// Whoever stops to wait ends the compilation.
#[tokio::test]
async fn a_compilation_that_nobody_waits_for_ends() {
    let directory = tempfile::tempdir().unwrap();
    let more = long_to_compile();
    let own = std::process::id();
    let before = children_of(own);
    let compiler = {
        let mut loading = std::pin::pin!(loaded(directory.path(), &more));
        loop {
            tokio::select! {
                done = &mut loading => panic!("it ended: {done:?}"),
                () = tokio::time::sleep(std::time::Duration::from_millis(10)) => {}
            }
            // Other tests compile at the same time: this one is compiling for long.
            if let Some(new) = children_of(own)
                .into_iter()
                .find(|it| !before.contains(it) && processor_ticks(*it) > 200)
            {
                break new;
            }
        }
    };
    for _ in 0..1000 {
        if !children_of(own).contains(&compiler) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the compiler goes on");
}

fn child_of(process: u32) -> Option<u32> {
    children_of(process).into_iter().next()
}

fn children_of(process: u32) -> Vec<u32> {
    let mut children = Vec::new();
    for thread in std::fs::read_dir(format!("/proc/{process}/task"))
        .into_iter()
        .flatten()
        .flatten()
    {
        let list = std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        children.extend(
            list.split_whitespace()
                .filter_map(|number| number.parse::<u32>().ok()),
        );
    }
    children
}

/// Processor time that a process took, in hundredths of a second.
fn processor_ticks(process: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let number = |at: usize| fields.split_whitespace().nth(at)?.parse::<u64>().ok();
    number(11).unwrap_or_default() + number(12).unwrap_or_default()
}
